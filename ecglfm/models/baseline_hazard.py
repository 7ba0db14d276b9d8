"""What makes a probability of a log hazard ratio: the cumulative baseline hazard, of the validation split.

A Cox model says r, the logarithm of how many times as high a patient's hazard is. It may say it too far apart, or,
where a fit ended early, too close: the slope b of a Cox regression on r mends that, as a temperature does for classes.
With the cumulative baseline hazard H (Breslow 1974, doi:10.2307/2529620) of b r the probability of the event until a
time t is 1 - exp(-H(t) exp(b r)). It takes who was lost for somebody who would have gone on as the others did; and so
who died of something else, unless the label names that as competing, when H is of the subdistribution hazard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GROUPS = 4  # of risk, as many validation records in each
STEPS = 1000  # of a hazard that is kept: what lies between them is far less than what it is known by
EVENTS = 20  # from so many on a slope is fitted; fewer would tell it wrong by half of it
SLOPES = (0.05, 5.0)  # between which it is looked for, as temperatures are between 0.2 and 20
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class BaselineHazard:
    """What the validation split says of one label's risks.

    Attributes
    ----------
    times : tuple of float
        Of events, ascending.
    hazard : tuple of float
        Cumulative baseline hazard from each of them on; before the first it is 0.
    until : float
        When the last patient was seen: beyond it nothing is known.
    horizons : tuple of float
        Quartiles of the event times: where a risk is said unless other times are asked for.
    scale : float
        Standard deviation of the risk.
    limits : tuple of float
        Quantiles of the risk that part `GROUPS` groups.
    slope : float
        What a log hazard ratio is multiplied by before the hazard is.
    """

    times: tuple[float, ...]
    hazard: tuple[float, ...]
    until: float
    horizons: tuple[float, ...]
    scale: float
    limits: tuple[float, ...]
    slope: float = 1.0

    def cumulative(self, at: float) -> float:
        """Cumulative baseline hazard at a time."""
        return float(hazard_at(np.array(self.times), np.array(self.hazard), np.array([at]))[0])

    def probability(self, risk: np.ndarray, at: float) -> np.ndarray:
        """Probability of the event until a time, of log hazard ratios of any shape."""
        return np.asarray(-np.expm1(-self.cumulative(at) * np.exp(self.slope * risk)))


def fit_baselines(signed_nl: np.ndarray, risk_nl: np.ndarray, *, sloped: bool = True) -> list[BaselineHazard | None]:
    """What the records of the validation split say of each label; None where no event is known, or one risk is all.

    Parameters
    ----------
    signed_nl : ndarray, shape (n, l)
        t for an event at time t, -t for a record last seen without one at time t, NaN where unknown.
    risk_nl : ndarray, shape (n, l)
        Log hazard ratios.
    sloped : bool
        As of `fit_baseline`.
    """
    found = []
    for signed, risk in zip(signed_nl.astype(np.float64).T, risk_nl.astype(np.float64).T, strict=True):
        known = ~np.isnan(signed)
        found.append(fit_baseline(np.abs(signed[known]), signed[known] > 0, risk[known], sloped=sloped))
    return found


def fit_baseline(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, *, sloped: bool = True
) -> BaselineHazard | None:
    """Of one label; None also where risks are so large that there is no hazard of them.

    Parameters
    ----------
    time, event, risk : ndarray, shape (n,)
        Without NaN.
    sloped : bool
        Fit a slope; else log hazard ratios are read as they come.
    """
    if not (event > 0).any() or np.std(risk) < 1e-12:
        return None
    slope = fit_slope(time, event, risk) if sloped else 1.0
    times, hazard = breslow(time, event, slope * risk)
    if not np.isfinite(hazard).all() or hazard[0] <= 0:
        return None
    kept = np.unique(np.linspace(0, len(times) - 1, min(STEPS, len(times))).round().astype(int))
    return BaselineHazard(
        times=tuple(times[kept].tolist()),
        hazard=tuple(hazard[kept].tolist()),
        until=float(time.max()),
        horizons=tuple(quartiles(time[event > 0]).tolist()),
        scale=float(np.std(risk)),
        limits=tuple(risk_limits(risk).tolist()),
        slope=slope,
    )


def fit_slope(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    """The likeliest coefficient, within `SLOPES`, of a Cox regression on the risk, ties as Breslow has them.

    1 of fewer than `EVENTS` events. A risk that says the wrong order ends at the lower bound, where all are alike.

    Parameters
    ----------
    time, event, risk : ndarray, shape (n,)
    """
    if (event > 0).sum() < EVENTS:
        return 1.0
    from scipy.optimize import minimize_scalar  # here: whoever reads a model needs none of it

    order = np.argsort(-time, kind="stable")
    later, happened, risk = -time[order], event[order] > 0, risk[order]
    last = (np.searchsorted(later, later, side="right") - 1)[happened]  # tied records share one risk set

    def loss(log_slope: float) -> float:
        h = np.exp(log_slope) * risk
        return float((np.logaddexp.accumulate(h)[last] - h[happened]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(SLOPES), method="bounded", options={"xatol": 1e-6}).x))


def breslow(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative baseline hazard: at each time of an event so many more as there are events by hazard at risk.

    Parameters
    ----------
    time, event, risk : ndarray, shape (n,)

    Returns
    -------
    times, hazard : ndarray, shape (distinct times of events,)
    """
    unique, position = np.unique(time, return_inverse=True)
    at_risk = np.cumsum(np.bincount(position, np.exp(risk), len(unique))[::-1])[::-1]
    events = np.bincount(position, event > 0, len(unique))
    happened = events > 0
    return unique[happened], np.cumsum(events[happened] / at_risk[happened])


def hazard_at(times: np.ndarray, hazard: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A cumulative hazard that rises at `times` to `hazard`, at other times."""
    return np.concatenate([[0.0], hazard])[np.searchsorted(times, at, side="right")]


def quartiles(times: np.ndarray) -> np.ndarray:
    """Quartiles of event times, each once."""
    return np.unique(np.quantile(times, _QUARTILES))


def risk_limits(risk: np.ndarray) -> np.ndarray:
    """Quantiles of the risk that part `GROUPS` groups."""
    return np.quantile(risk, np.arange(1, GROUPS) / GROUPS)


def shared_horizons(baselines: Sequence[BaselineHazard]) -> tuple[float, ...]:
    """Horizons of the first of several models of a task, as far as all of them saw patients so long."""
    until = min(baseline.until for baseline in baselines)
    return tuple(time for time in baselines[0].horizons if time <= until)
