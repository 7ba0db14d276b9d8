"""Beats by the steepness of all leads together, and the median of those that look alike.

Shapes: n samples, l leads, b beats, w samples of an average beat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

_BAND = (5.0, 30.0)  # Hz, where a QRS complex has its energy
_SMOOTH = 0.08  # s, about the length of one
_REFRACTORY = 0.25  # s between two beats, at least
_ALIKE = 0.8  # correlation with the average, from which on a beat belongs to it
_BEFORE, _AFTER = 0.36, 0.60  # s around a beat that an average shows at most
_RETURN = 0.5  # of its distance from the level before P, down to which leads return after the top of P
_CONTEXT = 0.15  # s that the next beat's P and QRS take


class AverageBeat(NamedTuple):
    """The median of a recording's beats.

    Attributes
    ----------
    signal : ndarray of float64, shape (w, l)
        mV, zero in the flat stretch before the QRS complex.
    sampling_rate : float
        Hz.
    center : int
        Sample where the beats were put over one another.
    beats : ndarray of int64, shape (b,)
        Those samples of the recording, of the beats in the average.
    rr : float
        Median time between beats, s; NaN of fewer than two.
    """

    signal: np.ndarray
    sampling_rate: float
    center: int
    beats: np.ndarray
    rr: float


def find_beats(signal_mv: np.ndarray, fs: float) -> np.ndarray:
    """Middles of the QRS complexes: where all leads together are steepest.

    The idea of Pan and Tompkins (1985, doi:10.1109/TBME.1985.325532), on the sum over leads and without their
    adaptive thresholds, which recordings of some seconds do not need.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (n, l)
        mV; NaN counts as 0.
    fs : float
        Hz.

    Returns
    -------
    ndarray of int64, shape (b,)
        Samples, ascending; empty of a flat recording, or one too short for a beat.
    """
    slope = _steepness(signal_mv, fs)
    if slope is None:
        return np.empty(0, np.int64)
    energy = uniform_filter1d(slope**2, max(1, round(_SMOOTH * fs)))
    tallest = np.sort(_tallest_a_second(energy, fs))
    usual = float(np.median(tallest)) if len(tallest) else 0.0  # one artefact does not hide the beats
    if usual <= 0:
        return np.empty(0, np.int64)
    peaks, _ = find_peaks(np.pad(energy, 1), height=0.15 * usual, distance=max(1, round(_REFRACTORY * fs)))
    return (peaks - 1).astype(np.int64)


def _steepness(signal_mv: np.ndarray, fs: float) -> np.ndarray | None:
    """Length of the vector of all leads' slopes within the band, (n,); None where there is nothing to filter."""
    finite = np.nan_to_num(np.asarray(signal_mv, np.float64))
    if len(finite) < max(30, round(0.2 * fs)) or not finite.shape[1] or fs <= 2 * _BAND[0]:
        return None
    sos = butter(2, (_BAND[0], min(_BAND[1], 0.45 * fs)), "bandpass", fs=fs, output="sos")
    centred = finite - np.median(finite, axis=0)
    steep: np.ndarray = np.sqrt(np.square(np.gradient(sosfiltfilt(sos, centred, axis=0), axis=0)).sum(axis=1))
    return steep


def _tallest_a_second(energy: np.ndarray, fs: float) -> np.ndarray:
    """Largest value of every stretch of 1.5 s, in which most hearts beat."""
    length = min(len(energy), round(1.5 * fs))
    pieces = np.array_split(energy, max(1, len(energy) // length))
    return np.array([piece.max() for piece in pieces])


def average_beat(signal_mv: np.ndarray, fs: float, beats: np.ndarray | None = None) -> AverageBeat | None:
    """Median over the beats that look alike; what stands alone (an ectopic beat) is left out.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (n, l)
        mV.
    fs : float
        Hz.
    beats : ndarray of int, optional
        Of `find_beats`, which is asked otherwise.

    Returns
    -------
    AverageBeat or None
        None where no whole beat is in the recording.
    """
    beats = find_beats(signal_mv, fs) if beats is None else beats
    if not len(beats):
        return None
    signal = np.nan_to_num(np.asarray(signal_mv, np.float64))
    rr = float(np.median(np.diff(beats)) / fs) if len(beats) > 1 else np.nan
    before = round(min(_BEFORE, 0.5 * rr if rr == rr else _BEFORE) * fs)
    after = round(min(_AFTER, rr - _CONTEXT if rr == rr else _AFTER) * fs)
    qrs = slice(max(0, before - round(0.06 * fs)), before + round(0.08 * fs))
    step = round(0.03 * fs)  # how far a beat may be moved to lie over the others
    whole = beats[(beats >= before + step) & (beats + after + step <= len(signal))]
    if not len(whole) or after <= 0:
        return None
    usual = np.median(_cut(signal, whole, before, after), axis=0)
    for _ in range(2):
        moved = np.array([_aligned(signal, beat, before, usual[qrs], qrs, step) for beat in whole])
        cut = _cut(signal, moved, before, after)
        alike = _correlations(cut[:, qrs], usual[qrs]) >= _ALIKE
        if not alike.any():
            alike[:] = True
        usual = np.median(cut[alike], axis=0)
    return AverageBeat(usual - _level(usual, before, fs), fs, before, moved[alike], rr)


def _cut(signal: np.ndarray, beats: np.ndarray, before: int, after: int) -> np.ndarray:
    """Stretches around beats, each at zero in the mean before its QRS complex: (b, w, l)."""
    return np.stack([signal[beat - before : beat + after] - np.median(signal[beat - before : beat], axis=0)
                     for beat in beats])  # fmt: skip


def _aligned(signal: np.ndarray, beat: int, before: int, usual: np.ndarray, qrs: slice, step: int) -> int:
    """The beat's place at which its QRS complex resembles the average's most."""
    start, length = beat - before + qrs.start, qrs.stop - qrs.start
    shifted = sliding_window_view(signal[start - step : start + step + length], length, axis=0).transpose(0, 2, 1)
    return int(beat - step + int(np.argmax(_correlations(shifted, usual))))


def _correlations(several: np.ndarray, other: np.ndarray) -> np.ndarray:
    """With another of each, all leads together, each at its own mean: (k, w, l) and (w, l) give (k,)."""
    a, b = several - several.mean(axis=1, keepdims=True), other - other.mean(axis=0)
    size = np.sqrt(np.square(a).sum(axis=(1, 2)) * np.square(b).sum())
    products: np.ndarray = (a * b).sum(axis=(1, 2))
    return np.divide(products, size, out=np.zeros_like(size), where=size > 0)


def _level(beat: np.ndarray, center: int, fs: float) -> np.ndarray:
    """Each lead's value where all are flattest for 20 ms, within 120 ms before the QRS complex.

    Where nothing is level between P and QRS, that is the top of P: it shows in that the leads come back, before QRS, to
    where they are flattest before P, which is zero then.
    """
    width = max(2, round(0.02 * fs))
    between, last = max(0, center - round(0.16 * fs)), max(1, center - round(0.04 * fs) - width)
    steep = np.abs(np.diff(beat, axis=0)).sum(axis=1)
    flattest = _flattest(steep, between, max(between + 1, last), width)
    level: np.ndarray = np.median(beat[flattest : flattest + width], axis=0)
    before = max(0, center - round(0.26 * fs))
    if before + width > between:
        return level
    smooth = gaussian_filter1d(beat, 0.005 * fs, axis=0)
    start = _flattest(np.abs(np.diff(smooth, axis=0)).sum(axis=1), before, between - width + 1, width)
    rest: np.ndarray = np.median(beat[start : start + width], axis=0)
    later = smooth[flattest + width : center - round(0.03 * fs)]
    if len(later) and np.linalg.norm(later - rest, axis=1).min() < _RETURN * np.linalg.norm(level - rest):
        return rest
    return level


def _flattest(steep: np.ndarray, first: int, stop: int, width: int) -> int:
    """Where the stretch begins, from `first` to before `stop`, in which the leads move least."""
    return min(range(first, stop), key=lambda start: float(steep[start : start + width].sum()))
