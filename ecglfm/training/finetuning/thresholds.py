"""Decision thresholds per label, chosen on the validation split by an exact sweep.

A record is positive where probability >= threshold. Every threshold that gives a different decision is
tried, so nothing depends on a grid; the test split is never seen.

A few positives say little of where the others lie, and a sweep believes each of them: with one it finds a threshold
just below it, whatever the prevalence. So below `finetune.threshold_min_positives` positive patients each positive
stands for a normal distribution of log odds around it, as wide as those of the negatives and narrower the more
positives there are (as m^(-1/5), Silverman 1986), and the sweep counts the positives expected above a threshold.
`docs/evaluation.md` has what either reaches.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import logit, ndtr

logger = logging.getLogger(__name__)

DEFAULT = 0.5
ThresholdCriterion = Literal["f1", "fbeta", "youden", "sensitivity"]
#: Resamples of validation patients behind a threshold's interval, and its coverage.
RESAMPLES = 200
CONFIDENCE = 0.95
_CLOSEST = 1e-9  # probabilities are kept so far from 0 and 1


@dataclass(frozen=True)
class Rule:
    """What a threshold is chosen by.

    Attributes
    ----------
    criterion : {"f1", "fbeta", "youden", "sensitivity"}
        What is maximised: F1; F-beta = (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP) (van Rijsbergen 1979);
        Youden's J = sensitivity + specificity - 1 (Youden 1950, Cancer 3:32-35); or, with "sensitivity", the
        threshold itself among those that reach `sensitivity`.
    beta : float
        "fbeta" only: how many times as much recall counts as precision.
    sensitivity : float
        "sensitivity" only: share of the positives that must be called, above 0 and up to 1.
    min_positives : int
        Positive patients below which positives are smoothed.
    """

    criterion: ThresholdCriterion
    beta: float = 1.0
    sensitivity: float = 0.9
    min_positives: int = 20

    def score(self, called_positive: np.ndarray, called: np.ndarray, positives: int, negatives: int) -> np.ndarray:
        """Value of cuts that call so many records, so many of them positive."""
        if self.criterion == "youden":
            return called_positive / positives - (called - called_positive) / negatives
        if self.criterion == "sensitivity":
            return (called_positive / positives >= self.sensitivity - 1e-12).astype(np.float64)  # 9 / 10 reaches 0.9
        squared = self.beta**2 if self.criterion == "fbeta" else 1.0
        return (1 + squared) * called_positive / (called + squared * positives)


@dataclass(frozen=True)
class Threshold:
    """A label's threshold and what it stands on.

    Attributes
    ----------
    value : float
    ci_low, ci_high : float or None
        Interval from resampling validation patients; None where most resamples have one class.
    positives : int
        Validation patients who have the label.
    rule : {"sweep", "smoothed", "default"}
        "default" where the validation split has only one class.
    """

    value: float
    ci_low: float | None
    ci_high: float | None
    positives: int
    rule: Literal["sweep", "smoothed", "default"]

    def describe(self) -> dict[str, Any]:
        """For `model.json`."""
        return asdict(self)


def best_threshold(target: np.ndarray, probability: np.ndarray, rule: Rule, *, width: float = 0.0) -> float | None:
    """Threshold of one label.

    Parameters
    ----------
    target : ndarray of float, shape (records,)
        1, 0, or NaN where unknown; unknown records do not count.
    probability : ndarray of float, shape (records,)
    rule : Rule
        Its `min_positives` is not asked here.
    width : float
        Standard deviation for which each positive stands, log odds; 0: itself.

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
    cuts = (probability[last] + np.append(probability[last[:-1] + 1], 0.0)) / 2
    true_positives = np.cumsum(positive)[last].astype(np.float64)
    called = (last + 1).astype(np.float64)
    if width > 0:
        above = _log_odds(probability[positive])[:, None] - _log_odds(cuts)
        expected = ndtr(above / width).sum(axis=0)
        called += expected - true_positives
        true_positives = expected
    score = rule.score(true_positives, called, int(positive.sum()), int((~positive).sum()))
    # Equal scores may differ in the last bit; the first of them calls the fewest positive. A smoothed sensitivity may
    # be reached by none: then all are called.
    reached = rule.criterion != "sensitivity" or bool(score.any())
    return float(cuts[np.flatnonzero(score >= score.max() - 1e-12)[0] if reached else -1])


def _log_odds(probability: np.ndarray) -> np.ndarray:
    return logit(np.clip(probability, _CLOSEST, 1 - _CLOSEST))


def _width(target: np.ndarray, probability: np.ndarray, positives: int) -> float:
    """Standard deviation for which each of so many positive patients stands, log odds."""
    return float(np.std(_log_odds(probability[target == 0])) * positives**-0.2)


def choose_threshold(
    target: np.ndarray, probability: np.ndarray, patients: np.ndarray, rule: Rule, *, resamples: int = RESAMPLES
) -> Threshold:
    """Threshold of one label, by a sweep or smoothed, with its interval.

    Parameters
    ----------
    target, probability : ndarray, shape (records,)
        Of the validation split, as `best_threshold` takes them.
    patients : ndarray, shape (records,)
        Patient of each record.
    rule : Rule
    resamples : int
        Of patients, drawn from one seed; 0: no interval.
    """
    known = ~np.isnan(target)
    target, probability = target[known], probability[known].astype(np.float64)
    names, patient_of = np.unique(patients[known].astype(str), return_inverse=True)
    positives = len(np.unique(patient_of[target > 0.5]))
    smooth = positives < rule.min_positives

    def chosen(rows: np.ndarray) -> float | None:
        has = len(np.unique(patient_of[rows][target[rows] > 0.5])) if smooth else 0
        width = _width(target[rows], probability[rows], has) if has and (target[rows] == 0).any() else 0.0
        return best_threshold(target[rows], probability[rows], rule, width=width)

    value = chosen(np.arange(len(target)))
    if value is None:
        return Threshold(DEFAULT, None, None, positives, "default")
    rng, found = np.random.default_rng(0), list[float]()
    for _ in range(resamples):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        drawn = chosen(np.repeat(np.arange(len(target)), times[patient_of]))
        found += [] if drawn is None else [drawn]
    low, high = None, None
    if found and 2 * len(found) >= resamples:
        low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return Threshold(value, low, high, positives, "smoothed" if smooth else "sweep")


def choose_thresholds(
    target: np.ndarray, probability: np.ndarray, patients: np.ndarray, label_names: list[str], rule: Rule
) -> dict[str, Threshold]:
    """Threshold of every label; 0.5, with a warning, where the validation split has only one class.

    Parameters
    ----------
    target, probability : ndarray, shape (records, labels)
        Of the validation split.
    patients : ndarray, shape (records,)
        Patient of each record.
    label_names : list of str
    rule : Rule
    """
    thresholds = {}
    for column, name in enumerate(label_names):
        threshold = choose_threshold(target[:, column], probability[:, column], patients, rule)
        if threshold.rule == "default":
            logger.warning("label %s: the validation split has only one class; its threshold is %g", name, DEFAULT)
        thresholds[name] = threshold
    return thresholds
