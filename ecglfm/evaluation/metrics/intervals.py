"""Intervals of metrics between 0 and 1 that hold the truth also where few patients have a label.

Percentiles of resamples do not: five positive patients that all score high look the same in every resample, though the
next five need not. So resamples give a metric's variance only, and the interval is Wilson's: all values t for which the
one found is no further away than z standard errors, the error being that *at t*. At t it is a known function, of an
area Newcombe's (2006, Statistics in Medicine 25:559, doi:10.1002/sim.2324, method 5), of a share t (1 - t) / n (Wilson
1927, doi:10.1080/01621459.1927.10502953), times an inflation: the resampled variance divided by the function at the
found value. The inflation holds what the functions do not know, recordings of one patient that are alike among it. Few
patients tell it badly, and nothing of it where a metric is 0 or 1: it is drawn towards 1 as if by five patients more.
Errors, correlations and hazard ratios are not between 0 and 1. Theirs are Student's intervals, on a scale on which the
metric is near to normal and its error does not depend on it.
`ecglfm benchmark intervals` measures how often all of these hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

#: Patients by which an inflation of 1 is believed before any is seen; chosen by the simulation.
_PRIOR_PATIENTS = 5


class Scale(NamedTuple):
    """Where a metric is near to normal, and the way back."""

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]


#: Of errors and ratios.
LOG = Scale(np.log, np.exp)
#: Of 1 less a ratio of sums of squares, as R2 is.
SQUARES = Scale(lambda r2: -np.log1p(-r2), lambda scaled: -np.expm1(-scaled))
#: Fisher's, of correlations.
FISHER = Scale(np.arctanh, np.tanh)


def area_variance(area: float, positives: float, negatives: float) -> float:
    """Variance of an AUROC or C-index of independent patients: Hanley and McNeil's formula in Newcombe's method 5.

    Hanley and McNeil's (1982, doi:10.1148/radiology.143.1.7063747) weighs by the numbers of the classes; Newcombe puts
    half of their sum, less 1, for both, which holds for few of one class.
    """
    both = (positives + negatives) / 2 - 1
    pairs = 1 + both * (1 - area) / (2 - area) + both * area / (1 + area)
    return area * (1 - area) * pairs / (positives * negatives)


def score_interval(
    value: float, variance: float, patients: tuple[int, ...], confidence: float
) -> tuple[float, float] | None:
    """Interval of an area or a share.

    Parameters
    ----------
    value : float
        Between 0 and 1.
    variance : float
        Of the value, by resampling patients.
    patients : tuple of int
        How many stand behind it: of an area those of the two classes, the rarer first; of a share those counted.
    confidence : float

    Returns
    -------
    tuple of float, or None
        None where nobody stands behind it.
    """
    if min(patients) < 1:
        return None

    def at(truth: float) -> float:
        if len(patients) == 2:
            return area_variance(truth, *patients)
        return truth * (1 - truth) / patients[0]

    inflation = 1.0
    if variance > 0 and at(value) > 0:
        known = patients[0]
        inflation = (_PRIOR_PATIENTS + known * variance / at(value)) / (_PRIOR_PATIENTS + known)
    factor = quantile(confidence) ** 2 * inflation

    def beyond(truth: float) -> float:
        return (value - truth) ** 2 - factor * at(truth)

    return _end(beyond, value, 0.0), _end(beyond, value, 1.0)


def scaled_interval(
    value: float, resampled_r: np.ndarray, scale: Scale, patients: int, confidence: float
) -> tuple[float, float] | None:
    """Student's interval on a scale, back from it: for errors, correlations and hazard ratios.

    Parameters
    ----------
    value : float
    resampled_r : ndarray, shape (r,)
        Values in resamples of patients; none is NaN.
    scale : Scale
    patients : int
        How many stand behind the value: the variance of resamples of n is too small by n / (n - 1).
    confidence : float

    Returns
    -------
    tuple of float, or None
        None at the end of a scale (no error at all, a correlation of 1) and of fewer than two patients.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        middle, scaled_r = float(scale.to(np.array(value))), scale.to(resampled_r)
    scaled_r = scaled_r[np.isfinite(scaled_r)]
    if patients < 2 or len(scaled_r) < 2 or not math.isfinite(middle):
        return None
    error = float(scaled_r.std(ddof=1)) * math.sqrt(patients / (patients - 1))
    half = float(student.ppf((1 + confidence) / 2, patients - 1)) * error
    low, high = scale.back(np.array([middle - half, middle + half]))
    return float(low), float(high)


def quantile(confidence: float) -> float:
    """Standard errors to either side of an interval of the normal distribution."""
    return float(norm.ppf((1 + confidence) / 2))


def _end(beyond: Callable[[float], float], value: float, limit: float) -> float:
    """Where `beyond`, below 0 at the value, comes to 0 on the way to the limit."""
    if beyond(limit) <= 0:  # only where the value is the limit
        return limit
    # At a value of 0 or 1 `beyond` is 0 on both sides of the interval: start inside.
    start = value if 0 < value < 1 else value + 1e-9 * (limit - value)
    return float(brentq(beyond, start, limit, xtol=1e-15)) if beyond(start) < 0 else value


def mean_interval(
    values: np.ndarray, low: np.ndarray, high: np.ndarray, resampled_lr: np.ndarray, patients: np.ndarray, z: float
) -> tuple[float, float]:
    """Interval of the mean of several labels' values out of their own intervals.

    Each end is as far from the mean as the labels' ends from theirs, squared and added with their correlation (method
    of variance estimates recovery: Zou and Donner 2008, doi:10.1002/sim.3095), or as z standard errors of the resampled
    mean where that is more: intervals of rare labels lean to the middle, and what many of them lean does not cancel. Of
    one label the interval is its own.

    Parameters
    ----------
    values, low, high : ndarray, shape (l,)
    resampled_lr : ndarray, shape (l, r)
        Values in resamples of patients, which say how labels come and go together; NaN undefined.
    patients : ndarray, shape (l,)
        How many stand behind each: the variance of resamples of m is too small by m / (m - 1).
    z : float
        Quantile of the normal distribution.
    """
    centred_lr = np.nan_to_num(resampled_lr - np.nanmean(resampled_lr, axis=1, keepdims=True))
    length = np.sqrt((centred_lr**2).sum(axis=1))
    unit_lr = centred_lr / np.where(length > 0, length, 1.0)[:, None]
    correlation_ll = unit_lr @ unit_lr.T
    np.fill_diagonal(correlation_ll, 1.0)
    defined = np.maximum((~np.isnan(resampled_lr)).sum(axis=1), 2)
    error = length * np.sqrt(patients / np.maximum(patients - 1, 1) / (defined - 1))

    def added(margin: np.ndarray) -> float:
        return math.sqrt(max(0.0, float(margin @ correlation_ll @ margin))) / len(values)

    mean, least = float(values.mean()), z * added(error)
    below, above = max(added(values - low), least), max(added(high - values), least)
    return max(mean - below, float(low.mean())), min(mean + above, float(high.mean()))


def calibration_error_interval(
    gaps_lb: np.ndarray, noise_lbr: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Expected calibration error without the part that chance adds, and its interval.

    The sum of absolute gaps of bins is above 0 for probabilities that are exactly right, and the more so the fewer
    records there are (Bröcker 2012, doi:10.1007/s00382-011-1191-1; Roelofs et al. 2022, arXiv:2012.08668). So it is
    asked which true gaps, the found ones times a factor, would give a sum as large as the one found: as their median
    (the value), and as their upper and lower quantile (the ends of the interval). A factor of 0 is perfect calibration.

    Parameters
    ----------
    gaps_lb : ndarray, shape (l, b)
        Share of positives less mean probability of each bin, times its share of the records, of each label.
    noise_lbr : ndarray, shape (l, b, r)
        What resamples of the patients change about them.
    confidence : float

    Returns
    -------
    tuple of float
        Value, lower and upper end of the mean over the labels; never is the value outside, nor any of them above 1,
        which is what gaps can sum to.
    """
    found = float(np.abs(gaps_lb).sum(axis=1).mean())

    def truth(level: float) -> float:
        def beyond(factor: float) -> float:
            sums_lr = np.abs(factor * gaps_lb[:, :, None] + noise_lbr).sum(axis=1)
            return float(np.quantile(sums_lr.mean(axis=0), level)) - found

        if found == 0 or beyond(0.0) >= 0:
            return 0.0
        end = 1.0
        while beyond(end) < 0:
            end *= 2
        return min(1.0, found * float(brentq(beyond, 0.0, end, xtol=1e-14)))

    return truth(0.5), truth((1 + confidence) / 2), truth((1 - confidence) / 2)
