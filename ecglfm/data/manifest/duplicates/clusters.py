"""Patients whom duplicate recordings link are one person, or cannot be told apart: one split for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecglfm.data.tables import TableReader
from ecglfm.records import LEDGER_COLUMNS, ledger_frame

#: Where a cluster goes: to the first of these that one of its records is in. Training gives way, so that the test set
#: keeps every record that its database put there, and stays comparable with what others report on it.
_ORDER = ("test", "valid", "train")


class Clusters:
    """Patients whom pairs of duplicates connect, directly or through others, and the splits that their records are in.

    A chain counts: where a recording in no split links one in training with one in test, the two are one
    person's, though they may have too little in common to be found as a pair.

    Parameters
    ----------
    records : TableReader
        `record_id`, `patient_id`, `split`. Of them, only the patients of the pairs are held.
    pairs : sequence of {a, b}
        Ids of records that are duplicates of each other.

    Attributes
    ----------
    patient_of : dict
        Patient of each record in a pair.
    numbers : dict
        Number of the cluster of each of these patients, the same for those whom duplicates connect.
    """

    def __init__(self, records: TableReader, pairs: Sequence[dict[str, Any]]) -> None:
        self.patient_of: dict[str, str] = {}
        wanted = {pair[end] for pair in pairs for end in ("a", "b")}
        for piece in records(["record_id", "patient_id"]) if wanted else ():
            for record, patient in piece[piece["record_id"].isin(wanted)].itertuples(index=False):
                self.patient_of.setdefault(record, patient)
        patients = sorted(set(self.patient_of.values()))
        number = {patient: k for k, patient in enumerate(patients)}
        a, b = ([number[self.patient_of[pair[end]]] for pair in pairs] for end in ("a", "b"))
        links = coo_array((np.ones(len(a)), (a, b)), shape=(len(patients),) * 2)
        self.numbers = dict(zip(patients, connected_components(links, directed=False)[1].tolist(), strict=True))
        self._splits: dict[int, set[str]] = defaultdict(set)
        for piece in records(["patient_id", "split"]) if wanted else ():
            mine = piece[piece["patient_id"].isin(patients) & piece["split"].notna()]
            for patient, split in mine.drop_duplicates().itertuples(index=False):
                self._splits[self.numbers[patient]].add(split)

    def of_patient(self, patient: str) -> int:
        """Number of a patient's cluster, the same for those whom duplicates connect; -1 where none does."""
        return self.numbers.get(patient, -1)

    def splits(self, record: str) -> set[str]:
        """Splits of the cluster of a record that is in a pair."""
        return self._splits[self.numbers[self.patient_of[record]]]

    def targets(self) -> dict[str, str]:
        """The one split for each patient of a cluster that is in more than one: the first of test, valid, train."""
        return {
            patient: next(split for split in _ORDER if split in self._splits[cluster])
            for patient, cluster in self.numbers.items()
            if len(self._splits[cluster]) > 1
        }


def moved(pieces: TableReader, targets: dict[str, str]) -> TableReader:
    """Records with the new splits of some patients; records in no split stay in none."""

    def with_splits(columns: list[str]) -> Iterator[pd.DataFrame]:
        for piece in pieces(list(dict.fromkeys([*columns, "patient_id", "split"]))):
            target = piece["patient_id"].map(targets).astype("str")
            yield piece.assign(split=piece["split"].mask(target.notna() & piece["split"].notna(), target))[columns]

    return with_splits if targets else pieces


def move_clusters(
    records: TableReader, pairs: list[dict[str, Any]]
) -> tuple[dict[str, str], list[dict[str, Any]], pd.DataFrame]:
    """Bring the patients of every crossing cluster of duplicates into one split.

    A cluster is all patients that pairs of duplicates connect, directly or through others. It goes to `test` if
    one of its records is there, else to `valid`. Records in no split stay in none.

    Parameters
    ----------
    records : TableReader
        `record_id`, `source`, `patient_id`, `split`.
    pairs : list of {a, b, correlation, crosses}
        Of record ids, as `search.duplicate_pairs` finds them.

    Returns
    -------
    targets : dict
        New split of each patient of such a cluster, for `moved`.
    pairs : list of {a, b, correlation, crosses}
        None of them crosses.
    ledger : DataFrame
        A row `moved` per record whose split changed, naming a duplicate of it or of its patient's.
    """
    clusters = Clusters(records, pairs)
    targets = clusters.targets()
    partners: dict[str, tuple[str, str, float]] = {}  # of a record, and of its patient, for the ledger
    for one, other in (("a", "b"), ("b", "a")):
        for pair in pairs:
            for who in (pair[one], f"patient {clusters.patient_of[pair[one]]}"):
                partners.setdefault(who, (pair[one], pair[other], float(pair["correlation"])))
    rows = []
    for piece in records(["source", "record_id", "patient_id", "split"]):
        touched = piece[piece["patient_id"].isin(targets) & piece["split"].notna()]
        for source, record, patient, old in touched.itertuples(index=False):
            new = targets[patient]
            if new == old:
                continue
            copy, partner, value = partners[record] if record in partners else partners[f"patient {patient}"]
            whose = "" if copy == record else f"its patient's {copy} is a "
            rows.append(
                {"source": source, "record_id": record, "stage": "manifest", "action": "moved",
                 "reason": "duplicate_of",
                 "detail": f"from {old} to {new}: {whose}duplicate of {partner}, correlation {value:.4f}"}
            )  # fmt: skip
    return targets, [pair | {"crosses": False} for pair in pairs], ledger_frame(rows)[list(LEDGER_COLUMNS)]
