"""How alike two recordings are, wherever one of them begins: their correlation at the best lag."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from scipy.signal import find_peaks

from ecglfm.data.manifest.duplicates.fingerprints import coarse, smooth, without_drift

#: Two recordings are compared over at least this stretch, seconds, or the whole of the shorter one ...
OVERLAP_SECONDS = 5.0
#: ... which must not be shorter than this: one beat resembles another too well.
MIN_SECONDS = 2.0
#: The best window of two copies, or the seconds of them, are at most this much less alike than the whole.
MARGIN = 0.03
_COARSE_MARGIN = 0.25  # what half a coarse sample of lag may cost a noisy recording
_PEAKS = 5  # lags looked at closely: in a regular rhythm, a beat more or less may look better at the coarse rate
_SURE = 0.999  # the other lags need not be looked at


def _without_mean(x: np.ndarray) -> np.ndarray:
    """Each lead less its mean, float64; as a product with ones, a tenth of the time of `mean(axis=0)`."""
    x = np.asarray(x, np.float64)
    return x - np.ones(len(x)) @ x / max(1, len(x))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two recordings over all leads, aligned at their starts, each lead freed of its mean.

    Parameters
    ----------
    a, b : ndarray, shape (n_samples, n_leads)
        Lengths may differ: the common stretch counts.

    Returns
    -------
    float
        In [-1, 1]; 0 where one of them does not move.
    """
    n = min(len(a), len(b))
    x, y = _without_mean(a[:n]), _without_mean(b[:n])
    norm = math.sqrt(float(np.vdot(x, x)) * float(np.vdot(y, y)))
    return min(1.0, max(-1.0, float(np.vdot(x, y)) / norm)) if norm > 1e-6 else 0.0


def common(x: np.ndarray, y: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """The common stretch of two signals: `x[t]` beside `y[t + lag]`."""
    x, y = x[max(0, -lag) :], y[max(0, lag) :]
    n = min(len(x), len(y))
    return x[:n], y[:n]


def lagged_correlation(x: np.ndarray, y: np.ndarray, lag: int) -> float:
    """As `correlation` of the common stretch, in a fifth of its time: nothing is copied.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n_samples, n_leads)
        Free of drift: of a large offset, rounding would leave too much.
    lag : int
        Samples.
    """
    x, y = common(x, y, lag)
    ones = np.ones(len(x))
    sum_x, sum_y = ones @ x, ones @ y
    square_x = float(np.vdot(x, x) - np.vdot(sum_x, sum_x) / len(x))
    square_y = float(np.vdot(y, y) - np.vdot(sum_y, sum_y) / len(y))
    norm = math.sqrt(max(0.0, square_x) * max(0.0, square_y))
    return float(np.vdot(x, y) - np.vdot(sum_x, sum_y) / len(x)) / norm if norm > 1.0 else 0.0


def _stretch(x: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of each lead, and the leads' summed squares about their means, of the stretches `begin` to `end`."""
    sums, squares = np.zeros((len(x) + 1, x.shape[1])), np.zeros(len(x) + 1)
    np.cumsum(x, axis=0, out=sums[1:])
    np.cumsum(np.einsum("ij,ij->i", x, x), out=squares[1:])
    total = sums[end] - sums[begin]
    return total, squares[end] - squares[begin] - np.einsum("ij,ij->i", total, total) / (end - begin)


def best_lags(x: np.ndarray, y: np.ndarray, *, overlap: int, at_least: float) -> list[tuple[int, float]]:
    """Lags at which two recordings correlate more than at the lags beside them, and the correlations there.

    Parameters
    ----------
    x, y : ndarray of float, shape (n, n_leads), (m, n_leads)
        Of one rate.
    overlap : int
        Samples that the two have in common at least.
    at_least : float
        Lower correlations are left out.

    Returns
    -------
    list of (lag, value)
        The five highest, the best first. `x[t]` goes with `y[t + lag]`; the value is as `correlation` of the
        common stretch.
    """
    x, y = _without_mean(x), _without_mean(y)
    lags = np.arange(overlap - len(x), len(y) - overlap + 1)
    size = scipy.fft.next_fast_len(len(x) + len(y), real=True)
    products = scipy.fft.irfft(
        (np.conj(scipy.fft.rfft(x, size, axis=0)) * scipy.fft.rfft(y, size, axis=0)).sum(axis=1), size
    )[lags % size]
    begin, end = np.maximum(0, -lags), np.minimum(len(x), len(y) - lags)
    sum_x, square_x = _stretch(x, begin, end)
    sum_y, square_y = _stretch(y, begin + lags, end + lags)
    norm = np.sqrt(np.maximum(square_x * square_y, 0.0))
    covariance = products - np.einsum("ij,ij->i", sum_x, sum_y) / (end - begin)
    values = np.divide(covariance, norm, out=np.zeros(len(lags)), where=norm > 1.0)
    peaks = find_peaks(np.concatenate([[-np.inf], values, [-np.inf]]), height=at_least)[0] - 1
    best = peaks[np.argsort(-values[peaks], kind="stable")][:_PEAKS]
    return list(zip(lags[best].tolist(), values[best].tolist(), strict=True))


def alike_throughout(a: np.ndarray, b: np.ndarray, fs: float) -> float:
    """Median over leads and seconds of two aligned recordings of their correlation there, freed of drift.

    One jump, or leads with mains hum of many millivolts, can outweigh all beats in the correlation of two unrelated
    recordings. So the loudest second is left out, and each other second of each lead counts once, whatever its
    amplitude; those in which neither recording moves say nothing.

    Parameters
    ----------
    a, b : ndarray of int16, shape (n_samples, n_leads)
    fs : float
        Hz, of both.

    Returns
    -------
    float
        In [-1, 1]; 0 where nothing is left to compare.
    """
    n = min(len(a), len(b))
    (x, rate), (y, _) = coarse(a[:n], fs), coarse(b[:n], fs)
    return alike_by_seconds(without_drift(x, rate), without_drift(y, rate), rate)


def alike_by_seconds(x: np.ndarray, y: np.ndarray, rate: float) -> float:
    """Median over leads and seconds, but for the loudest second, of the correlation of two signals free of drift.

    Parameters
    ----------
    x, y : ndarray of float, shape (n_samples, n_leads)
    rate : float
        Hz, of both.
    """
    second = round(rate)
    loudness = np.convolve((np.square(x) + np.square(y)).sum(axis=1), np.ones(second), "valid")
    if not len(loudness) or len(x) < 2 * second:
        return 0.0
    begin = int(np.argmax(loudness))
    x, y = (np.delete(part, slice(begin, begin + second), axis=0) for part in (x, y))
    whole = len(x) // second * second
    x, y = (part[:whole].reshape(-1, second, part.shape[1]).astype(np.float64) for part in (x, y))
    powers = np.square(x).mean(axis=1), np.square(y).mean(axis=1)
    moves = np.maximum(*powers) > 1.0  # square microvolts; below is rounding, not a signal
    if not moves.any():
        return 0.0
    norm = np.sqrt(powers[0] * powers[1])[moves]
    products = (x * y).mean(axis=1)[moves]
    return float(np.median(np.divide(products, norm, out=np.zeros(len(norm)), where=norm > 1e-6)))


def _to_the_sample(a: np.ndarray, b: np.ndarray, fs: float, ranges: list[range]) -> tuple[float, int]:
    """Correlation of two recordings, freed of drift, at the best lag of any of the ranges, and that lag."""
    x, y = (without_drift(part.astype(np.float32), fs).astype(np.float64) for part in (a, b))
    best = 0.0, 0
    for around in ranges:
        _, lag = max((lagged_correlation(x, y, k), k) for k in around)
        parts = common(a, b, lag)  # what they have in common, lest their ends be freed of different drifts
        best = max(best, (correlation(*(without_drift(part.astype(np.float32), fs) for part in parts)), lag))
        if best[0] > _SURE:
            break
    return best


def similarity(a: np.ndarray, b: np.ndarray, fs: float, *, at_least: float) -> float:
    """Correlation of two recordings, freed of drift, at the lag where it is highest; 0 when they are surely no copies.

    Drift is left out because one database filters it away and another does not. They are no copies when the
    correlation is below `at_least`, or when it comes from few moments or leads of them (`alike_throughout`). The lag is
    found at about 100 Hz and then to the sample. The two have at least 5 s in common, or all of the shorter one.

    Parameters
    ----------
    a, b : ndarray of int16, shape (n_samples, n_leads)
    fs : float
        Hz, of both.
    at_least : float
    """
    if min(len(a), len(b)) < MIN_SECONDS * fs or a.shape[1] != b.shape[1]:
        return 0.0
    (x, rate), (y, _) = coarse(a, fs), coarse(b, fs)
    x, y = (smooth(without_drift(part, rate), rate) for part in (x, y))
    overlap, step = min(round(OVERLAP_SECONDS * rate), len(x), len(y)), round(fs / rate)
    likely = best_lags(x, y, overlap=overlap, at_least=at_least - _COARSE_MARGIN)
    ranges = [range((lag - 1) * step, (lag + 1) * step + 1) for lag, _ in likely]
    best, at = _to_the_sample(a, b, fs, ranges) if ranges else (0.0, 0)
    if best < at_least or alike_throughout(a[max(0, -at) :], b[max(0, at) :], fs) < at_least - MARGIN:
        return 0.0
    return best
