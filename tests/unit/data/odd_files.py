"""Shape of a table of odd files: each case writes its own, and says beforehand what must become of it.

A case runs through what a user runs: the source's index, then ingest. Cases of the same kind and keys share a source,
in a folder each; `alone` gives a case a root of its own, as one that stops the index needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.records import SENTINEL
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index


@dataclass(frozen=True)
class Read:
    """The record is read: int16 microvolts (samples, 12), rate in Hz, and each flag's reason with a part of its text."""

    microvolts: np.ndarray
    rate: float = 500.0
    flags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """One ledger row with this reason, and this within its text."""

    reason: str
    text: str = ""


@dataclass(frozen=True)
class Fails:
    """The index ends in one line with this in it."""

    text: str


@dataclass(frozen=True)
class Case:
    """One odd file.

    Attributes
    ----------
    name : str
        Also the folder that it lies in.
    write : callable
        Writes the files into that folder.
    expected : Read, Dropped or Fails
    record : str
        Path of the record, as the index has it, from that folder.
    keys : dict
        Keys of the source.
    row : dict
        Columns of the index that must have these values.
    alone : bool
        Has a root of its own.
    public : bool
        `read_record`, to which the record's own folder is the root, gives the same.
    """

    name: str
    write: Callable[[Path], object]
    expected: Read | Dropped | Fails
    record: str = "r"
    kind: str = "wfdb_folder"
    keys: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)
    alone: bool = False
    public: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of a case: the row of the index, and the record or what was written in its place."""

    path: Path
    row: dict[str, Any]
    found: Read | Dropped | Fails


def standard(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Microvolts of the named leads as ingest stores them; the others are missing."""
    signal = np.full((len(next(iter(columns.values()))), len(LEADS)), SENTINEL)
    for lead, column in columns.items():
        signal[:, LEADS.index(lead)] = column
    return signal


def run(cases: Iterable[Case], folder: Path) -> dict[str, Outcome]:
    """Write all cases and put them through index and ingest; by name."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.name if case.alone else f"{case.kind} {json.dumps(case.keys)}", []).append(case)
    outcomes: dict[str, Outcome] = {}
    for number, group in enumerate(groups.values()):
        outcomes |= _run_group(group, folder / f"{number}")
    return outcomes


def _run_group(group: list[Case], folder: Path) -> dict[str, Outcome]:
    root = folder / "root"
    for case in group:
        (root / case.name).mkdir(parents=True)
        case.write(root / case.name)
    keys = {key: json.loads(json.dumps(value).replace("FOLDER", str(folder))) for key, value in group[0].keys.items()}
    if keys.get("table") == "all.csv":  # a row per case, for what no header tells of
        pd.DataFrame({"path": [f"{case.name}/{case.record}" for case in group]}).to_csv(root / "all.csv", index=False)
    slice_ = SourceSlice(source="s", config=SourceConfig(kind=group[0].kind, root=str(root), **keys))
    try:
        write_index(folder / "index.parquet", open_source(slice_).pieces())
    except UserError as error:
        return {case.name: Outcome(root / case.name, {}, Fails(str(error))) for case in group}
    run_ingest(slice_, folder / "index.parquet", 0, 1, folder / "000.npy")
    index = pd.read_parquet(folder / "index.parquet").set_index("path")
    signals = np.load(folder / "000.npy")
    table = pd.read_parquet(folder / "000.parquet").set_index("record_id")
    ledger = pd.read_parquet(folder / "000.ledger.parquet").set_index("record_id")
    outcomes = {}
    for case in group:
        row = index.loc[f"{case.name}/{case.record}"].to_dict()
        notes = ledger.loc[[row["record_id"]]] if row["record_id"] in ledger.index else ledger[:0]
        if row["record_id"] in table.index:
            at = table.loc[row["record_id"]]
            samples = signals[at.offset : at.offset + at.n_samples]
            found = Read(samples, at.sampling_rate, dict(zip(notes.reason, notes.detail, strict=True)))
        else:
            found = Dropped(notes.reason.iloc[0], notes.detail.iloc[0])
            assert len(notes) == 1
        outcomes[case.name] = Outcome(root / case.name / case.record, row, found)
    return outcomes
