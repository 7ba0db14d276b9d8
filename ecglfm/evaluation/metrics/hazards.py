"""Measures of survival under many record weightings at once; `survival` applies them to predictions.

Shapes: n records, r weightings (resamples), u distinct times, e records with an event.
A risk is a log hazard ratio: higher means an earlier event. Censoring at the time of an event counts as after it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from ecglfm.evaluation.metrics.label import ranking_metrics

_EVENTS_AT_ONCE = 256  # rows of a block of pairs


class RiskSets:
    """Who had an event, and who was still under observation, at each distinct time.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Of the event or of censoring, above 0.
    event : ndarray, shape (n,)
        1 event, 0 censored.
    """

    def __init__(self, time: np.ndarray, event: np.ndarray) -> None:
        self.time, self.event = time, event > 0
        self.unique, self.position = np.unique(time, return_inverse=True)

    def sums(self, values_nr: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """Sums of the records' values at each distinct time, shape (u, r)."""
        rows = np.arange(len(self.time)) if where is None else np.flatnonzero(where)
        shape = (len(self.unique), len(self.time))
        return csr_array((np.ones(len(rows)), (self.position[rows], rows)), shape=shape) @ values_nr

    def at_risk(self, values_nr: np.ndarray) -> np.ndarray:
        """Sums over the records still observed just before each distinct time, shape (u, r)."""
        return np.cumsum(self.sums(values_nr)[::-1], axis=0)[::-1]

    def kaplan_meier(self, weight_nr: np.ndarray, *, censoring: bool = False) -> np.ndarray:
        """Kaplan-Meier estimate after each distinct time, the first row 1 before any, shape (u + 1, r).

        With `censoring`, of the time to censoring (Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452).
        """
        events, risk = self.sums(weight_nr, self.event), self.at_risk(weight_nr)
        if censoring:
            events, risk = self.sums(weight_nr, ~self.event), risk - events
        steps = 1 - np.divide(events, risk, out=np.zeros_like(risk), where=events > 0)
        return np.concatenate([np.ones((1, weight_nr.shape[1])), np.cumprod(steps, axis=0)])

    def rows_at(self, times: np.ndarray) -> np.ndarray:
        """Rows of `kaplan_meier` that hold at some times."""
        return np.searchsorted(self.unique, times, side="right")


def followed_beyond(sets: RiskSets, time: float) -> bool:
    """Whether somebody was observed for longer, or nobody was left without the event until then."""
    alive = sets.kaplan_meier(np.ones((len(sets.time), 1)))[sets.rows_at(np.array(time)), 0]
    return bool((sets.time > time).any() or alive == 0)


def inverse(values: np.ndarray) -> np.ndarray:
    """1 / values, and 0 where they are 0: no record is left that such a weight could stand for."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def concordance(sets: RiskSets, risk: np.ndarray, weight_nr: np.ndarray, tau: float) -> dict[str, np.ndarray]:
    """Harrell's and Uno's C: how often, of two patients, the one with the earlier event had the higher risk.

    Harrell et al. 1982 (doi:10.1001/jama.1982.03320430047030): over the pairs of a record with an event and one
    observed for longer; equal risks count one half. Uno et al. 2011 (doi:10.1002/sim.4154): each such pair with an
    event before `tau` is weighted by 1 / G(time)^2, G being the Kaplan-Meier estimate of the time to censoring in the
    same records, so that the result does not depend on how long patients were followed.

    Parameters
    ----------
    sets : RiskSets
    risk : ndarray, shape (n,)
    weight_nr : ndarray of whole numbers, shape (n, r)
    tau : float
        End of the time that Uno's C is about.

    Returns
    -------
    dict of ndarray, shape (r,)
        `c_index`, `c_index_uno`; NaN where no pair can be compared.
    """
    cases = np.flatnonzero(sets.event)
    row = sets.position[cases]
    later_ur = sets.at_risk(weight_nr) - sets.sums(weight_nr, sets.event)  # those censored at the time are later
    censoring_ur = sets.kaplan_meier(weight_nr, censoring=True)[1:]
    sums = np.zeros((4, weight_nr.shape[1]))
    single_nr = weight_nr.astype(np.float32)  # counts and halves are exact in it, and it is twice as fast
    for start in range(0, len(cases), _EVENTS_AT_ONCE):
        block, at = cases[start : start + _EVENTS_AT_ONCE], row[start : start + _EVENTS_AT_ONCE]
        later = (sets.position > at[:, None]) | ((sets.position == at[:, None]) & ~sets.event)
        difference = risk[block][:, None] - risk
        won = (later * (0.5 * (difference > 0) + 0.5 * (difference >= 0))).astype(np.float32)
        weight = weight_nr[block]
        uno = weight * inverse(censoring_ur[at]) ** 2 * (sets.time[block] < tau)[:, None]
        won_er, later_er = (won @ single_nr).astype(np.float64), later_ur[at]
        for i, (factor, pairs) in enumerate([(weight, won_er), (weight, later_er), (uno, won_er), (uno, later_er)]):
            sums[i] += (factor * pairs).sum(axis=0)
    return {"c_index": _ratio(sums[0], sums[1]), "c_index_uno": _ratio(sums[2], sums[3])}


def cumulative_dynamic_auc(
    sets: RiskSets, risk: np.ndarray, weight_nr: np.ndarray, times: np.ndarray
) -> list[np.ndarray]:
    """AUROC at each time of those with an event until then (cases) against those observed for longer (controls).

    A case is weighted by 1 / G(its time), as in `concordance` (Uno et al. 2007, doi:10.1198/016214507000000149).

    Parameters
    ----------
    sets, risk, weight_nr
        As in `concordance`.
    times : ndarray, shape (k,)

    Returns
    -------
    list of ndarray, shape (r,)
        NaN where there is no case or no control.
    """
    censoring_ur = sets.kaplan_meier(weight_nr, censoring=True)[1:]
    weighted_nr = weight_nr * np.where(sets.event[:, None], inverse(censoring_ur[sets.position]), 1.0)
    areas = []
    for time in times:
        case, control = sets.event & (sets.time <= time), sets.time > time
        rows = case | control
        chosen_nr = np.where(control[rows, None], weight_nr[rows], weighted_nr[rows])
        areas.append(ranking_metrics(case[rows].astype(np.float64), risk[rows], chosen_nr)["auroc"])
    return areas


def hazard_ratio(sets: RiskSets, risk: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Hazard ratio per unit of the risk: a Cox model with the risk as its only covariate, ties after Breslow.

    Newton's method on the partial likelihood (Cox 1972; Breslow 1974, doi:10.2307/2529620).

    Parameters
    ----------
    sets, risk, weight_nr
        As in `concordance`.

    Returns
    -------
    ndarray, shape (r,)
        NaN where there is no event, the risk does not vary, or the likelihood has no maximum.
    """
    x = risk - risk.mean() if len(risk) else risk
    events_ur = sets.sums(weight_nr, sets.event)
    observed = (weight_nr * (x * sets.event)[:, None]).sum(axis=0)
    theta, step = np.zeros(weight_nr.shape[1]), np.full(weight_nr.shape[1], np.inf)
    for _ in range(50):
        hazard_nr = weight_nr * np.exp(np.clip(x[:, None] * theta, -500, 500))
        total, first, second = (sets.at_risk(hazard_nr * x[:, None] ** power) for power in (0, 1, 2))
        mean = np.divide(first, total, out=np.zeros_like(total), where=events_ur > 0)
        square = np.divide(second, total, out=np.zeros_like(total), where=events_ur > 0)
        information = (events_ur * (square - mean**2)).sum(axis=0)
        gradient = observed - (events_ur * mean).sum(axis=0)
        step = np.divide(gradient, information, out=np.full_like(theta, np.nan), where=information > 1e-9)
        theta = theta + np.clip(step, -1, 1)
        if not (np.abs(step) > 1e-9).any():
            break
    return np.where((np.abs(step) <= 1e-6) & (np.abs(theta) < 30), np.exp(np.clip(theta, -50, 50)), np.nan)


def survival_brier(sets: RiskSets, survival: np.ndarray, weight_nr: np.ndarray, time: float) -> np.ndarray:
    """Brier score of predicted survival at a time, weighted for censoring (Graf et al. 1999).

    doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.

    Parameters
    ----------
    sets, weight_nr
        As in `concordance`.
    survival : ndarray, shape (n,)
        Predicted probability of no event until `time`.
    time : float

    Returns
    -------
    ndarray, shape (r,)
    """
    censoring_ur = sets.kaplan_meier(weight_nr, censoring=True)
    case, control = sets.event & (sets.time <= time), sets.time > time
    gone = (survival[case] ** 2)[:, None] * weight_nr[case] * inverse(censoring_ur[1:][sets.position[case]])
    alive = ((1 - survival[control]) ** 2) @ weight_nr[control] * inverse(censoring_ur[sets.rows_at(np.array(time))])
    return _ratio(gone.sum(axis=0) + alive, weight_nr.sum(axis=0))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(below, np.nan), where=below > 0)
