"""What prediction sets are worth on the test split: whether they keep their promise, and how much they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from ecglfm.models.conformal import ABSENT, EITHER, NEITHER, PRESENT, TOO_FEW


def set_metrics(table: pd.DataFrame, names: list[str], coverage: float, confidence: float) -> dict[str, Any]:
    """Realised coverage and sizes of the sets of the test records.

    Parameters
    ----------
    table : DataFrame
        `predictions.parquet`, with `set.{label}`.
    names : list of str
        Labels.
    coverage : float
        The promise.
    confidence : float
        Of the intervals of the coverage.

    Returns
    -------
    dict
        `coverage`, the promise; by label `present` and `absent`, of the patients with and without it: `coverage` (each
        patient counts once, spread over their records, as in the promise), `ci_low`, `ci_high` (Clopper and Pearson
        1934, of so many patients) and `patients`; and `sets`, the share of records with each set. A label with too few
        validation patients has `reason` instead.
    """
    test = table[table["split"] == "test"]
    patients = test["patient_id"].to_numpy(dtype=str)
    labels: dict[str, Any] = {}
    for name in names:
        sets, truth = test[f"set.{name}"].to_numpy(dtype=str), test[f"target.{name}"].to_numpy(dtype=np.float64)
        if len(sets) and (sets == TOO_FEW).all():
            labels[name] = {"reason": "too few patients in the validation split"}
            continue
        labels[name] = {
            side: _kept(np.isin(sets[truth == value], [side, EITHER]), patients[truth == value], confidence)
            for side, value in ((PRESENT, 1), (ABSENT, 0))
        } | {"sets": {one: float((sets == one).mean()) for one in (PRESENT, ABSENT, EITHER, NEITHER)}}
    return {"coverage": coverage, "labels": labels}


def _kept(covered: np.ndarray, patients: np.ndarray, confidence: float) -> dict[str, Any]:
    """Share of patients whose sets hold the truth, with its interval; without values where there is no patient."""
    names, patient_of = np.unique(patients, return_inverse=True)
    n = len(names)
    if not n:
        return {"coverage": None, "ci_low": None, "ci_high": None, "patients": 0}
    share = np.bincount(patient_of, covered) / np.bincount(patient_of)
    hits, tail = float(share.sum()), (1 - confidence) / 2
    low = beta.ppf(tail, hits, n - hits + 1) if hits > 0 else 0.0
    high = beta.ppf(1 - tail, hits + 1, n - hits) if hits < n else 1.0
    return {"coverage": hits / n, "ci_low": float(low), "ci_high": float(high), "patients": n}
