"""Patients whom duplicate recordings link are one person, or cannot be told apart: one split for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecglfm.records import LEDGER_COLUMNS, SPLITS, ledger_frame

#: Where a cluster goes: to the first of these that one of its records is in. Training gives way, so that the test set
#: keeps every record that its database put there, and stays comparable with what others report on it.
_ORDER = ("test", "valid", "train")


def _clusters(records: pd.DataFrame, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cluster of every record: connected patients, where rows `a` and `b` are duplicates."""
    patients, unique = pd.factorize(records["patient_id"])
    n = len(unique)
    links = coo_array((np.ones(len(a)), (patients[a], patients[b])), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1])[patients]


def rows_of(records: pd.DataFrame, pairs: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the two ends of each pair; of an id that stands twice, the first."""
    wanted = {pair[end] for pair in pairs for end in ("a", "b")}
    rows = np.flatnonzero(records["record_id"].isin(wanted))[::-1]  # the first one is set last
    row_of = dict(zip(records["record_id"].iloc[rows], rows.tolist(), strict=True))
    a, b = (np.array([row_of[pair[end]] for pair in pairs], np.int64) for end in ("a", "b"))
    return a, b


def crossing_clusters(records: pd.DataFrame, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of records, and which of them have records in more than one split.

    A chain counts: where a recording in no split links one in training with one in test, the two are one
    person's, though they may have too little in common to be found as a pair.

    Parameters
    ----------
    records : DataFrame
        `patient_id`, `split`.
    a, b : ndarray of int, shape (n_pairs,)
        Rows that are duplicates of each other.

    Returns
    -------
    cluster : ndarray of int, shape (n_records,)
        Patients that pairs connect, directly or through others, have one number.
    crosses : ndarray of bool, shape (n_records,)
        Whether the record's cluster holds a pair, and records in more than one split.
    """
    cluster = _clusters(records, a, b)
    known = records["split"].isin(SPLITS).to_numpy(bool)
    n_splits = records["split"][known].groupby(cluster[known]).nunique()
    torn = n_splits.index[n_splits > 1].to_numpy()
    return cluster, np.isin(cluster, torn) & np.isin(cluster, cluster[a])


def move_clusters(
    records: pd.DataFrame, pairs: list[dict[str, Any]]
) -> tuple[pd.DataFrame, list[dict[str, Any]], pd.DataFrame]:
    """Bring the patients of every crossing cluster of duplicates into one split.

    A cluster is all patients that pairs of duplicates connect, directly or through others. It goes to `test` if
    one of its records is there, else to `valid`. Records in no split stay in none.

    Parameters
    ----------
    records : DataFrame
        `record_id`, `source`, `patient_id`, `split`.
    pairs : list of {a, b, correlation, crosses}
        Of record ids, as `search.duplicate_pairs` finds them.

    Returns
    -------
    records : DataFrame
        With the new splits.
    pairs : list of {a, b, correlation, crosses}
        None of them crosses.
    ledger : DataFrame
        A row `moved` per record whose split changed, naming a duplicate of it or of its patient's.
    """
    a, b = rows_of(records, pairs)
    cluster, crosses = crossing_clusters(records, a, b)
    old = records["split"].astype(object).to_numpy()
    rank = np.array([_ORDER.index(split) if split in _ORDER else len(_ORDER) for split in old])
    touched = crosses & (rank < len(_ORDER))
    first = pd.Series(rank[touched]).groupby(cluster[touched]).transform("min").to_numpy(np.int64)
    new = old.copy()
    new[touched] = np.array(_ORDER, object)[first]
    moved = np.flatnonzero(touched & (new != old))

    partners: dict[str, tuple[str, str, float]] = {}  # of a record, and of its patient, for the ledger
    for one, other, pair in zip([*a, *b], [*b, *a], [*pairs, *pairs], strict=True):
        ids = records["record_id"].iloc[one], records["record_id"].iloc[other]
        for who in (ids[0], f"patient {records['patient_id'].iloc[one]}"):
            partners.setdefault(who, (*ids, float(pair["correlation"])))
    rows = []
    for row in moved:
        record, patient = records["record_id"].iloc[row], records["patient_id"].iloc[row]
        copy, partner, value = partners[record] if record in partners else partners[f"patient {patient}"]
        whose = "" if copy == record else f"its patient's {copy} is a "
        rows.append(
            {"source": records["source"].iloc[row], "record_id": record, "stage": "manifest", "action": "moved",
             "reason": "duplicate_of",
             "detail": f"from {old[row]} to {new[row]}: {whose}duplicate of {partner}, correlation {value:.4f}"}
        )  # fmt: skip
    ledger = ledger_frame(rows)[list(LEDGER_COLUMNS)]
    return (
        records.assign(split=pd.Series(new, index=records.index).astype("str")),
        [pair | {"crosses": False} for pair in pairs],
        ledger,
    )
