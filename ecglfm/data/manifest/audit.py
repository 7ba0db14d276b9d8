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
from ecglfm.records import SPLITS, places
from ecglfm.sources.tables import merge_join

_SEEN = ("train", "valid")  # what pretraining may see
#: Said is who has a larger share of a source's records in a split, and more times as many as patients there on average.
_DOMINANT_SHARE, _DOMINANT_TIMES = 0.2, 5


#: By source and split (or fold): numbers of `records` and `patients`.
_Counts = dict[str, dict[str, dict[str, int]]]


class _Patients(NamedTuple):
    """What the splits and folds of all patients say."""

    overlap: list[str]
    shared: int
    counts: _Counts
    folds: _Counts
    dominant: list[dict[str, Any]]


def _patients(records: TableReader, *, folds: bool) -> _Patients:
    """Patients in more than one split or fold, those that pretraining and tests share, and counts by source."""
    overlap: list[str] = []
    shared, by_split, by_fold = 0, _Tally("split"), _Tally("fold")
    columns = ["patient_id", "source", "split", *(["fold"] if folds else [])]
    people = sorted_pieces(records(columns), "patient_id")
    for (table,) in merge_join([people], "patient_id"):
        rows = table.to_pandas().fillna({"split": "none"})
        by_split.add(rows)
        if folds:
            by_fold.add(rows[rows["fold"].notna()].astype({"fold": int}))
        rows = rows[rows["split"] != "none"].assign(place=places).drop_duplicates(["patient_id", "place"])
        overlap += rows.loc[rows["patient_id"].duplicated(), "patient_id"].unique().tolist()
        shared += _in_both(rows, "patient_id")
    dominant = [one for one in by_split.dominant() if one["split"] in SPLITS]
    return _Patients(overlap, shared, by_split.counts(), by_fold.counts(), dominant)


class _Tally:
    """Records and patients by source and by the values of one column; patients must come whole."""

    def __init__(self, column: str) -> None:
        self._columns = ["source", column]
        self._records, self._patients = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self._most: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, rows: pd.DataFrame) -> None:
        self._records.update(rows[self._columns].itertuples(index=False, name=None))
        people = rows[["patient_id", *self._columns]].drop_duplicates()
        self._patients.update(people[self._columns].itertuples(index=False, name=None))
        sizes = rows.groupby([*self._columns, "patient_id"]).size().rename("number").reset_index()
        many = sizes[sizes["number"] > _DOMINANT_TIMES]  # the mean is one or more
        for source, name, patient, number in many.itertuples(index=False, name=None):
            self._most[source, name] = max(self._most.get((source, name), (0, "")), (int(number), patient))

    def dominant(self) -> list[dict[str, Any]]:
        """Who stands for more than a fifth of the records of a place, and how many those are."""
        found = []
        for place, (number, patient) in sorted(self._most.items()):
            of, patients = self._records[place], self._patients[place]
            if number > max(_DOMINANT_SHARE, _DOMINANT_TIMES / patients) * of:
                source, split = place
                found.append({"source": source, "split": split, "patient": patient, "records": number, "of": of})
        return found

    def counts(self) -> _Counts:
        found: _Counts = {}
        for source, name in sorted(self._records):
            number = {"records": self._records[source, name], "patients": self._patients[source, name]}
            found.setdefault(source, {})[str(name)] = number
        return found


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


def audit(records: TableReader, pairs: list[dict[str, Any]], *, folds: bool = False) -> dict[str, Any]:
    """Content of `audit.json`.

    Parameters
    ----------
    records : TableReader
        `record_id`, `source`, `patient_id` and `split` of `manifest/records.parquet`, sorted by `record_id`.
    pairs : list of {a, b, correlation, crosses}
        As `duplicates.search.duplicate_pairs` finds them.
    folds : bool
        The records have a column `fold`: every fold of a cross-validation is a split of its own, which no other fold
        and no split may share a patient with.

    Returns
    -------
    dict
        `passed`: nothing crosses, and a record is in a split; `empty`: splits without a record, none where folds stand
        for all of them; `patient_overlap`: patients in more than one split; `duplicate_pairs`; `repeated_records`;
        `counts`: records and patients by source and split, `none` for records in no split; `dominant`: patients who
        have more than a fifth of the records of their source in a split; `pretraining`: what
        pretraining may see, the `train` and `valid` records of every source, against every test record. That is
        `records`, `test_records`; `shared_patients` and `shared_records` of the two, and `duplicates`: pairs of
        duplicate recordings that link the two, directly or with others. The last three are 0 when the audit passes.
        `folds`, only where there are any: records and patients by source and fold.
    """
    patients = _patients(records, folds=folds)
    repeated, shared_records = _repeated(records)
    clusters = Clusters(records, pairs)
    linked = [clusters.splits(pair["a"]) for pair in pairs]
    by_split = [(split, number["records"]) for splits in patients.counts.values() for split, number in splits.items()]
    filled = {split for splits in patients.counts.values() for split in splits}
    empty = [] if patients.folds else [split for split in SPLITS if split not in filled]
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
        "dominant": patients.dominant,
        **({"folds": patients.folds} if patients.folds else {}),
    }
