"""Signal steps, one per function, over every lead at once.

A step takes a lead-major signal `(n_leads, n_samples)` in microvolts and its rate. Missing samples
are NaN in floating-point signals; integer signals have none. A step gives back its argument unchanged
(the same object) when it has nothing to do.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import scipy  # its parts come when they are used: a training that filters nothing does without

#: Largest denominators of a resampling ratio; the filter is 20 times as long. The second is for rates that the first
#: does not give within `RATE_ERROR`, such as 500.1 Hz: decimals come out exact, and nothing is off by more than 1e-4.
DENOMINATORS, RATE_ERROR = (1000, 10_000), 1e-6


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of True along the rows of a 2-D mask: row, start and end (exclusive) of each."""
    rows, columns = mask.shape
    padded = np.zeros((rows, columns + 1), np.int8)
    padded[:, :-1] = mask
    edges = np.flatnonzero(np.diff(padded.ravel(), prepend=np.int8(0)))
    starts, ends = edges[::2], edges[1::2]
    return starts // (columns + 1), starts % (columns + 1), ends % (columns + 1)


def is_long_gap(samples: int, fs: float, max_gap_seconds: float) -> bool:
    """Whether a run of missing samples is too long to interpolate; one of exactly the limit is not."""
    return samples / fs > max_gap_seconds + 1e-9  # a sample is never as short as that


def fill_missing(signal: np.ndarray, fs: float, *, max_gap_seconds: float) -> np.ndarray:
    """Interpolate short runs of missing samples linearly; set longer ones to 0.

    A run at the start or the end of a lead takes the nearest sample's value.

    Parameters
    ----------
    signal : ndarray, shape (n_leads, n_samples)
        NaN where a sample is missing.
    fs : float
        Hz.
    max_gap_seconds : float
        Longest run that is interpolated, seconds.

    Returns
    -------
    ndarray, shape (n_leads, n_samples)
    """
    if not np.issubdtype(signal.dtype, np.floating):
        return signal
    missing = np.isnan(signal)
    leads = np.flatnonzero(missing.any(axis=1))
    if not len(leads):
        return signal
    filled = signal.copy()
    for lead in leads:
        gaps = missing[lead]
        known = np.flatnonzero(~gaps)
        filled[lead, gaps] = np.interp(np.flatnonzero(gaps), known, signal[lead, known]) if len(known) else 0.0
    for lead, start, end in zip(*runs(missing), strict=True):
        if is_long_gap(end - start, fs, max_gap_seconds):
            filled[lead, start:end] = 0.0
    return filled


@lru_cache(maxsize=32)
def ratio(fs: float, target: float) -> Fraction:
    """Resampling ratio target / fs as a fraction of small numbers."""
    exact = Fraction(target) / Fraction(fs)
    near = exact.limit_denominator(DENOMINATORS[0])
    return near if abs(near / exact - 1) <= RATE_ERROR else exact.limit_denominator(DENOMINATORS[1])


def resample(signal: np.ndarray, fs: float, *, target: float) -> np.ndarray:
    """Polyphase resampling with an anti-aliasing (Kaiser) filter; the same rate is an exact no-op.

    Beyond its ends a lead goes on along the line through its first and last sample, so that an offset
    does not ring at the edges.

    Parameters
    ----------
    signal : ndarray, shape (n_leads, n_samples)
    fs, target : float
        Hz; fractions are fine.

    Returns
    -------
    ndarray, shape (n_leads, ceil(n_samples * target / fs))
    """
    factor = ratio(fs, target)
    if factor == 1:
        return signal
    up, down = factor.numerator, factor.denominator
    return scipy.signal.resample_poly(signal.astype(np.float64), up, down, axis=1, padtype="line")


@lru_cache(maxsize=8)
def bandpass_sections(low: float, high: float, order: int, fs: float) -> np.ndarray:
    """Second-order sections of `bandpass`, as SciPy has them."""
    return scipy.signal.butter(order, (low, high), btype="bandpass", fs=fs, output="sos")


@lru_cache(maxsize=8)
def notch_sections(frequency: float, quality: float, fs: float) -> np.ndarray:
    """Second-order sections of `notch`, as SciPy has them."""
    return scipy.signal.tf2sos(*scipy.signal.iirnotch(frequency, quality, fs=fs))


def extension(sections: np.ndarray) -> int:
    """Samples by which SciPy's `sosfiltfilt` mirrors a signal at each end."""
    return int(3 * (2 * len(sections) + 1 - min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum())))


def bandpass(signal: np.ndarray, fs: float, *, low: float, high: float, order: int) -> np.ndarray:
    """Zero-phase Butterworth band-pass (Hz), forwards and backwards; `signal` as in `resample`.

    Raises
    ------
    ValueError
        Too few samples for the filter's padding.
    """
    return scipy.signal.sosfiltfilt(bandpass_sections(low, high, order, fs), signal.astype(np.float64), axis=1)


def notch(signal: np.ndarray, fs: float, *, frequency: float, quality: float) -> np.ndarray:
    """Zero-phase second-order notch at `frequency` (Hz); `quality` is centre over width; else as `bandpass`."""
    return scipy.signal.sosfiltfilt(notch_sections(frequency, quality, fs), signal.astype(np.float64), axis=1)
