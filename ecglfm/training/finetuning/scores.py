"""Scores by which a fit is followed and its best epoch chosen; what is unknown (NaN) takes no part.

Each takes target and output, shape (records, labels), and is the mean over the labels that it is defined for; NaN
where it is for none. A kind of task names its own (`TaskKind.scores`). Intervals, and everything about the test split,
are the evaluation's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve

_ROWS = 256  # events that `c_index` compares with all records at a time


def macro_auroc(target: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve, for labels whose known records have both classes."""
    return _macro(_auroc, target, score, _has_both)


def macro_auprc(target: np.ndarray, score: np.ndarray) -> float:
    """Average precision, for labels whose known records have both classes."""
    return _macro(lambda y, s: float(average_precision_score(y, s)), target, score, _has_both)


def macro_f1(target: np.ndarray, score: np.ndarray) -> float:
    """The largest F1 over all thresholds, for labels whose known records have both classes."""
    return _macro(_best_f1, target, score, _has_both)


def mae(target: np.ndarray, output: np.ndarray) -> float:
    """Mean absolute error, each label's in its own unit; where units differ, the loss weighs labels better."""
    return _macro(lambda y, s: float(np.abs(y - s).mean()), target, output, len)


def c_index(target: np.ndarray, risk: np.ndarray) -> float:
    """Harrell's concordance: of the pairs whose earlier time is an event, the share where it has the higher risk.

    Equal risks count one half. A pair of equal times counts where one is an event and the other is not (Harrell
    et al. 1996, Stat Med 15:361-387).

    Parameters
    ----------
    target : ndarray, shape (records, labels)
        Signed times, as in `losses.cox`.
    risk : ndarray, shape (records, labels)
    """
    return _macro(_harrell, target, risk, _has_pair)


class Score(NamedTuple):
    """What an epoch may be chosen by."""

    of: Callable[[np.ndarray, np.ndarray], float]
    larger_is_better: bool = True


AUROC, AUPRC, F1 = Score(macro_auroc), Score(macro_auprc), Score(macro_f1)
MAE = Score(mae, larger_is_better=False)
C_INDEX = Score(c_index)


def _macro(
    score: Callable[[np.ndarray, np.ndarray], float],
    target: np.ndarray,
    output: np.ndarray,
    defined: Callable[[np.ndarray], object],
) -> float:
    values = []
    for y, s in zip(target.T, output.T, strict=True):
        known = ~np.isnan(y)
        if defined(y[known]):
            values.append(score(y[known].astype(np.float64), s[known].astype(np.float64)))
    return float(np.mean(values)) if values else float("nan")


def _has_both(y: np.ndarray) -> bool:
    return bool((y > 0.5).any() and (y <= 0.5).any())


def _auroc(y: np.ndarray, s: np.ndarray) -> float:
    """Mann and Whitney's statistic, as a share of the pairs."""
    positive = y > 0.5
    count = int(positive.sum())
    above = rankdata(s)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(y) - count)))


def _best_f1(y: np.ndarray, s: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(y, s)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def _has_pair(signed: np.ndarray) -> bool:
    """Whether anybody is known to have outlived the first event."""
    time, event = np.abs(signed), signed > 0
    first = time[event].min(initial=np.inf)
    return bool(((time > first) | ((time == first) & ~event)).any())


def _harrell(signed: np.ndarray, risk: np.ndarray) -> float:
    time, event = np.abs(signed), signed > 0
    concordant = compared = 0.0
    events = np.flatnonzero(event)
    for start in range(0, len(events), _ROWS):
        i = events[start : start + _ROWS, None]
        later = (time > time[i]) | ((time == time[i]) & ~event)
        compared += later.sum()
        concordant += (later & (risk[i] > risk)).sum() + 0.5 * (later & (risk[i] == risk)).sum()
    return float(concordant / compared)
