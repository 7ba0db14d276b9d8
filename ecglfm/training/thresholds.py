"""Decision thresholds per label, chosen on the validation split by an exact sweep.

A record is positive where probability >= threshold. Every threshold that gives a different decision is
tried, so nothing depends on a grid; the test split is never seen.
"""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np

logger = logging.getLogger(__name__)

DEFAULT = 0.5
Criterion = Literal["f1", "fbeta", "youden", "sensitivity"]


def best_threshold(
    target: np.ndarray,
    probability: np.ndarray,
    criterion: Criterion,
    *,
    beta: float = 1.0,
    sensitivity: float = 0.9,
) -> float | None:
    """Threshold of one label.

    Parameters
    ----------
    target : ndarray of float, shape (records,)
        1, 0, or NaN where unknown; unknown records do not count.
    probability : ndarray of float, shape (records,)
    criterion : {"f1", "fbeta", "youden", "sensitivity"}
        What is maximised: F1; F-beta = (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP) (van Rijsbergen 1979);
        Youden's J = sensitivity + specificity - 1 (Youden 1950, Cancer 3:32-35); or, with "sensitivity", the
        threshold itself among those that reach `sensitivity`.
    beta : float
        "fbeta" only: how many times as much recall counts as precision.
    sensitivity : float
        "sensitivity" only: share of the positives that must be called, above 0 and up to 1.

    Returns
    -------
    float or None
        Half-way between the smallest probability called positive and the largest called negative, so that
        rounding cannot flip a decision; of equally good thresholds the one that calls the fewest positive.
        None where the known records have only one class.
    """
    known = ~np.isnan(target)
    positive = target[known] > 0.5
    probability = probability[known].astype(np.float64)
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-probability, kind="stable")
    probability, positive = probability[order], positive[order]
    # A cut is possible only where the probability changes: tied records go together.
    last = np.append(np.flatnonzero(np.diff(probability)), len(probability) - 1)
    true_positives = np.cumsum(positive)[last]
    called = last + 1
    positives, negatives = positive.sum(), (~positive).sum()
    if criterion == "youden":
        score = true_positives / positives - (called - true_positives) / negatives
    elif criterion == "sensitivity":
        score = (true_positives / positives >= sensitivity - 1e-12).astype(np.float64)  # 9 / 10 reaches 0.9
    else:
        squared = beta**2 if criterion == "fbeta" else 1.0
        score = (1 + squared) * true_positives / (called + squared * positives)
    # Equal scores may differ in the last bit; the first of them calls the fewest positive.
    cut = last[np.flatnonzero(score >= score.max() - 1e-12)[0]]
    below = probability[cut + 1] if cut + 1 < len(probability) else 0.0
    return float((probability[cut] + below) / 2)


def choose_thresholds(
    target: np.ndarray,
    probability: np.ndarray,
    label_names: list[str],
    criterion: Criterion,
    *,
    beta: float = 1.0,
    sensitivity: float = 0.9,
) -> list[float]:
    """Threshold of every label; 0.5, with a warning, where the validation split has only one class.

    Parameters
    ----------
    target, probability : ndarray, shape (records, labels)
        Of the validation split.
    label_names : list of str
    criterion, beta, sensitivity
        See `best_threshold`.
    """
    thresholds = []
    for column, name in enumerate(label_names):
        threshold = best_threshold(
            target[:, column], probability[:, column], criterion, beta=beta, sensitivity=sensitivity
        )
        if threshold is None:
            logger.warning("label %s: the validation split has only one class; its threshold is %g", name, DEFAULT)
        thresholds.append(DEFAULT if threshold is None else threshold)
    return thresholds
