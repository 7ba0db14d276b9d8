"""Measures of a recording's quality, one per function.

Signals are lead-major here, `(n_leads, n_samples)` in microvolts; missing samples are NaN in floating-point signals,
integer signals have none. The first pass takes the extremes of short blocks, and what needs no more than those never
reads the signal again.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy  # its parts come when they are used: a training that filters nothing does without

from ecglfm.data.signals.filters import is_long_gap, runs

#: A lead (or a stretch of it) whose peak-to-peak amplitude stays under this does not move (microvolts).
FLAT_UV = 10.0
#: A run at a lead's own extreme is clipping from this length on (seconds).
CLIPPED_SECONDS = 0.01
#: Length of the blocks whose extremes everything else is made of (seconds); how many of them hold a beat.
BLOCK_SECONDS, BEAT_BLOCKS = 0.2, 10
#: Frequencies of the mains, and how far to both sides the background is measured (Hz).
MAINS, MAINS_ASIDE = (50.0, 60.0), 5.0
#: Lag of the differences that leads are compared by (seconds): a period of 50 Hz, which they do not see.
LAG_SECONDS = 0.02
#: Multiplications in one matrix product; BLAS splits larger ones over threads, whose number changes the last bit.
PRODUCT = 250_000


class Blocks(NamedTuple):
    """Lowest and highest value of each block of each lead, NaN where all is missing; float64, (n_leads, n_blocks).

    `bounds` are the first samples of the blocks and the end of the last one, which may be shorter; `seconds` is the
    length of a sample. `moving` says which leads move at all: by `FLAT_UV` or more.
    """

    low: np.ndarray
    high: np.ndarray
    bounds: np.ndarray
    seconds: float
    moving: np.ndarray


class Place(NamedTuple):
    """The worst value of a measure and the row of the lead that has it; no row where there is nothing to find."""

    row: int | None
    value: float


def _median(values: np.ndarray) -> np.ndarray:
    """Median over the last axis, without NaN; NumPy's own takes many times as long on arrays this small."""
    ordered, n = np.sort(values, axis=-1), values.shape[-1]
    return 0.5 * (ordered[..., (n - 1) // 2] + ordered[..., n // 2])


@lru_cache(maxsize=32)
def _bounds(n_samples: int, fs: float) -> np.ndarray:
    """First samples of the blocks, and the end of the last."""
    return np.append(np.arange(0, n_samples, max(1, round(BLOCK_SECONDS * fs))), n_samples)


def blocks(signal: np.ndarray, fs: float) -> Blocks:
    """Extremes of blocks of `BLOCK_SECONDS` of a signal `(n_leads, n_samples)`."""
    bounds = _bounds(signal.shape[1], fs)
    starts = bounds[:-1]
    low = np.fmin.reduceat(signal, starts, axis=1).astype(np.float64)
    high = np.fmax.reduceat(signal, starts, axis=1).astype(np.float64)
    moving = np.fmax.reduce(high, axis=1) - np.fmin.reduce(low, axis=1) >= FLAT_UV
    return Blocks(low, high, bounds, 1.0 / fs, moving)


def long_gap(missing: np.ndarray, fs: float, max_gap_seconds: float) -> Place:
    """Longest run of True that is too long to interpolate, seconds, of a mask `(n_leads, n_samples)`."""
    rows, starts, ends = runs(missing)
    longest = int(np.argmax(ends - starts)) if len(rows) else 0
    if not len(rows) or not is_long_gap(int(ends[longest] - starts[longest]), fs, max_gap_seconds):
        return Place(None, 0.0)
    return Place(int(rows[longest]), float(ends[longest] - starts[longest]) / fs)


def lead_off(found: Blocks) -> Place:
    """Longest stretch, seconds, in which a lead that moves elsewhere stays within `FLAT_UV`.

    Counted in whole blocks, so that a stretch is found up to two blocks too short. Missing samples are no stretch.
    """
    still = (found.high - found.low < FLAT_UV) & found.moving[:, None]
    if not still.any():
        return Place(None, 0.0)
    rows, starts, ends = runs(still)
    lengths = found.bounds[ends] - found.bounds[starts]
    longest = int(np.argmax(lengths))
    return Place(int(rows[longest]), float(lengths[longest]) * found.seconds)


def clipped_samples(signal: np.ndarray, fs: float, found: Blocks) -> int:
    """Count samples at a lead's own extreme in runs of at least `CLIPPED_SECONDS`; flat leads have none.

    Parameters
    ----------
    signal : ndarray, shape (n_leads, n_samples)
    fs : float
        Hz.
    found : Blocks
        Of the same signal.
    """
    shortest = max(2, math.ceil(CLIPPED_SECONDS * fs - 1e-9))
    total = 0
    # A run that counts has a sample whose number is a multiple of the shortest length: look there first.
    some = np.ascontiguousarray(signal[:, ::shortest])
    for extreme in (np.fmin.reduce(found.low, axis=1), np.fmax.reduce(found.high, axis=1)):
        level = extreme.astype(signal.dtype)
        for row in ((some == level[:, None]).any(axis=1) & found.moving).nonzero()[0].tolist():
            at_extreme = signal[row] == level[row]
            if np.count_nonzero(at_extreme) >= shortest:
                _, starts, ends = runs(at_extreme[None])
                lengths = ends - starts
                total += int(lengths[lengths >= shortest].sum())
    return total


def amplitude(found: Blocks) -> float:
    """Typical peak-to-peak amplitude, millivolts: that of 2 s, median over time, then over the leads that move.

    Two seconds hold a beat down to 30 beats per minute, and the median over time does not see a few spikes, nor that
    over leads a few electrodes that are off. 0 where no lead moves; NaN where every sample is missing, or where
    leads move but two seconds are not there: what lies between two beats says nothing.
    """
    starts = np.arange(0, max(1, found.low.shape[1] - BEAT_BLOCKS + 1), BEAT_BLOCKS)
    heights = np.fmax.reduceat(found.high, starts, axis=1) - np.fmin.reduceat(found.low, starts, axis=1)
    heights = heights[found.moving]
    if not len(heights):
        return math.nan if np.isnan(found.high).all() else 0.0
    if found.low.shape[1] < BEAT_BLOCKS:
        return math.nan
    over_time = np.nanmedian(heights, axis=1) if math.isnan(heights.sum()) else _median(heights)
    return float(_median(over_time)) / 1000.0


@lru_cache(maxsize=32)
def _waves(fs: float) -> tuple[tuple[float, ...], np.ndarray]:
    """Mains frequencies that `fs` can hold, and windowed waves of 1 s: cosines, then sines.

    Their frequencies go in steps of `MAINS_ASIDE`: below, first of the mains, between, second, above.
    """
    mains = tuple(f for f in MAINS if f + MAINS_ASIDE + 2 < fs / 2)
    frequencies = MAINS[0] + MAINS_ASIDE * np.arange(-1, 2 * len(mains)) if mains else np.empty(0)
    n = round(fs)
    window = scipy.signal.windows.hann(n, sym=False)[:, None]
    waves = 2.0 * window / window.sum() * np.exp(2j * np.pi * np.arange(n)[:, None] / fs * frequencies)
    return mains, np.concatenate([waves.real, waves.imag], axis=1).astype(np.float32)


def mains_noise(signal: np.ndarray, fs: float) -> tuple[Place, float]:
    """Amplitude of the mains hum in the worst lead, microvolts, and its frequency, Hz.

    The amplitude A of the sine at 50 or 60 Hz in Hann-windowed seconds, median over the seconds, less what the heart
    and the muscles have at that height, 5 Hz to both sides: `sqrt(max(0, A(f)^2 - (A(f-5)^2 + A(f+5)^2) / 2))`.
    Second by second (Welch 1967) the drift of the mains does not matter, and the median does not see a few spikes.

    Parameters
    ----------
    signal : ndarray, shape (n_leads, n_samples)
        Microvolts. Seconds with a missing sample are left out.
    fs : float
        Hz.

    Returns
    -------
    (Place, float)
        NaN where the rate holds neither frequency, or no second is whole.
    """
    mains, waves = _waves(fs)
    n, leads = len(waves), len(signal)
    seconds = signal.shape[1] // n if mains else 0
    if not seconds:
        return Place(None, math.nan), math.nan
    pieces = signal[:, : seconds * n].astype(np.float32).reshape(leads * seconds, n)
    rows = max(1, PRODUCT // waves.size)
    products = np.concatenate([pieces[k : k + rows] @ waves for k in range(0, len(pieces), rows)])
    np.square(products, out=products)
    power = (products[:, : waves.shape[1] // 2] + products[:, waves.shape[1] // 2 :]).reshape(leads, seconds, -1)
    if not math.isnan(power.sum()):
        power = _median(power.transpose(0, 2, 1))
    else:
        known = ~np.isnan(power[:, :, 0]).all(axis=1)
        if not known.any():
            return Place(None, math.nan), math.nan
        power = np.nanmedian(np.where(known[:, None, None], power, 0.0), axis=1)
    hum = power[:, 1::2] - 0.5 * (power[:, :-1:2] + power[:, 2::2])  # (n_leads, mains)
    row, which = divmod(int(np.argmax(hum)), len(mains))
    return Place(row, round(math.sqrt(max(0.0, float(hum[row, which]))), 2)), mains[which]


def einthoven_residual(lead_i: np.ndarray, lead_ii: np.ndarray, lead_iii: np.ndarray) -> float:
    """Root mean square of I + III - II over that of II (Einthoven's law makes it 0); NaN where II does not move.

    Both without their means: offsets of the amplifiers say nothing about the channels.

    Parameters
    ----------
    lead_i, lead_ii, lead_iii : ndarray, shape (n_samples,)
        One unit, any; samples missing in one of them are left out.
    """
    i, ii, iii = (lead.astype(np.float64) for lead in (lead_i, lead_ii, lead_iii))
    residual = i + iii - ii
    if math.isnan(residual.sum()):
        known = ~np.isnan(residual)
        if not known.any():
            return math.nan
        residual, ii = residual[known], ii[known]
    residual -= residual.mean()
    ii -= ii.mean()
    power = float(np.einsum("i,i", ii, ii))  # not BLAS, whose last bit changes with the number of threads
    return math.sqrt(float(np.einsum("i,i", residual, residual)) / power) if power > 0 else math.nan


def swapped_leads(lead_i: np.ndarray, lead_ii: np.ndarray, lead_v6: np.ndarray, fs: float) -> tuple[float, str]:
    """Evidence that the right-arm electrode sits on another limb, and on which.

    The heart lies towards V6, away from the right arm: of aVR, aVL and aVF it is aVR that runs against V6. Where
    another one does so more clearly, the right arm's cable is there. The measure is by how much: the correlation
    with V6 of aVR less the lowest of aVL and aVF, in [-2, 2], from differences over 20 ms, which see neither the
    baseline nor 50 Hz. Correlation between leads as evidence: Kors and van Herpen, Am J Cardiol 2001;88:396-399.
    Einthoven's law holds with swapped electrodes too, so it cannot tell.

    Parameters
    ----------
    lead_i, lead_ii, lead_v6 : ndarray, shape (n_samples,)
        One unit, any; differences with a missing sample are left out.
    fs : float
        Hz.

    Returns
    -------
    (float, str)
        The measure, NaN where a lead does not move; the pair of limbs.
    """
    skip = max(1, int(fs // 100))
    lag = max(1, round(LAG_SECONDS * fs / skip))
    leads = np.empty((3, -(-len(lead_i) // skip)))
    leads[0], leads[1], leads[2] = lead_i[::skip], lead_ii[::skip], lead_v6[::skip]
    steps = leads[:, lag:] - leads[:, :-lag]
    gram = steps @ steps.T
    if math.isnan(gram[0, 0] + gram[1, 1] + gram[2, 2]):
        steps = steps[:, ~np.isnan(steps).any(axis=0)]
        gram = steps @ steps.T
    (i_i, i_ii, i_v6), (_, ii_ii, ii_v6), (_, _, v6_v6) = gram.tolist()

    def against_v6(a: float, b: float) -> float:
        """Correlation with V6 of the lead a I + b II."""
        power = (a * a * i_i + 2 * a * b * i_ii + b * b * ii_ii) * v6_v6
        return (a * i_v6 + b * ii_v6) / math.sqrt(power) if power > 0 else math.nan

    a_vr, a_vl, a_vf = against_v6(-0.5, -0.5), against_v6(1.0, -0.5), against_v6(-0.5, 1.0)
    if math.isnan(a_vr + a_vl + a_vf):
        return math.nan, ""
    return a_vr - min(a_vl, a_vf), "arms" if a_vl < a_vf else "right arm and left leg"
