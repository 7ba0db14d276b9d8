"""Are the samples on disk those that the tables were made of? Their SHA-256 say so.

A file that was swapped for another of its size, restored from an old backup or damaged still reads well, and every
number after it would be another recording's. Reading costs more than hashing (1 GB/s on one core), so who reads all
samples anyway compares all of them; a training, which may have terabytes, compares a sample of them from every file.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.data.samples.dataset import Signals
from ecglfm.data.tables import shard_tables, table_pieces
from ecglfm.sources.parallel import ordered_map

#: Recordings that a training compares before it begins: 2.4 GB of 10 s at 500 Hz in twelve leads.
SAMPLED = 20_000
_COLUMNS = ["record_id", "source", "shard", "offset", "n_samples", "sha256"]
_SHOWN = 16  # digits of a hash in a message


def says_otherwise(path: Path, record: str, *, expected: str, found: str, table: str, more: int = 0) -> str:
    """Sentence on samples that are not those of a table: the file, a recording, both hashes and the cure."""
    others = f" ({more} more of its recordings differ)" if more else ""
    return (
        f"{path}: the SHA-256 of {record}'s samples is {found[:_SHOWN]}…, but {table} says {expected[:_SHOWN]}…{others}"
        f"; the file was swapped or damaged: put it back, or make it anew with snakemake --forcerun {path}"
    )


def differing(
    records: pd.DataFrame, folder: Path, *, table: str, at_most: int | None = None, title: str | None = None
) -> list[str]:
    """A sentence for each file in which a recording has other samples than its SHA-256 says.

    Parameters
    ----------
    records : DataFrame
        `record_id`, `source`, `shard`, `offset`, `n_samples`, `sha256`.
    folder : path
        Holds `{source}/{shard:03d}.npy`.
    table : str
        What says the SHA-256, for the sentence.
    at_most : int, optional
        Of more records than that, so many are compared, spread evenly over the disk, and one of every file.
    title : str, optional
        Of a progress bar; none without.

    Raises
    ------
    UserError
        A file is missing or too short.
    """
    signals = Signals(records, folder)
    rows = signals.disk_order()
    if at_most is not None and len(rows) > at_most:
        files = records[["source", "shard"]].iloc[rows]
        first = np.flatnonzero(~files.duplicated().to_numpy())
        rows = rows[np.union1d(first, np.linspace(0, len(rows) - 1, at_most).astype(np.int64))]
    ids, expected = records["record_id"].tolist(), records["sha256"].tolist()
    found: dict[Path, list[tuple[str, str, str]]] = {}
    start = np.zeros(1, np.int64)
    for row in tqdm(rows.tolist(), desc=title, unit="record", disable=None if title else True):
        (samples,) = signals.views(np.array([row]), start, int(signals.n_samples[row]))
        digest = hashlib.sha256(samples).hexdigest()  # type: ignore[arg-type]  # any buffer will do
        if digest != expected[row]:
            found.setdefault(signals.path(row), []).append((ids[row], expected[row], digest))
    return [
        says_otherwise(path, record, expected=said, found=digest, table=table, more=len(cases) - 1)
        for path, cases in found.items()
        for record, said, digest in cases[:1]
    ]


def check_samples(
    records: pd.DataFrame, folder: Path, *, table: str = "the manifest", at_most: int | None = None
) -> None:
    """Raise `UserError`, a line per file, where samples are not those that the table was made of; as `differing`."""
    found = differing(records, folder, table=table, at_most=at_most, title="compare SHA-256")
    if found:
        raise UserError("\n".join(found))


def check_shards(tables: list[Path], workers: int) -> None:
    """Raise `UserError`, a line per file, where shards differ from the tables beside them; as `differing_shards`."""
    found = differing_shards(tables, workers)
    if found:
        raise UserError("\n".join(found))


def _of_table(table: Path) -> list[str]:
    """What differs in the shard beside a table."""
    found = []
    for records in table_pieces(table, ["record_id", "offset", "n_samples", "sha256"]):
        placed = records.assign(source=table.parent.name, shard=int(table.stem))
        found += differing(placed, table.parent.parent, table=str(table))
    return found


def differing_shards(tables: list[Path], workers: int) -> list[str]:
    """The same of all recordings of some shards, by the tables of `ingest` or `preprocess` beside them.

    Parameters
    ----------
    tables : list of path
        `{stage}/{source}/{shard}.parquet`.
    workers : int
        Processes.
    """
    done = ordered_map(_of_table, tables, workers)
    shown = tqdm(done, total=len(tables), desc="compare SHA-256", unit="shard", disable=None)
    return list(itertools.chain.from_iterable(shown))


def verify_data(results: Path, workers: int) -> Iterator[str]:
    """Compare every sample of a results folder with what its tables say, and yield what was compared.

    Parameters
    ----------
    results : path
        Holds `ingest/`, `preprocess/` and perhaps `manifest/`.
    workers : int
        Processes.

    Raises
    ------
    UserError
        At the end: a line per file with other samples, or nothing was there to compare.
    """
    problems: list[str] = []
    folders = [folder for stage in ("ingest", "preprocess") for folder in sorted((results / stage).glob("*/"))]
    if not folders:
        raise UserError(f"{results}: ingest/ and preprocess/ hold no folder of a source: nothing to compare")
    for folder in folders:
        tables = shard_tables(folder, ".parquet", None)
        found = differing_shards(tables, workers)
        problems += found
        yield f"{folder}: {counted(len(tables), 'shard')}, {_said(found)}"
    manifest = results / "manifest/records.parquet"
    if manifest.exists():
        found = differing(pd.read_parquet(manifest, columns=_COLUMNS), results / "preprocess", table=str(manifest))
        problems += found
        yield f"{manifest}: {_said(found)}"
    if problems:
        raise UserError("\n".join(problems))


def _said(found: list[str]) -> str:
    return counted(len(found), "file differs", "files differ") if found else "all samples are as it says"
