"""The audit of the splits: no patient, no record and no recording may stand on both sides.

A recording can be in a database twice under two names, or in two databases, so signals are compared
as well (`duplicates`). Splits are those of the whole project, whatever a task or an encoder takes of them: what
holds between all training and all test records holds for every encoder's pretraining and every task.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ecglfm.data.duplicates.clusters import crossing_clusters, rows_of
from ecglfm.data.pieces import hashes


def patient_overlap(records: pd.DataFrame) -> list[str]:
    """Patients with records in more than one split, sorted; records in no split do not count."""
    n_splits = records.dropna(subset=["split"]).groupby("patient_id")["split"].nunique()
    return sorted(n_splits[n_splits > 1].index)


def counts(records: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Records and patients by source and split; `none` stands for records in no split."""
    splits = records["split"].astype(object).where(records["split"].notna(), "none")
    result: dict[str, dict[str, dict[str, int]]] = {}
    for (source, split), patients in records.groupby(["source", splits])["patient_id"]:
        result.setdefault(str(source), {})[str(split)] = {"records": len(patients), "patients": patients.nunique()}
    return result


def pretraining_against_tests(records: pd.DataFrame, pairs: list[dict[str, Any]]) -> dict[str, int]:
    """What pretraining may see, the `train` and `valid` records of every source, against every test record.

    Returns
    -------
    dict
        `records`, `test_records`; `shared_patients` and `shared_records` of the two, and `duplicates`: pairs of
        duplicate recordings that link the two, directly or with others. The last three are 0 when the audit passes.
    """
    seen, test = records["split"].isin(["train", "valid"]).to_numpy(bool), (records["split"] == "test").to_numpy(bool)
    a, b = rows_of(records, pairs)
    cluster, crosses = crossing_clusters(records, a, b)
    linked = crosses & np.isin(cluster, cluster[seen]) & np.isin(cluster, cluster[test])
    return {
        "records": int(seen.sum()),
        "test_records": int(test.sum()),
        "shared_patients": _in_both(records["patient_id"], seen, test),
        "shared_records": _in_both(records["record_id"], seen, test),
        "duplicates": int(linked[a].sum()),
    }


def _in_both(names: pd.Series, some: np.ndarray, others: np.ndarray) -> int:
    """How many names stand in both parts of a column."""
    known = hashes(names)
    return len(np.intersect1d(known[some], known[others]))


def audit(records: pd.DataFrame, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Content of `audit.json`.

    Parameters
    ----------
    records : DataFrame
        `record_id`, `source`, `patient_id` and `split` of `manifest/records.parquet`.
    pairs : list of {a, b, correlation, crosses}
        As `duplicates.search.duplicate_pairs` finds them.

    Returns
    -------
    dict
        `passed`, `patient_overlap`, `duplicate_pairs`, `repeated_records`, `pretraining`, `counts`.
    """
    overlap = patient_overlap(records)
    known, counted = np.unique(hashes(records["record_id"]), return_counts=True)
    twice = known[counted > 1]
    repeated = sorted(set(records.loc[np.isin(hashes(records["record_id"]), twice), "record_id"])) if len(twice) else []
    return {
        "passed": not overlap and not repeated and not any(pair["crosses"] for pair in pairs),
        "patient_overlap": overlap,
        "duplicate_pairs": pairs,
        "repeated_records": repeated,
        "pretraining": pretraining_against_tests(records, pairs),
        "counts": counts(records),
    }
