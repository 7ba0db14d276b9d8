"""Cox's proportional hazards: the fit, and whether hazards are proportional.

statsmodels' PHReg gives the same numbers (`tests/unit/discovery/survival/test_cox.py`), one event after another in
Python; here all of them are sums over risk sets, which 300,000 people and hundreds of EDFs need.

Shapes: n people, c covariates, u distinct times, d people with an event.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import chi2

from ecglfm.evaluation.metrics import RiskSets

Ties = Literal["efron", "breslow"]
_MOST_STEPS, _FLAT = 40, 1e-10
_LONGEST = 3.0  # step
_STEEPEST = 8.0  # log hazard ratio per standard deviation: beyond, the likelihood has no maximum


class CoxFit(NamedTuple):
    """A Cox model.

    Attributes
    ----------
    beta : ndarray, shape (c,)
        Log hazard ratios per unit; NaN where the likelihood has no maximum.
    covariance : ndarray, shape (c, c)
        Inverse of the information.
    log_likelihood : float
        Partial.
    events : ndarray of int, shape (d,)
        Who had an event, by time.
    residuals : ndarray, shape (d, c)
        Schoenfeld's, of these.
    """

    beta: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    events: np.ndarray
    residuals: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard errors, (c,)."""
        return np.sqrt(np.diag(self.covariance))


class _Events(NamedTuple):
    """Of each event, by time: who, the row of its time, and which share of those who fall with it are gone already."""

    who: np.ndarray
    row: np.ndarray
    gone: np.ndarray


def fit_cox(time: np.ndarray, event: np.ndarray, x_nc: np.ndarray, *, ties: Ties = "efron") -> CoxFit:
    """Maximum of the partial likelihood (Cox 1972), by Newton's method.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Of the event or of censoring.
    event : ndarray, shape (n,)
        1 event, 0 censored.
    x_nc : ndarray, shape (n, c)
        Covariates.
    ties : {'efron', 'breslow'}
        What is done where several have an event at the same time: Efron 1977 (doi:10.1080/01621459.1977.10480613), or
        Breslow 1974 (doi:10.2307/2529620).
    """
    mean, scale = x_nc.mean(axis=0), x_nc.std(axis=0)
    if not (scale > 0).all() or not (event > 0).any():
        return _nothing(x_nc.shape[1])
    x = (x_nc - mean) / scale
    sets = RiskSets(time, event)
    events = _events(sets, ties)
    beta = np.zeros(x.shape[1])
    for _ in range(_MOST_STEPS):
        likelihood, gradient, information, _ = _derivatives(sets, events, x, beta)
        if np.linalg.matrix_rank(information, hermitian=True) < len(beta) or np.abs(beta).max() > _STEEPEST:
            return _nothing(x.shape[1])
        step = np.linalg.solve(information, gradient)
        step *= min(1.0, _LONGEST / max(np.abs(step).max(), 1e-300))
        if abs(gradient @ step) < _FLAT * max(1.0, abs(likelihood)):
            beta = beta + step
            break
        beta = _uphill(sets, events, x, beta, step, likelihood)
    likelihood, _, information, residuals = _derivatives(sets, events, x, beta)
    covariance = np.linalg.inv(information) / np.outer(scale, scale)
    return CoxFit(beta / scale, covariance, likelihood, events.who, residuals * scale)


def _nothing(c: int) -> CoxFit:
    nothing = np.full((c, c), np.nan)
    return CoxFit(nothing[0], nothing, np.nan, np.empty(0, np.int64), np.empty((0, c)))


def _events(sets: RiskSets, ties: Ties) -> _Events:
    cases = np.flatnonzero(sets.event)
    who = cases[np.argsort(sets.position[cases], kind="stable")]
    row = sets.position[who]
    first = np.searchsorted(row, row)
    together = np.searchsorted(row, row, side="right") - first
    gone = (np.arange(len(row)) - first) / together if ties == "efron" else np.zeros(len(row))
    return _Events(who, row, gone)


def _derivatives(
    sets: RiskSets, events: _Events, x: np.ndarray, beta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Log partial likelihood, its gradient (c,), the information (c, c) and Schoenfeld residuals (d, c)."""
    n, c = x.shape
    eta = x @ beta
    hazard = np.exp(eta - eta.max())[:, None]
    squares = (x[:, :, None] * x[:, None, :]).reshape(n, c * c)
    weighted = hazard * np.concatenate([np.ones((n, 1)), x, squares], axis=1)
    falling = sets.sums(weighted, sets.event)
    at = sets.at_risk(weighted)[events.row] - events.gone[:, None] * falling[events.row]
    total, mean = at[:, 0], at[:, 1 : 1 + c] / at[:, :1]
    second = (at[:, 1 + c :] / at[:, :1]).reshape(-1, c, c)
    likelihood = float(eta[events.who].sum() - (np.log(total) + eta.max()).sum())
    information = (second - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
    residuals = x[events.who] - _mean_of_ties(mean, events.row)
    return likelihood, residuals.sum(axis=0), information, residuals


def _mean_of_ties(values_dc: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Those who fall together have the mean of what is expected of them."""
    _, place, count = np.unique(row, return_inverse=True, return_counts=True)
    sums = np.zeros((len(count), values_dc.shape[1]))
    np.add.at(sums, place, values_dc)
    return (sums / count[:, None])[place]


def _uphill(
    sets: RiskSets, events: _Events, x: np.ndarray, beta: np.ndarray, step: np.ndarray, likelihood: float
) -> np.ndarray:
    """The coefficients after a step, halved until the likelihood is no smaller than before."""
    least = likelihood - 1e-9 * abs(likelihood)
    while _derivatives(sets, events, x, beta + step)[0] < least and np.any(beta + step != beta):
        step = step / 2
    moved: np.ndarray = beta + step
    return moved


class Proportionality(NamedTuple):
    """Test of proportional hazards: a statistic and P a covariate, (c,), and of all together."""

    chi2: np.ndarray
    p_value: np.ndarray
    global_chi2: float
    global_p_value: float


def proportionality(fit: CoxFit, time: np.ndarray, event: np.ndarray) -> Proportionality:
    """Whether log hazard ratios change with time: scaled Schoenfeld residuals against time.

    Grambsch and Therneau 1994 (doi:10.1093/biomet/81.3.515), with 1 - Kaplan-Meier just before each event for time, as
    `cox.zph` of R's survival before version 3 did; 3 and later take the score test itself, which differs little.

    Parameters
    ----------
    fit : CoxFit
    time, event : ndarray, shape (n,)
        What it was fitted on.
    """
    c = len(fit.beta)
    if np.isnan(fit.beta).any() or len(fit.events) < 2:
        return Proportionality(np.full(c, np.nan), np.full(c, np.nan), np.nan, np.nan)
    sets = RiskSets(time, event)
    before = sets.kaplan_meier(np.ones((len(time), 1)))[sets.position[fit.events], 0]
    g = (1.0 - before) - (1.0 - before).mean()
    score, square, d = g @ fit.residuals, float(g @ g), len(g)
    if square == 0:
        return Proportionality(np.full(c, np.nan), np.full(c, np.nan), np.nan, np.nan)
    scaled = d * fit.covariance @ score
    each = scaled**2 / (d * np.diag(fit.covariance) * square)
    together = float(d * score @ fit.covariance @ score / square)
    return Proportionality(each, chi2.sf(each, 1), together, float(chi2.sf(together, c)))
