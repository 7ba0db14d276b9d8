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

from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import outcome_class


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
    metrics = outcome_class(kind).declared
    if not any(metric.constant for metric in metrics):
        known = {metric.name: metric.chance for metric in metrics if metric.chance is not None}
        return {"labels": dict.fromkeys(names, known), "macro": known}
    labels = {name: _constants(metrics, *columns) for name, *columns in zip(names, train.T, test.T, strict=True)}
    found: dict[str, list[float]] = {}
    for name, values in labels.items():
        for metric, value in values.items():
            if over is not None and name not in over.get(metric, ()):
                continue
            found.setdefault(metric, []).append(value)
    return {"labels": labels, "macro": {metric: float(np.mean(values)) for metric, values in found.items()}}


def _constants(metrics: Sequence[Metric], train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Metrics of the constant answer to one label, NaN in the truths unknown; none where a split has no known one."""
    train, test = train[~np.isnan(train)], test[~np.isnan(test)]
    if not len(train) or not len(test):
        return {}
    values = {metric.name: metric.constant(train, test) for metric in metrics if metric.constant}
    return {name: value for name, value in values.items() if not np.isnan(value)}
