"""Estimators of two-sample Mendelian randomization, of effects on an exposure and on an outcome.

With instruments j, effects x_j (standard error s_j) on the exposure and y_j (t_j) on the outcome, for one allele each:

- Wald ratio: y / x, standard error t / |x|, the first term of the delta method.
- Inverse-variance weighted (Burgess, Butterworth and Thompson 2013, doi:10.1002/gepi.21758): the line through the
  origin with weights 1 / t_j^2. Its standard error under fixed effects is (sum x_j^2 / t_j^2)^(-1/2), under
  multiplicative random effects that times max(1, sqrt(Q / (m - 1))).
- MR-Egger (Bowden, Davey Smith and Burgess 2015, doi:10.1093/ije/dyv080): the same with an intercept, every allele
  counted so that x_j is positive; the intercept is the mean pleiotropic effect. Its standard errors are multiplied by
  max(1, sqrt(Q' / (m - 2))), its P are Student's with m - 2 degrees of freedom.
- Weighted median (Bowden et al. 2016, doi:10.1002/gepi.21965): of the ratios, with weights x_j^2 / t_j^2, interpolated;
  its standard error is that of a parametric bootstrap.

None depends on which allele an effect is written for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm
from scipy.stats import t as student

#: Fewer instruments have no MR-Egger and no weighted median.
FEW = 3
_RESAMPLES = 1000


@dataclass(frozen=True)
class Instruments:
    """Effects of m variants, each for one of its alleles.

    Attributes
    ----------
    names : ndarray of str, shape (m,)
    x_m, x_se_m : ndarray, shape (m,)
        On the exposure, and standard errors.
    y_m, y_se_m : ndarray, shape (m,)
        On the outcome (log odds ratios where it is a disease).
    """

    names: np.ndarray
    x_m: np.ndarray
    x_se_m: np.ndarray
    y_m: np.ndarray
    y_se_m: np.ndarray

    def __len__(self) -> int:
        return len(self.x_m)

    def only(self, rows_m: np.ndarray) -> Instruments:
        """Those of some rows."""
        return Instruments(
            self.names[rows_m], self.x_m[rows_m], self.x_se_m[rows_m], self.y_m[rows_m], self.y_se_m[rows_m]
        )

    @property
    def f_m(self) -> np.ndarray:
        """F statistic of each instrument: (x / s)^2; below 10 an instrument is called weak (Staiger and Stock 1997)."""
        return (self.x_m / self.x_se_m) ** 2


class Estimate(NamedTuple):
    """One method's answer: the effect on the outcome of one unit of the exposure."""

    method: str
    beta: float
    standard_error: float
    p_value: float


class Egger(NamedTuple):
    """MR-Egger: its slope, intercept, heterogeneity, and how far weak instruments thin the slope."""

    slope: Estimate
    intercept: float
    intercept_se: float
    intercept_p: float
    q: float
    i_squared_gx: float


def estimates(instruments: Instruments, *, seed: int, resamples: int = _RESAMPLES) -> list[Estimate]:
    """Every estimate that so many instruments allow.

    Parameters
    ----------
    instruments : Instruments
        At least one.
    seed : int
        Of the weighted median's bootstrap.

    Returns
    -------
    list of Estimate
        `wald_ratio` of one instrument; of two or more `ivw`, whose random effects are multiplicative, and `ivw_fixed`;
        of three or more `weighted_median` and `egger`, too.
    """
    found = [main_estimate(instruments)]
    if len(instruments) > 1:
        found.append(_normal("ivw_fixed", *_ivw(instruments)[:2]))
    if len(instruments) >= FEW:
        found += [weighted_median(instruments, seed=seed, resamples=resamples), egger(instruments).slope]
    return found


def main_estimate(instruments: Instruments) -> Estimate:
    """What is believed first: weighted by inverse variance under random effects, or the ratio of the one instrument."""
    if len(instruments) == 1:
        x, y, y_se = instruments.x_m[0], instruments.y_m[0], instruments.y_se_m[0]
        return _normal("wald_ratio", y / x, y_se / abs(x))
    beta, se, q = _ivw(instruments)
    return _normal("ivw", beta, se * max(1.0, np.sqrt(q / (len(instruments) - 1))))


def heterogeneity(instruments: Instruments) -> tuple[float, float]:
    """Cochran's Q about the inverse-variance weighted line, and its P (chi-square, m - 1); NaN of one instrument."""
    if len(instruments) < 2:
        return float("nan"), float("nan")
    q = _ivw(instruments)[2]
    return q, float(chi2.sf(q, len(instruments) - 1))


def egger(instruments: Instruments) -> Egger:
    """MR-Egger of at least three instruments."""
    sign_m = np.where(instruments.x_m < 0, -1.0, 1.0)
    x_m, y_m, weight_m = instruments.x_m * sign_m, instruments.y_m * sign_m, instruments.y_se_m**-2
    mean_x, mean_y = np.average(x_m, weights=weight_m), np.average(y_m, weights=weight_m)
    about = np.sum(weight_m * (x_m - mean_x) ** 2)
    slope = float(np.sum(weight_m * (x_m - mean_x) * y_m) / about)
    intercept = float(mean_y - slope * mean_x)
    q = float(np.sum(weight_m * (y_m - intercept - slope * x_m) ** 2))
    free = len(x_m) - 2
    over = max(1.0, np.sqrt(q / free))
    slope_se = float(over / np.sqrt(about))
    intercept_se = float(over * np.sqrt(1 / weight_m.sum() + mean_x**2 / about))
    slope_p, intercept_p = (
        float(2 * student.sf(abs(ratio), free)) for ratio in (slope / slope_se, intercept / intercept_se)
    )
    return Egger(
        Estimate("egger", slope, slope_se, slope_p),
        intercept,
        intercept_se,
        intercept_p,
        q,
        _i_squared(x_m / instruments.y_se_m, instruments.x_se_m / instruments.y_se_m),
    )


def weighted_median(instruments: Instruments, *, seed: int, resamples: int = _RESAMPLES) -> Estimate:
    """The weighted median of the ratios, with a bootstrap standard error of a seed."""
    x_se_m, y_se_m = instruments.x_se_m, instruments.y_se_m
    # Drawn for positive x, in the order of the instruments: another allele of one draws the same.
    sign_m = np.where(instruments.x_m < 0, -1.0, 1.0)
    x_m, y_m = instruments.x_m * sign_m, instruments.y_m * sign_m
    noise_rm2 = np.random.default_rng(seed).standard_normal((resamples, len(x_m), 2))
    drawn = [
        _weighted_median(x_m + noise_m2[:, 0] * x_se_m, y_m + noise_m2[:, 1] * y_se_m, (x_m / y_se_m) ** 2)
        for noise_m2 in noise_rm2
    ]
    return _normal("weighted_median", _weighted_median(x_m, y_m, (x_m / y_se_m) ** 2), float(np.std(drawn, ddof=1)))


def leave_one_out(instruments: Instruments) -> pd.DataFrame:
    """Inverse-variance weighted estimate without each instrument: `left_out beta standard_error p_value`."""
    rows = []
    for left_out in range(len(instruments) if len(instruments) > 1 else 0):
        rest = instruments.only(np.arange(len(instruments)) != left_out)
        rows.append((instruments.names[left_out], *main_estimate(rest)[1:]))
    return pd.DataFrame(rows, columns=["left_out", "beta", "standard_error", "p_value"])


def _ivw(instruments: Instruments) -> tuple[float, float, float]:
    """Estimate, standard error under fixed effects, and Cochran's Q."""
    x_m, y_m, weight_m = instruments.x_m, instruments.y_m, instruments.y_se_m**-2
    total = np.sum(weight_m * x_m**2)
    beta = np.sum(weight_m * x_m * y_m) / total
    return float(beta), float(total**-0.5), float(np.sum(weight_m * (y_m - beta * x_m) ** 2))


def _weighted_median(x_m: np.ndarray, y_m: np.ndarray, weight_m: np.ndarray) -> float:
    ratio_m = y_m / x_m
    order = np.argsort(ratio_m, kind="stable")
    weight_m = weight_m[order] / weight_m.sum()
    return float(np.interp(0.5, np.cumsum(weight_m) - weight_m / 2, ratio_m[order]))


def _i_squared(effect_m: np.ndarray, se_m: np.ndarray) -> float:
    """I^2 of exposure effects, each over its outcome's standard error: near 1, MR-Egger's slope is not thinned.

    Bowden et al. 2016 (doi:10.1093/ije/dyw220).
    """
    weight_m = se_m**-2
    q = np.sum(weight_m * (effect_m - np.average(effect_m, weights=weight_m)) ** 2)
    return float(max(0.0, 1 - (len(effect_m) - 1) / q)) if q > 0 else 0.0


def _normal(method: str, beta: float, se: float) -> Estimate:
    return Estimate(method, float(beta), float(se), float(2 * norm.sf(abs(beta / se))))
