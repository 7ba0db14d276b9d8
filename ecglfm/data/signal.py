"""Signal steps and quality measures, one per function, over every lead at once.

A step takes a time-major signal `(n_samples, n_leads)` in microvolts and its rate. Missing samples
are NaN in floating-point signals; integer signals have none. Each step gives back its argument
unchanged (the same object) when it has nothing to do, so that a database that is already in shape
passes through at memory speed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy import signal as dsp

#: A lead whose peak-to-peak amplitude stays under this never moves (microvolts).
FLAT_UV = 10.0
#: A run at a lead's own extreme is clipping from this length on (seconds).
CLIPPED_SECONDS = 0.01
#: Largest denominator of a resampling ratio: the rate is then right within 1e-6, the filter stays short.
MAX_DENOMINATOR = 1000


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (exclusive) of the runs of True in a 1-D mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return edges[::2], edges[1::2]


def fill_missing(signal: np.ndarray, fs: float, *, max_gap_seconds: float) -> tuple[np.ndarray, int]:
    """Interpolate short runs of missing samples linearly; set longer ones to 0.

    A run at the start or the end of a lead takes the nearest sample's value.

    Parameters
    ----------
    signal : ndarray, shape (n_samples, n_leads)
        NaN where a sample is missing.
    fs : float
        Hz.
    max_gap_seconds : float
        Longest run that is interpolated, seconds.

    Returns
    -------
    signal : ndarray, shape (n_samples, n_leads)
    zeroed : int
        Samples set to 0, over all leads.
    """
    if not np.issubdtype(signal.dtype, np.floating):
        return signal, 0
    missing = np.isnan(signal)
    leads = np.flatnonzero(missing.any(axis=0))
    if not len(leads):
        return signal, 0
    filled, zeroed = signal.copy(), 0
    longest = max_gap_seconds * fs * (1 + 1e-9)  # a run of exactly the limit passes despite rounding
    for lead in leads:
        gaps = missing[:, lead]
        known = np.flatnonzero(~gaps)
        if len(known):
            filled[gaps, lead] = np.interp(np.flatnonzero(gaps), known, signal[known, lead])
        for start, end in zip(*_runs(gaps), strict=True):
            if end - start > longest or not len(known):
                filled[start:end, lead] = 0.0
                zeroed += int(end - start)
    return filled, zeroed


def ratio(fs: float, target: float) -> Fraction:
    """Resampling ratio target / fs as a fraction of small numbers."""
    return (Fraction(target) / Fraction(fs)).limit_denominator(MAX_DENOMINATOR)


def resample(signal: np.ndarray, fs: float, *, target: float) -> np.ndarray:
    """Polyphase resampling with an anti-aliasing (Kaiser) filter; the same rate is an exact no-op.

    Beyond its ends a lead goes on along the line through its first and last sample, so that an offset
    does not ring at the edges.

    Parameters
    ----------
    signal : ndarray, shape (n_samples, n_leads)
    fs, target : float
        Hz; fractions are fine.

    Returns
    -------
    ndarray, shape (ceil(n_samples * target / fs), n_leads)
    """
    factor = ratio(fs, target)
    if factor == 1:
        return signal
    return dsp.resample_poly(
        signal.astype(np.float64), factor.numerator, factor.denominator, axis=0, padtype="line"
    )  # fmt: skip


@lru_cache(maxsize=8)
def _butterworth(low: float, high: float, order: int, fs: float) -> np.ndarray:
    return dsp.butter(order, (low, high), btype="bandpass", fs=fs, output="sos")


@lru_cache(maxsize=8)
def _notch(frequency: float, quality: float, fs: float) -> np.ndarray:
    return dsp.tf2sos(*dsp.iirnotch(frequency, quality, fs=fs))


def bandpass(signal: np.ndarray, fs: float, *, low: float, high: float, order: int) -> np.ndarray:
    """Zero-phase Butterworth band-pass (Hz), forwards and backwards; `signal` as in `resample`.

    Raises
    ------
    ValueError
        Too few samples for the filter's padding.
    """
    return dsp.sosfiltfilt(_butterworth(low, high, order, fs), signal.astype(np.float64), axis=0)


def notch(signal: np.ndarray, fs: float, *, frequency: float, quality: float) -> np.ndarray:
    """Zero-phase second-order notch at `frequency` (Hz); `quality` is centre over width; else as `bandpass`."""
    return dsp.sosfiltfilt(_notch(frequency, quality, fs), signal.astype(np.float64), axis=0)


def extremes(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each lead, missing samples apart; NaN for a lead without any."""
    return np.fmin.reduce(signal, axis=0), np.fmax.reduce(signal, axis=0)


def flat_leads(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which leads move less than `FLAT_UV` peak to peak, or have no sample at all; bool, shape (n_leads,)."""
    return ~(high.astype(np.float64) - low.astype(np.float64) >= FLAT_UV)


def clipped_samples(signal: np.ndarray, fs: float, *, low: np.ndarray, high: np.ndarray) -> int:
    """Count samples at a lead's own extreme in runs of at least `CLIPPED_SECONDS`; flat leads have none.

    Parameters
    ----------
    signal : ndarray, shape (n_samples, n_leads)
    fs : float
        Hz.
    low, high : ndarray, shape (n_leads,)
        `extremes` of the signal.
    """
    shortest = max(2, math.ceil(CLIPPED_SECONDS * fs - 1e-9))
    moving = ~flat_leads(low, high)
    total = 0
    for extreme in (low, high):
        at_extreme = signal == extreme
        often = at_extreme.sum(axis=0, dtype=np.int32) >= shortest
        for lead in np.flatnonzero(often & moving):
            starts, ends = _runs(at_extreme[:, lead])
            lengths = ends - starts
            total += int(lengths[lengths >= shortest].sum())
    return total


def einthoven_residual(lead_i: np.ndarray, lead_ii: np.ndarray, lead_iii: np.ndarray) -> float:
    """Root mean square of I + III - II over that of II (Einthoven's law makes it 0); NaN where II is zero.

    Parameters
    ----------
    lead_i, lead_ii, lead_iii : ndarray, shape (n_samples,)
        One unit, any; samples missing in one of them are left out.
    """
    i, ii, iii = (lead.astype(np.float64) for lead in (lead_i, lead_ii, lead_iii))
    residual = i + iii - ii
    known = ~np.isnan(residual)
    if not known.all():
        residual, ii = residual[known], ii[known]
    power = float(ii @ ii)
    return math.sqrt(float(residual @ residual) / power) if power > 0 else math.nan
