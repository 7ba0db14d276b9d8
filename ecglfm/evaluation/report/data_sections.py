"""What the report says about data and tasks: counts, the ledger, the audit.

Every function returns what the template shows, or None when the stage has not run; nothing here knows HTML.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import TaskSlice, UserError, load
from ecglfm.config.kinds import KINDS
from ecglfm.data.labels import read_left_out
from ecglfm.data.tables import TableReader, sorted_pieces, table_pieces
from ecglfm.evaluation.report.counting import ALL, NONE, Tallies, count_rows, spreads, tallies
from ecglfm.provenance import read_json
from ecglfm.records import LEDGER_COLUMNS, SPLITS
from ecglfm.sources.tables import merge_join

Content = TypeVar("Content")
_MANY_PAIRS = 20
#: Columns of `labels/{task}.parquet` that are no label's.
_ABOUT = ("record_id", "patient_id", "source", "split")
#: Fewer patients of a split with a label than this are told beside it.
FEW_POSITIVES = 5


def read_if_there(path: Path, read: Callable[[Path], Content]) -> Content | None:
    """Read a file of the results, None when it does not exist.

    Raises
    ------
    UserError
        The file exists and cannot be read.
    """
    if not path.exists():
        return None
    try:
        return read(path)
    except ValueError as error:  # JSON, parquet and text errors are all ValueErrors
        first = next(iter(str(error).splitlines()), "")
        raise UserError(f"{path}: cannot be read ({first}); delete it and run its stage again") from None


def pieces_if_there(path: Path) -> TableReader | None:
    """A table of the results, to be read in pieces; as `read_if_there`."""
    return None if read_if_there(path, pq.read_schema) is None else partial(table_pieces, path)


def data_section(results: Path) -> dict[str, Any] | None:
    """Records and patients by source and split, who they are, the ledger and the audit."""
    path = results / "manifest/records.parquet"
    records = pieces_if_there(path)
    if records is None:
        return None
    audit = read_if_there(results / "manifest/audit.json", read_json)
    ledger = pieces_if_there(results / "manifest/ledger.parquet")
    rows = None if ledger is None else ledger_rows(ledger(list(LEDGER_COLUMNS)))
    counts = tallies(records)
    return {
        "counts": {source: counts.of(source) for source in counts.sources()},
        "total": counts.of(ALL),
        "people": _people(records, counts, pq.read_schema(path).names),
        "ledger": rows,
        "dropped": sum(row["count"] for row in rows or [] if row["action"] == "dropped"),
        "audit": audit,
        "pairs": [] if audit is None else sorted(audit["duplicate_pairs"], key=_worst_first)[:_MANY_PAIRS],
        "crossing": 0 if audit is None else sum(bool(pair["crosses"]) for pair in audit["duplicate_pairs"]),
    }


def _worst_first(pair: dict[str, Any]) -> tuple[bool, float]:
    return not pair["crosses"], -float(pair["correlation"])


def _people(records: TableReader, counts: Tallies, columns: list[str]) -> list[dict[str, Any]]:
    """Age, sex, length and rate of each source."""
    ages = spreads(records, ["age"], ["source"], [0.5, 0.25, 0.75])
    seconds = spreads(records, ["n_samples", "sampling_rate"], ["source"], [0.0, 1.0])
    sexes, rates = (count_rows(records, ["source", name]) for name in ("sex", "sampling_rate"))
    flags = count_rows(records, ["source", "flags"]) if "flags" in columns else Counter()
    people = []
    for source in counts.sources():
        n_sex = sexes[source, "female"] + sexes[source, "male"]
        people.append(
            {
                "source": source,
                "age": ages[source,].quantiles if (source,) in ages else None,
                "female": sexes[source, "female"] / n_sex if n_sex else None,
                "seconds": tuple(seconds[source,].quantiles),
                "rates": sorted({int(rate) for of, rate in rates if of == source}),
                "flagged": sum(n for (of, flag), n in flags.items() if of == source and flag not in {"", NONE}),
            }
        )
    return people


def ledger_rows(ledger: Iterable[pd.DataFrame]) -> list[dict[str, Any]]:
    """A row per stage, action and reason, with a count and the first record as an example.

    Parameters
    ----------
    ledger : iterable of DataFrame
        A ledger in pieces.
    """
    found: dict[Any, dict[str, Any]] = {}
    for piece in ledger:
        for (stage, action, reason), part in piece.groupby(["stage", "action", "reason"]):
            first = part.sort_values("record_id", kind="stable").iloc[0]
            example = {"example": str(first["record_id"]), "detail": str(first["detail"])}
            said = {"stage": stage, "action": action, "reason": str(reason)}
            row = found.setdefault((stage, action, reason), said | {"count": 0, "sources": set()} | example)
            row["count"] += len(part)
            row["sources"] |= set(part["source"].astype(str))
            if example["example"] < row["example"]:
                row |= example
    for row in found.values():
        row["sources"] = ", ".join(sorted(row["sources"]))
    return sorted(found.values(), key=lambda row: (row["action"], -row["count"], row["stage"], row["reason"]))


def task_section(results: Path, task: str) -> dict[str, Any] | None:
    """Positives (events, known numbers) of every label by split and by source, and what the task leaves out."""
    path = results / f"labels/{task}.parquet"
    labels = pieces_if_there(path)
    if labels is None:
        return None
    counts = tallies(labels)
    ledger = pieces_if_there(results / f"labels/{task}.ledger.parquet")
    folds = "fold" in pq.read_schema(path).names
    path_of_config = results / f"config/labels/{task}.yaml"
    config = load(TaskSlice, path_of_config).config if path_of_config.exists() else None
    counted = {kind.columns[-1] for kind in (KINDS.values() if config is None else [config.task_kind])}
    columns = [column for column in pq.read_schema(path).names if column.partition(".")[0] in counted]
    if config is not None and not config.task_kind.carried:
        labels = partial(_known, labels)
    patients, total = _positive_patients(labels, columns), counts.of(ALL)
    splits = [split for split in SPLITS if total[split][0] or not folds]  # with folds, `test` is all of them
    return {
        "task": task,
        "description": config.description if config is not None else "",
        "left_out": read_left_out(path),
        "sources": counts.sources(),
        "total": total,
        "folds": folds,
        "splits": splits,
        "labels": [_label(labels, column, patients, ["test"] if folds else SPLITS) for column in columns],
        "ledger": None if ledger is None else ledger_rows(ledger(list(LEDGER_COLUMNS))),
    }


def _known(labels: TableReader, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Columns of a table of numbers, in which every number is 1."""
    for piece in labels(columns):
        numbers = [column for column in columns if column not in _ABOUT]
        yield piece.assign(**{column: piece[column].where(piece[column].isna(), 1.0) for column in numbers})


def _positive_patients(labels: TableReader, columns: list[str]) -> Counter[tuple[str, str]]:
    """Patients with a positive record, by label and split."""
    found: Counter[tuple[str, str]] = Counter()
    for (table,) in merge_join([sorted_pieces(labels(["patient_id", "split", *columns]), "patient_id")], "patient_id"):
        rows = table.to_pandas()
        positive = (rows[columns] == 1).groupby([rows["patient_id"], rows["split"]]).any()
        for split, numbers in positive.groupby(level=1).sum().iterrows():
            found.update({(column, str(split)): int(number) for column, number in numbers.items()})
    return found


def _label(
    labels: TableReader, column: str, patients: Counter[tuple[str, str]], judged: Sequence[str]
) -> dict[str, Any]:
    """Positives of a label by split and by source, among the records where it is known.

    Only of the splits in `judged` it is said that they have few: with folds, a model learns from more than `train`.
    """
    positives, known = Counter[str](), Counter[str]()  # by the names of splits and of sources
    sources, unknown = set(), 0
    for (source, split, value), number in count_rows(labels, ["source", "split", column]).items():
        sources.add(source)
        if math.isnan(value):
            unknown += number
            continue
        for name in (f"split {split}", f"source {source}"):
            positives[name] += number * int(value)
            known[name] += number
    shares = {split: known[f"split {split}"] for split in SPLITS}
    return {
        "name": column.partition(".")[2],
        "splits": {
            split: {
                "positives": positives[f"split {split}"],
                "share": positives[f"split {split}"] / n if n else None,
                "few": number if (number := patients[column, split]) < FEW_POSITIVES and split in judged else None,
            }
            for split, n in shares.items()
        },
        "sources": {
            source: {"positives": positives[f"source {source}"], "known": known[f"source {source}"]}
            for source in sorted(sources)
        },
        "unknown": unknown,
    }
