"""Metrics by fold of a cross-validation, whose pooled predictions are of as many models as there are folds.

Pooled, a positive that one model scored is compared with negatives of all of them, whose scores are not on one scale:
each has its own prevalence, epoch and calibration. So what depends on the order of records errs low (Forman & Scholz
2010, doi:10.1145/1882471.1882479; Airola et al. 2011, doi:10.1016/j.csda.2010.11.018). Within a fold one model is
compared with itself, among few patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecglfm.evaluation.metrics.bootstrap import DIGITS
from ecglfm.evaluation.metrics.outcomes import Outcome


def fold_means(data: Outcome, fold: np.ndarray, macro: dict[str, Any]) -> dict[str, Any]:
    """Each metric in every fold, and the mean over the folds where it is defined.

    Calibration errors are left out: what chance adds to them is the larger the fewer the records.

    Parameters
    ----------
    data : Outcome
        The pooled test records.
    fold : ndarray of int, shape (n,)
        Fold of each.
    macro : dict
        Section `macro` of `metrics.json`, for the labels that each of its values is over.

    Returns
    -------
    dict
        `labels.{name}.{metric}`, `micro.{metric}` and `overall.{metric}` where the kind of task has them:
        `{mean, folds, values}`, over how many folds and the value in each; `macro.{metric}`: `{mean, folds}`, the mean
        over its labels' and the fewest folds that any of them has. A mean is None where no fold has a value.
    """
    in_fold_nk = (fold[:, None] == np.unique(fold)).astype(np.float64)  # records of other folds weigh nothing
    labels = {}
    for label, name in enumerate(data.names):
        errors = data.gaps(label, in_fold_nk)
        found = data.values(label, in_fold_nk)
        labels[name] = {metric: _mean(found[metric]) for metric in data.metrics if metric not in errors}
    errors = data.gaps(None, in_fold_nk)
    pooled = {
        section: {metric: _mean(values) for metric, values in found.items() if metric not in errors}
        for section, found in data.pooled(in_fold_nk).items()
    }
    means = {
        metric: _macro([labels[name][metric] for name in entry["labels"]])
        for metric, entry in macro.items()
        if all(metric in labels[name] for name in entry["labels"])
    }
    return {"labels": labels, "macro": means, **pooled}


def _mean(values_k: np.ndarray) -> dict[str, Any]:
    """Entry of a metric with these values in the folds, NaN where undefined."""
    rounded = [None if np.isnan(value) else round(float(value), DIGITS) for value in values_k]
    defined = values_k[~np.isnan(values_k)]
    mean = round(float(defined.mean()), DIGITS) if len(defined) else None
    return {"mean": mean, "folds": len(defined), "values": rounded}


def _macro(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Entry of the mean over labels; one that no fold has is left out."""
    defined = [entry for entry in entries if entry["folds"]]
    if not defined:
        return {"mean": None, "folds": 0}
    mean = float(np.mean([entry["mean"] for entry in defined]))
    return {"mean": round(mean, DIGITS), "folds": min(entry["folds"] for entry in defined)}
