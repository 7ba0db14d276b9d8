"""The audit of the splits: no patient, no record and no recording may stand on both sides.

A recording can be in a database twice under two names, or in two databases, so signals are compared
as well (`duplicates`). Splits are those of the whole project, whatever a task or an encoder takes of them: what
holds between all training and all test records holds for every encoder's pretraining and every task.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from ecglfm.data.manifest.duplicates import Clusters
from ecglfm.data.tables import TableReader, sorted_pieces
from ecglfm.records import SPLITS
from ecglfm.sources.reorder import merge_join

_SEEN = ("train", "valid")  # what pretraining may see


class _Patients(NamedTuple):
    """What the splits of all patients say."""

    overlap: list[str]
    shared: int
    counts: dict[str, dict[str, dict[str, int]]]


def _patients(records: TableReader) -> _Patients:
    """Patients in more than one split, those that pretraining and tests share, and counts by source and split."""
    overlap: list[str] = []
    shared, n_records, n_patients = 0, Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    people = sorted_pieces(records(["patient_id", "source", "split"]), "patient_id")
    for (table,) in merge_join([people], "patient_id"):
        rows = table.to_pandas().fillna({"split": "none"})
        n_records.update(zip(rows["source"], rows["split"], strict=True))
        rows = rows.drop_duplicates()
        n_patients.update(zip(rows["source"], rows["split"], strict=True))
        rows = rows[rows["split"] != "none"].drop_duplicates(["patient_id", "split"])
        overlap += rows.loc[rows["patient_id"].duplicated(), "patient_id"].unique().tolist()
        shared += _in_both(rows, "patient_id")
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for source, split in sorted(n_records):
        number = {"records": n_records[source, split], "patients": n_patients[source, split]}
        counts.setdefault(source, {})[split] = number
    return _Patients(overlap, shared, counts)


def _in_both(rows: pd.DataFrame, name: str) -> int:
    """How many of a column's values have rows that pretraining may see, and rows in `test`."""
    return len(set(rows.loc[rows["split"].isin(_SEEN), name]) & set(rows.loc[rows["split"] == "test", name]))


def _repeated(records: TableReader) -> tuple[list[str], int]:
    """Record ids that stand twice, and how many of them pretraining and tests share."""
    repeated: list[str] = []
    shared = 0
    tables = (pa.Table.from_pandas(piece, preserve_index=False) for piece in records(["record_id", "split"]))
    for (table,) in merge_join([tables], "record_id"):
        rows = table.to_pandas()
        rows = rows[rows["record_id"].duplicated(keep=False)]
        repeated += rows["record_id"].unique().tolist()
        shared += _in_both(rows, "record_id")
    return repeated, shared


def audit(records: TableReader, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Content of `audit.json`.

    Parameters
    ----------
    records : TableReader
        `record_id`, `source`, `patient_id` and `split` of `manifest/records.parquet`, sorted by `record_id`.
    pairs : list of {a, b, correlation, crosses}
        As `duplicates.search.duplicate_pairs` finds them.

    Returns
    -------
    dict
        `passed`: nothing crosses splits, and a record is in one; `empty`: splits without a record;
        `patient_overlap`: patients in more than one split; `duplicate_pairs`; `repeated_records`;
        `counts`: records and patients by source and split, `none` for records in no split; `pretraining`: what
        pretraining may see, the `train` and `valid` records of every source, against every test record. That is
        `records`, `test_records`; `shared_patients` and `shared_records` of the two, and `duplicates`: pairs of
        duplicate recordings that link the two, directly or with others. The last three are 0 when the audit passes.
    """
    patients = _patients(records)
    repeated, shared_records = _repeated(records)
    clusters = Clusters(records, pairs)
    linked = [clusters.splits(pair["a"]) for pair in pairs]
    by_split = [(split, number["records"]) for splits in patients.counts.values() for split, number in splits.items()]
    empty = [split for split in SPLITS if not any(split in splits for splits in patients.counts.values())]
    leaks = bool(patients.overlap or repeated) or any(pair["crosses"] for pair in pairs)
    return {
        "passed": not leaks and len(empty) < len(SPLITS),
        "empty": empty,
        "patient_overlap": patients.overlap,
        "duplicate_pairs": pairs,
        "repeated_records": repeated,
        "pretraining": {
            "records": sum(number for split, number in by_split if split in _SEEN),
            "test_records": sum(number for split, number in by_split if split == "test"),
            "shared_patients": patients.shared,
            "shared_records": shared_records,
            "duplicates": sum("test" in splits and not splits.isdisjoint(_SEEN) for splits in linked),
        },
        "counts": patients.counts,
    }
