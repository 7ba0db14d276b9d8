"""Logistic recalibration: intercept and slope that make a model's probabilities fit other patients.

logit(p') = a + b logit(p) (Cox 1958, Biometrika 45:562, doi:10.1093/biomet/45.3-4.562). On records that nothing was
fitted to, `a` with b = 1 is the calibration-in-the-large, 0 where as many have the label as the probabilities say; `b`
is the calibration slope, 1 where they are neither too extreme (below 1) nor too timid (Van Calster et al. 2019, BMC Med
17:230, doi:10.1186/s12916-019-1466-7).

Classes of which a record has exactly one get an intercept each and one slope together, log p' = a_k + b log p less what
makes the sum 1 (vector scaling with one slope; Guo et al. 2017, arXiv:1706.04599).

Shapes: n records, r weightings of them, k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from ecglfm.evaluation.metrics import SMALLEST, log_odds

_STEPS, _CLOSE, _LONGEST = 100, 1e-10, 2.0
_FARTHEST, _SLOPES = 20.0, (0.05, 5.0)  # of classes: intercepts, and slopes as temperatures have them

Fitted = Literal["intercept and slope", "intercept", "nothing"]


class Recalibration(NamedTuple):
    """What is done to a label's log odds, and what of it the records were enough for."""

    intercept: float = 0.0
    slope: float = 1.0
    fitted: Fitted = "nothing"

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Probabilities after it; their order stays, as the slope is above 0."""
        return np.asarray(expit(self.intercept + self.slope * log_odds(probability)))


def fit_recalibration(
    target: np.ndarray, probability: np.ndarray, patients: np.ndarray, *, min_patients: int
) -> Recalibration:
    """The likeliest intercept and slope of one label; fewer numbers where few patients could tell them.

    Parameters
    ----------
    target, probability : ndarray, shape (n,)
        Target 1, 0 or NaN where unknown.
    patients : ndarray, shape (n,)
    min_patients : int
        With and without the label, from which the slope is fitted, too; and with one of each the intercept.

    Returns
    -------
    Recalibration
        The intercept alone also where no slope above 0 is the likeliest: classes that do not overlap, or are in the
        wrong order.
    """
    known = ~np.isnan(target)
    target, scores = target[known], log_odds(probability[known])
    counts = [len(np.unique(patients[known][target == value])) for value in (0, 1)]
    if min(counts) == 0:
        return Recalibration()
    ones = np.ones((len(target), 1))
    if min(counts) >= min_patients:
        intercept, slope = (float(part[0]) for part in fit_line(target, scores, ones))
        if slope > 0:  # not NaN either
            return Recalibration(intercept, slope, "intercept and slope")
    return Recalibration(float(fit_intercept(target, scores, ones)[0]), 1.0, "intercept")


def apply_classes(probability_nk: np.ndarray, found: Sequence[Recalibration]) -> np.ndarray:
    """Probabilities of classes that exclude each other after their recalibrations; their sum is 1."""
    intercept_k, slope_k = (np.array([getattr(one, name) for one in found]) for name in ("intercept", "slope"))
    return np.asarray(softmax(intercept_k + slope_k * _logs(probability_nk), axis=1))


def fit_classes(
    target_nk: np.ndarray, probability_nk: np.ndarray, patients: np.ndarray, *, min_patients: int
) -> list[Recalibration]:
    """The likeliest intercepts, whose mean is 0, and slope of classes that exclude each other.

    Parameters
    ----------
    target_nk, probability_nk : ndarray, shape (n, k)
        A record whose class is unknown has no part in it.
    patients : ndarray, shape (n,)
    min_patients : int
        Of every class, from which the slope is fitted, too; with one of each the intercepts, else nothing.
    """
    known = ~np.isnan(target_nk).any(axis=1)
    target_nk, logs_nk, whose = target_nk[known], _logs(probability_nk[known]), patients[known]
    least = min(len(np.unique(whose[target == 1])) for target in target_nk.T)
    if least == 0:
        return [Recalibration()] * target_nk.shape[1]
    sloped = least >= min_patients

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scores_nk = values[:-1] + values[-1] * logs_nk
        rest_nk = softmax(scores_nk, axis=1) - target_nk
        value = float((logsumexp(scores_nk, axis=1) - (target_nk * scores_nk).sum(axis=1)).mean())
        return value, np.append(rest_nk.mean(axis=0), (rest_nk * logs_nk).sum(axis=1).mean())

    start = np.append(np.zeros(target_nk.shape[1]), 1.0)
    bounds = [(-_FARTHEST, _FARTHEST)] * target_nk.shape[1] + [_SLOPES if sloped else (1.0, 1.0)]
    values = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14}).x
    fitted: Fitted = "intercept and slope" if sloped else "intercept"
    return [Recalibration(float(one), float(values[-1]), fitted) for one in values[:-1] - values[:-1].mean()]


def _logs(probability_nk: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.clip(probability_nk.astype(np.float64), SMALLEST, 1 - SMALLEST)))


def fit_intercept(target: np.ndarray, scores: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Calibration-in-the-large: the likeliest a in logit(P) = a + score, shape (r,); NaN without one of each class.

    Parameters
    ----------
    target, scores : ndarray, shape (n,)
        1 or 0; log odds.
    weight_nr : ndarray, shape (n, r)
    """
    defined = _has_both(target, weight_nr)
    a_r, moved = np.zeros(weight_nr.shape[1]), np.array(defined)
    for _ in range(_STEPS):
        p_nr = expit(scores[:, None] + a_r)
        slope_r = (weight_nr * p_nr * (1 - p_nr)).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            step_r = ((weight_nr * (target[:, None] - p_nr)).sum(axis=0)) / slope_r
        step_r = np.where(defined, np.clip(np.nan_to_num(step_r), -_LONGEST, _LONGEST), 0.0)
        a_r, moved = a_r + step_r, np.abs(step_r) > _CLOSE
        if not moved.any():
            break
    return np.where(defined & ~moved, a_r, np.nan)


def fit_line(target: np.ndarray, scores: np.ndarray, weight_nr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest a and b in logit(P) = a + b score, shape (r,) each.

    NaN without one of each class, and where a score parts them, so that no slope is the likeliest. Newton's steps are
    kept short. Parameters as in `fit_intercept`.
    """
    defined = _has_both(target, weight_nr)
    a_r, b_r = np.zeros(weight_nr.shape[1]), np.ones(weight_nr.shape[1])
    moved = np.array(defined)
    for _ in range(_STEPS):
        p_nr = expit(a_r + b_r * scores[:, None])
        rest_nr, spread_nr = weight_nr * (target[:, None] - p_nr), weight_nr * p_nr * (1 - p_nr)
        g0, g1 = rest_nr.sum(axis=0), scores @ rest_nr
        h00, h01, h11 = spread_nr.sum(axis=0), scores @ spread_nr, scores**2 @ spread_nr
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / (h00 * h11 - h01**2)
            steps *= np.minimum(1, _LONGEST / np.abs(steps).max(axis=0))
        steps = np.where(defined, np.nan_to_num(steps, posinf=0, neginf=0), 0.0)
        a_r, b_r, moved = a_r + steps[0], b_r + steps[1], np.abs(steps).max(axis=0) > _CLOSE
        if not moved.any():
            break
    known = defined & ~moved & ~_parted(target, scores, weight_nr)
    return np.where(known, a_r, np.nan), np.where(known, b_r, np.nan)


def _has_both(target: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    return np.asarray((((target > 0) @ weight_nr) > 0) & (((target <= 0) @ weight_nr) > 0))


def _parted(target: np.ndarray, scores: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Weightings whose classes do not overlap."""
    counted = weight_nr > 0
    ends = {}
    for value, own in ((1, target > 0), (0, target <= 0)):
        column = scores[own][:, None]
        ends[value] = [
            np.where(counted[own], column, np.inf).min(axis=0, initial=np.inf),
            np.where(counted[own], column, -np.inf).max(axis=0, initial=-np.inf),
        ]
    return np.asarray((ends[1][0] >= ends[0][1]) | (ends[0][0] >= ends[1][1]))
