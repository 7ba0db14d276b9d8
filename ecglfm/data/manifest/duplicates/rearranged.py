"""A quick look at two recordings, whatever became of their leads: noise, wander, electrodes swapped, leads inverted.

It costs a twentieth of the comparison to the sample (`similarity.py`), and sees what that one cannot.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple, Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from ecglfm.data.manifest.duplicates.fingerprints import WANDER_SECONDS, coarse, heartbeat
from ecglfm.data.manifest.duplicates.similarity import (
    MIN_SECONDS,
    OVERLAP_SECONDS,
    alike_by_seconds,
    best_lags,
    common,
    correlation,
    lagged_correlation,
)

_LAG_MARGIN, _ARRANGED_MARGIN = 0.25, 0.1  # the leads' magnitude says less than they do; half a coarse sample of lag
_BEAT_SECONDS = 0.25, 2.0  # from one beat to the next


class Glimpse(NamedTuple):
    """What a quick look needs of one recording; made once for all its pairs.

    Attributes
    ----------
    coarse : ndarray of float32, shape (n, n_leads)
        At about 100 Hz.
    rate : float
        Hz.
    beats : ndarray of float64, shape (n, n_leads)
        The same between about 1 and 9 Hz.
    size : ndarray of float64, shape (n, 1)
        Root of the leads' summed squares, which swapped and inverted leads leave as it is.
    """

    coarse: np.ndarray
    rate: float
    beats: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, signal: np.ndarray, fs: float) -> Self:
        """The glimpse of a recording.

        Parameters
        ----------
        signal : ndarray of int16, shape (n_samples, n_leads)
        fs : float
            Hz.
        """
        small, rate = coarse(signal, fs)
        beats = heartbeat(small, rate).astype(np.float64)
        return cls(small, rate, beats, np.sqrt(np.einsum("ij,ij->i", beats, beats))[:, None])


class Look(NamedTuple):
    """What a quick look at two recordings says.

    Attributes
    ----------
    correlation : float
        Of the two between about 1 and 9 Hz, at the best lag and with the leads arranged and turned as they fit best; 0
        where they are far from copies.
    throughout : float
        Median of the same over leads and seconds.
    own : float
        How alike a beat and the next are in the two recordings: the geometric mean of both.
    """

    correlation: float
    throughout: float
    own: float


def arrangement(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which lead of `y`, and with which sign, stands for each lead of `x`.

    The assignment of leads to leads (Kuhn 1955) with the highest correlation over all of them: products, not
    correlations of leads, lest leads of one shape be confused whose amplitudes tell them apart.

    Parameters
    ----------
    x, y : ndarray of float, shape (n, n_leads)

    Returns
    -------
    leads : ndarray of int, shape (n_leads,)
    signs : ndarray of float, shape (n_leads,)
        1 or -1.
    """
    products = x.T @ y
    mine, theirs = linear_sum_assignment(-np.abs(products))
    return theirs, np.where(products[mine, theirs] < 0, x.dtype.type(-1), x.dtype.type(1))


def _top(x: np.ndarray, y: np.ndarray, lag: int) -> tuple[float, float]:
    """Lag within a sample of `lag` at which two signals correlate most, to a fraction of a sample, and how much there.

    The top of the parabola through three neighbours.
    """
    at = cache(lambda k: lagged_correlation(x, y, k))
    lag = max(range(lag - 1, lag + 2), key=at)
    before, top, after = (at(k) for k in range(lag - 1, lag + 2))
    bend = before - 2 * top + after
    part = min(0.5, max(-0.5, 0.5 * (before - after) / bend)) if bend < 0 else 0.0
    return lag + part, top - 0.25 * (before - after) * part


def _between(y: np.ndarray, part: float) -> np.ndarray:
    """The signal a fraction of a sample later, for `part` in [-0.5, 0.5]; its first and last sample are left out."""
    beside = y[2:] if part > 0 else y[:-2]
    return (1 - abs(part)) * y[1:-1] + abs(part) * beside


def _own(x: np.ndarray, rate: float) -> float:
    """How alike a signal is to itself a beat later; 0 in a rhythm that is not regular."""
    shortest, longest = (round(seconds * rate) for seconds in _BEAT_SECONDS)
    overlap = max(len(x) - longest, shortest)
    later = [value for lag, value in best_lags(x, x, overlap=overlap, at_least=0.0) if lag >= shortest]
    return max(later, default=0.0)


def quick_look(a: Glimpse, b: Glimpse, *, at_least: float) -> Look:
    """Compare two recordings of one rate between about 1 and 9 Hz, with the leads of the second as they fit the first.

    The lag is found in the leads' magnitude; then the leads are assigned; then the lag is found to a fraction of a
    sample at about 100 Hz. Wander is taken away after the cut, lest the ends be freed of different drifts, and 0.35 s
    of them are left out. The two have at least 5 s in common, or all of the shorter one.

    Parameters
    ----------
    a, b : Glimpse
    at_least : float
        A correlation below it is of no interest, and may be given as 0.
    """
    nothing, rate = Look(0.0, 0.0, 0.0), a.rate
    x, y = a.beats, b.beats
    if min(len(x), len(y)) < MIN_SECONDS * rate or x.shape[1] != y.shape[1]:
        return nothing
    overlap = min(round(OVERLAP_SECONDS * rate), len(x), len(y))
    ends = round(WANDER_SECONDS / 2 * rate)  # where one sample stands for all that would follow
    inner, best, u, v = slice(ends, -ends), 0.0, x, y
    for lag, _ in best_lags(a.size, b.size, overlap=overlap, at_least=at_least - _LAG_MARGIN):
        leads, signs = arrangement(*common(x, y, lag))
        exact, value = _top(x, np.take(y, leads, axis=1) * signs, lag)
        if value < max(best, at_least - _ARRANGED_MARGIN):
            continue
        turned = np.take(b.coarse, leads, axis=1) * signs.astype(np.float32)
        p, q = (heartbeat(part, rate) for part in common(a.coarse, turned, round(exact)))
        p, q = p[1:-1][inner], _between(q, exact - round(exact))[inner]
        value = correlation(p, q)
        if value > best:
            best, u, v = value, p, q
    if best < at_least or best <= 0:
        return nothing
    return Look(best, alike_by_seconds(u, v, rate), math.sqrt(_own(u, rate) * _own(v, rate)))
