"""What a model must beat: the answer that never looks at a recording, in closed form.

Of classes it says the share of positives in train for every record, and decides alike for every record, as is best for
the metric: a coin that calls half of the records has an F1 that looks like skill until it stands beside that of calling
them all. Of a quantity it says the mean of train; of survival nothing. So its AUROC and C-index are one half by
definition, whatever the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecglfm.evaluation.metrics.outcomes import outcome_class


def constant_probability(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Metrics of saying the training prevalence p of one label for every test record, of which a share s is positive.

    Parameters
    ----------
    train, test : ndarray, shape (records,)
        1, 0, NaN unknown.

    Returns
    -------
    dict
        `auroc` 1/2 and `auprc` s (where both classes are there), `brier` s (1 - p)^2 + (1 - s) p^2. Of decisions that
        are the same for every record the better one: `f1` 2 s / (1 + s) and `ppv` s of calling all positive, `npv`
        1 - s of calling none. `sensitivity` and `specificity`, of which either decision has one perfect, are those of
        the majority's, positive where p is 1/2 or more. Empty where a split has no known label.
    """
    known_train, known = train[~np.isnan(train)], test[~np.isnan(test)]
    if not len(known_train) or not len(known):
        return {}
    p, s = float(known_train.mean()), float(known.mean())
    called = p >= 0.5
    values = {"brier": s * (1 - p) ** 2 + (1 - s) * p**2, "ppv": s, "npv": 1 - s}
    if s > 0:
        values |= {"f1": 2 * s / (1 + s), "sensitivity": float(called)}
    if s < 1:
        values |= {"specificity": float(not called)}
    return values | ({"auroc": 0.5, "auprc": s} if 0 < s < 1 else {})


def constant_quantity(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Metrics of saying the mean of train for every test record; arguments as in `constant_probability`."""
    known_train, known = train[~np.isnan(train)], test[~np.isnan(test)]
    if not len(known_train) or not len(known):
        return {}
    error, spread = known - known_train.mean(), known - known.mean()
    values = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt(np.square(error).mean()))}
    return values | ({"r2": float(1 - np.square(error).sum() / np.square(spread).sum())} if spread.any() else {})


def majority(
    kind: str,
    names: Sequence[str],
    train: np.ndarray,
    test: np.ndarray,
    *,
    over: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Metrics of the constant answer, in the shape of `metrics.json` but for the intervals.

    Parameters
    ----------
    kind : str
        Kind of the task.
    names : sequence of str
        Labels.
    train, test : ndarray, shape (records, labels)
        Truth; where metrics are what they are by definition it is not looked at.
    over : mapping, optional
        Labels that the model's macro value is over, by metric, so that both are over the same; otherwise all.

    Returns
    -------
    dict
        `labels.{name}.{metric}`, and `macro.{metric}`: means over the labels for which each is defined, or over `over`.
    """
    outcome = outcome_class(kind)
    if outcome.by_definition:
        known = dict(outcome.by_definition)
        return {"labels": dict.fromkeys(names, known), "macro": known}
    labels = {name: outcome.constant(*columns) for name, *columns in zip(names, train.T, test.T, strict=True)}
    found: dict[str, list[float]] = {}
    for name, values in labels.items():
        for metric, value in values.items():
            if over is not None and name not in over.get(metric, ()):
                continue
            found.setdefault(metric, []).append(value)
    return {"labels": labels, "macro": {metric: float(np.mean(values)) for metric, values in found.items()}}
