"""What a model reaches that sees the confounders only: no ECG, just which device, site and year it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.evaluation.metrics import auroc_influence

_UNKNOWN = "unknown"


def columns_of(variables: Mapping[str, Variable], records: pd.Index, train: np.ndarray) -> np.ndarray:
    """Variables as numbers: a column for each class that training records have, quantities standardized by these.

    Parameters
    ----------
    variables : mapping of str to Variable
    records : Index
        `record_id` of n records.
    train : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray, shape (n, columns)
        What is unknown has a column of its own; a quantity is then as its mean.
    """
    parts = []
    for variable in variables.values():
        values = variable.values.reindex(records)
        if variable.is_quantity:
            numbers = values.to_numpy(np.float64)
            own = numbers[train & ~np.isnan(numbers)]
            if not len(own):
                continue
            spread = float(own.std()) or 1.0
            parts += [np.nan_to_num((numbers - own.mean()) / spread), np.isnan(numbers).astype(np.float64)]
        else:
            texts = values.where(values.notna(), _UNKNOWN).to_numpy(dtype=str)
            parts += [(texts == name).astype(np.float64) for name in np.unique(texts[train])]
    return np.stack(parts, axis=1) if parts else np.zeros((len(records), 0))


def partitions(labels: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Training, validation and test rows: of the splits, or of each model of a cross-validation, bool (n,)."""
    split = labels["split"].to_numpy(dtype=str)
    if "fold" not in labels:
        yield split == "train", split == "valid", split == "test"
        return
    fold = labels["fold"].astype("Int64").fillna(-1).to_numpy()
    count = int(fold.max()) + 1
    for own in range(count):
        chosen_by = (fold == (own + 1) % count) | ((fold < 0) & (split == "valid"))
        yield ((fold >= 0) | (split == "train")) & (fold != own) & ~chosen_by, chosen_by, fold == own


def fit_alone(
    variables: Mapping[str, Variable], labels: pd.DataFrame, label: str, *, seed: int
) -> tuple[pd.Series, dict[str, Any]]:
    """Scores of the test records by models that are told the variables only.

    Logistic regressions with three strengths of ridge and gradient boosting are fitted to the training records; the one
    with the highest AUROC on the validation records says the test records.

    Parameters
    ----------
    variables : mapping of str to Variable
    labels : DataFrame
        `labels/{task}.parquet`.
    label : str
        Column of it, of 1, 0 and NaN.
    seed : int

    Returns
    -------
    Series
        By `record_id`.
    dict
        `chosen`: which, one for each fold of a cross-validation; or `reason`.
    """
    records, truth = pd.Index(labels["record_id"]), labels[label].to_numpy(np.float64)
    scores, chosen = [], []
    for train, valid, test in partitions(labels):
        learnt, judged = train & ~np.isnan(truth), valid & ~np.isnan(truth)
        if len(np.unique(truth[learnt])) < 2:
            return pd.Series(dtype=float), {"reason": "the training records have one class only"}
        x = columns_of(variables, records, train)
        if not x.shape[1]:
            return pd.Series(dtype=float), {"reason": "no variable is known of the training records"}
        best = (-1.0, "", np.zeros(0))
        for name, model in _candidates(seed).items():
            model.fit(x[learnt], truth[learnt])
            area = auroc_influence(truth[judged], model.predict_proba(x[judged])[:, 1])[0] if judged.any() else np.nan
            if np.nan_to_num(area, nan=0.5) > best[0]:  # of equally good ones, or without both classes, the first
                best = (float(np.nan_to_num(area, nan=0.5)), name, model.predict_proba(x[test])[:, 1])
        chosen.append(best[1])
        scores.append(pd.Series(best[2], index=records[test]))
    return pd.concat(scores), {"chosen": chosen}


def _candidates(seed: int) -> dict[str, Any]:
    """Models by what they are called, the simplest first."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    lines = {f"logistic regression, C {c:g}": LogisticRegression(C=c, max_iter=1000) for c in (0.01, 0.1, 1.0)}
    boosted = HistGradientBoostingClassifier(max_iter=50, max_depth=3, early_stopping=False, random_state=seed % 2**32)
    return {**lines, "gradient boosting": boosted}
