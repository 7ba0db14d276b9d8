"""How alike two recordings are, wherever one of them begins: their correlation at the best lag."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft

from ecglfm.data.duplicates.fingerprints import coarse

#: Two recordings are compared over at least this stretch, seconds, or the whole of the shorter one ...
OVERLAP_SECONDS = 5.0
#: ... which must not be shorter than this: one beat resembles another too well.
MIN_SECONDS = 2.0
_COARSE_MARGIN = 0.15  # what half a coarse sample of lag may cost


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two recordings over all leads, aligned at their starts, each lead freed of its mean.

    Parameters
    ----------
    a, b : ndarray of int16, shape (n_samples, n_leads)
        Lengths may differ: the common stretch counts.

    Returns
    -------
    float
        In [-1, 1]; 0 where one of them does not move.
    """
    n = min(len(a), len(b))
    x, y = a[:n].astype(np.float64), b[:n].astype(np.float64)
    x -= x.mean(axis=0)
    y -= y.mean(axis=0)
    norm = math.sqrt(float(np.vdot(x, x)) * float(np.vdot(y, y)))
    return min(1.0, max(-1.0, float(np.vdot(x, y)) / norm)) if norm > 1e-6 else 0.0


def _stretch(x: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of each lead, and the leads' summed squares about their means, of the stretches `begin` to `end`."""
    zero = np.zeros((1, x.shape[1]))
    sums, squares = (np.concatenate([zero, np.cumsum(part, axis=0)]) for part in (x, np.square(x)))
    total = sums[end] - sums[begin]
    return total, (squares[end] - squares[begin] - np.square(total) / (end - begin)[:, None]).sum(axis=1)


def best_lag(x: np.ndarray, y: np.ndarray, *, overlap: int) -> tuple[int, float]:
    """Lag at which two recordings correlate most, and the correlation there.

    Parameters
    ----------
    x, y : ndarray of float, shape (n, n_leads), (m, n_leads)
        Of one rate.
    overlap : int
        Samples that the two have in common at least.

    Returns
    -------
    lag : int
        `x[t]` goes with `y[t + lag]`.
    value : float
        As `correlation` of the common stretch.
    """
    x, y = x.astype(np.float64) - x.mean(axis=0), y.astype(np.float64) - y.mean(axis=0)
    lags = np.arange(overlap - len(x), len(y) - overlap + 1)
    size = scipy.fft.next_fast_len(len(x) + len(y), real=True)
    products = scipy.fft.irfft(
        (np.conj(scipy.fft.rfft(x, size, axis=0)) * scipy.fft.rfft(y, size, axis=0)).sum(axis=1), size
    )[lags % size]
    begin, end = np.maximum(0, -lags), np.minimum(len(x), len(y) - lags)
    sum_x, square_x = _stretch(x, begin, end)
    sum_y, square_y = _stretch(y, begin + lags, end + lags)
    norm = np.sqrt(np.maximum(square_x * square_y, 0.0))
    covariance = products - (sum_x * sum_y).sum(axis=1) / (end - begin)
    values = np.divide(covariance, norm, out=np.zeros(len(lags)), where=norm > 1.0)
    best = int(np.argmax(values))
    return int(lags[best]), float(values[best])


def similarity(a: np.ndarray, b: np.ndarray, fs: float, *, at_least: float) -> float:
    """Correlation of two recordings at the lag where it is highest; 0 when that is surely below `at_least`.

    The lag is found at about 100 Hz and then to the sample. The two have at least 5 s in common, or all of
    the shorter one.

    Parameters
    ----------
    a, b : ndarray of int16, shape (n_samples, n_leads)
    fs : float
        Hz, of both.
    at_least : float
    """
    shorter = min(len(a), len(b))
    if shorter < MIN_SECONDS * fs or a.shape[1] != b.shape[1]:
        return 0.0
    (x, rate), (y, _) = coarse(a, fs), coarse(b, fs)
    lag, value = best_lag(x, y, overlap=min(round(OVERLAP_SECONDS * rate), len(x), len(y)))
    if value < at_least - _COARSE_MARGIN:
        return 0.0
    step = round(fs / rate)
    best = 0.0
    for fine in range((lag - 1) * step, (lag + 1) * step + 1):
        best = max(best, correlation(a[max(0, -fine) :], b[max(0, fine) :]))
    return best
