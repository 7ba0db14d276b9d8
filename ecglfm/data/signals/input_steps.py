"""The arithmetic of the steps from prepared signals to what an encoder reads, as SciPy has it.

A step takes a lead-major signal `(n_leads, n_samples)` in float64. Filters without delay mirror a signal at its ends as
SciPy's do, by as much as it has where it is shorter than they would like.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import assert_never

import numpy as np
import scipy  # its parts come when they are used: a training that filters nothing does without

from ecglfm.config.input_steps import (
    ButterworthStep,
    ConstantsStep,
    DecimateStep,
    FirStep,
    InputStep,
    LimbLeadsStep,
    MedianBaselineStep,
    MinMaxStep,
    NotchStep,
    Over,
    PadStep,
    ResampleStep,
    ScaleStep,
    StandardizeStep,
)
from ecglfm.data.signals.filters import extension, notch_sections, ratio
from ecglfm.data.signals.filters import resample as polyphase
from ecglfm.records import limb_weights

#: A lead that is computed: its place, those of two others, and their weights.
LeadSum = tuple[int, tuple[int, int], tuple[float, float]]

#: A lead that moves by less is still, in whatever unit: what a filter without delay leaves of a constant is rounding.
STILL = 1e-7

# Nearer to the circle two poles are one number of double precision.
_LARGEST_POLE = 1 - 1e-7


def apply_step(step: InputStep, x_lt: np.ndarray, rate: int, leads: Sequence[str]) -> np.ndarray:
    """A signal behind one step.

    Parameters
    ----------
    step : section of `ecglfm.config.input_steps`
        One that fits signals of this rate and these leads.
    x_lt : ndarray of float64, shape (len(leads), n_samples)
        At least one sample.
    rate : int
        Hz.
    leads : sequence of str

    Returns
    -------
    ndarray of float64, shape (len(leads), `length_after`)
    """
    match step:
        case ResampleStep():
            return _resample(step, x_lt, rate)
        case DecimateStep():
            return _decimate(x_lt, step.factor, joined=step.joined)
        case ButterworthStep(form="ba"):
            return _filtfilt(x_lt, *butterworth_ba(step, rate))
        case ButterworthStep():
            return _sosfiltfilt(x_lt, butterworth_sections(step, rate))
        case NotchStep():
            return _sosfiltfilt(x_lt, notch_sections(step.frequency, step.quality, rate))
        case FirStep():
            return _filtfilt(x_lt, fir_taps(step, rate), np.ones(1))
        case MedianBaselineStep():
            return x_lt - _baseline(x_lt, median_lengths(step, rate), edges=step.edges)
        case StandardizeStep():
            return _standardize(step, x_lt)
        case MinMaxStep():
            return _min_max(step, x_lt)
        case ConstantsStep():
            bounds = (step.lower, step.upper, step.mean, step.deviation)
            lower, upper, mean, deviation = (np.array(each)[:, None] for each in bounds)
            return (np.clip(x_lt, lower, upper) - mean) / deviation
        case ScaleStep():
            scaled = x_lt * step.per_millivolt
            return np.rint(scaled) if step.round else scaled
        case PadStep():
            return np.pad(x_lt, ((0, 0), padding(step, x_lt.shape[1], rate)))
        case LimbLeadsStep():
            return with_sums(x_lt.copy(), x_lt, limb_leads_anew(leads))
        case _:
            assert_never(step)


def length_after(step: InputStep, samples: int, rate: int) -> int:
    """Samples behind a step."""
    match step:
        case ResampleStep():
            return _resampled_length(step, samples, rate)
        case DecimateStep():
            return samples // step.factor
        case PadStep():
            return samples + sum(padding(step, samples, rate))
        case _:
            return samples


def padding(step: PadStep, samples: int, rate: int) -> tuple[int, int]:
    """Zeros in front and behind."""
    lacking = max(0, round(step.seconds * rate) - samples)
    front = lacking // 2 if step.where == "both" else 0
    return front, lacking - front


def _resampled_length(step: ResampleStep, samples: int, rate: int) -> int:
    if step.rate == rate:
        return samples
    if step.method == "every":
        return -(-samples // (rate // step.rate))
    if step.method == "polyphase":
        factor = ratio(rate, step.rate)
        return -(-samples * factor.numerator // factor.denominator)
    return max(1, samples * step.rate // rate)


def _resample(step: ResampleStep, x_lt: np.ndarray, rate: int) -> np.ndarray:
    """Another rate; the same one is an exact no-op."""
    if step.rate == rate:
        return x_lt
    length = _resampled_length(step, x_lt.shape[1], rate)
    if step.method == "every":
        return x_lt[:, :: rate // step.rate]
    if step.method == "linear":
        return _linear(x_lt, length)
    if step.method == "fourier":
        return np.asarray(scipy.signal.resample(x_lt, length, axis=1))
    if step.ends == "line":
        return polyphase(x_lt, rate, target=step.rate)
    factor = ratio(rate, step.rate)
    return np.asarray(scipy.signal.resample_poly(x_lt, factor.numerator, factor.denominator, axis=1))


def _linear(x_lt: np.ndarray, length: int) -> np.ndarray:
    """Lines between samples; the first and the last sample are the first and the last."""
    last = x_lt.shape[1] - 1
    at = np.arange(length) * (last / max(1, length - 1))
    left = np.minimum(at.astype(np.int64), max(0, last - 1))
    right = np.minimum(left + 1, last)
    return x_lt[:, left] + (x_lt[:, right] - x_lt[:, left]) * (at - left)


@lru_cache(maxsize=8)
def decimate_sections(factor: int) -> np.ndarray:
    """Second-order sections of the low-pass of SciPy's `decimate`."""
    return scipy.signal.cheby1(8, 0.05, 0.8 / factor, output="sos")


def _decimate(x_lt: np.ndarray, factor: int, *, joined: bool) -> np.ndarray:
    """SciPy's `decimate`, without a delay; joined, the leads are one signal."""
    leads, samples = len(x_lt), x_lt.shape[1] // factor * factor
    if not samples:
        return x_lt[:, :0]
    whole = x_lt[:, :samples]
    slow = _sosfiltfilt(whole.reshape(1, -1) if joined else whole, decimate_sections(factor))[:, ::factor]
    return slow.reshape(leads, -1)


def _cut_offs(step: ButterworthStep) -> tuple[float | tuple[float, float], str]:
    if step.low is not None and step.high is not None:
        return (step.low, step.high), "bandpass"
    return (step.low, "highpass") if step.low is not None else (step.high or 0.0, "lowpass")


@lru_cache(maxsize=32)
def butterworth_sections(step: ButterworthStep, rate: int) -> np.ndarray:
    """Second-order sections, as SciPy has them."""
    cut_off, kind = _cut_offs(step)
    return scipy.signal.butter(step.order, cut_off, btype=kind, fs=rate, output="sos")


@lru_cache(maxsize=32)
def butterworth_ba(step: ButterworthStep, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator, as SciPy has them."""
    cut_off, kind = _cut_offs(step)
    b, a = scipy.signal.butter(step.order, cut_off, btype=kind, fs=rate)
    return b, a


@lru_cache(maxsize=32)
def fir_taps(step: FirStep, rate: int) -> np.ndarray:
    """Coefficients of the band-pass of finite length."""
    return scipy.signal.firwin(step.taps, (step.low, step.high), pass_zero=False, fs=rate)


def denominators(step: InputStep, rate: int) -> list[np.ndarray]:
    """Those of a recursive filter; none of any other step."""
    match step:
        case ButterworthStep(form="ba"):
            return [butterworth_ba(step, rate)[1]]
        case ButterworthStep():
            return list(butterworth_sections(step, rate)[:, 3:])
        case NotchStep():
            return list(notch_sections(step.frequency, step.quality, rate)[:, 3:])
        case _:
            return []


def stable(step: InputStep, rate: int) -> bool:
    """Whether what a filter gives dies away: double precision may have no numbers for its poles within the circle."""
    return all(np.abs(np.roots(one)).max(initial=0.0) < _LARGEST_POLE for one in denominators(step, rate))


def _sosfiltfilt(x_lt: np.ndarray, sections: np.ndarray) -> np.ndarray:
    edge = min(extension(sections), x_lt.shape[1] - 1)
    return np.asarray(scipy.signal.sosfiltfilt(sections, x_lt, axis=1, padlen=edge))


def _filtfilt(x_lt: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    edge = min(3 * max(len(a), len(b)), x_lt.shape[1] - 1)
    return np.asarray(scipy.signal.filtfilt(b, a, x_lt, axis=1, padlen=edge))


def median_lengths(step: MedianBaselineStep, rate: int) -> list[int]:
    """Odd lengths of the medians, samples: 0.2 s at 250 Hz are 51."""
    lengths = [round(seconds * rate) + 1 for seconds in step.seconds]
    return [length + (length % 2 == 0) for length in lengths]


def _baseline(x_lt: np.ndarray, lengths: Sequence[int], *, edges: str) -> np.ndarray:
    """Running medians, one of what the other gave; SciPy's `medfilt` where zeros are beyond the ends."""
    mode = "constant" if edges == "zeros" else "nearest"
    baseline = x_lt.copy()
    for lead in baseline:  # by itself: SciPy is a hundred times as fast on one axis
        for length in lengths:
            lead[:] = scipy.ndimage.median_filter(lead, length, mode=mode)
    return baseline


def _axis(over: Over) -> int | None:
    return 1 if over == "lead" else None


def _standardize(step: StandardizeStep, x_lt: np.ndarray) -> np.ndarray:
    axis = _axis(step.over)
    deviation = x_lt.std(axis=axis, keepdims=True) + step.epsilon
    moves = np.ptp(x_lt, axis=axis, keepdims=True) > STILL  # a deviation of rounding alone is none
    centred = x_lt - x_lt.mean(axis=axis, keepdims=True)
    return np.where(moves, centred / np.where(moves, deviation, 1.0), step.constant)


def _min_max(step: MinMaxStep, x_lt: np.ndarray) -> np.ndarray:
    axis = _axis(step.over)
    lowest, highest = x_lt.min(axis=axis, keepdims=True), x_lt.max(axis=axis, keepdims=True)
    return (1 - step.low) * (x_lt - lowest) / (highest - lowest + step.epsilon) + step.low


def limb_leads_anew(leads: Sequence[str]) -> list[LeadSum]:
    """The sums of I and II in the place of other limb leads."""
    both = leads.index("I"), leads.index("II")
    others = [lead for lead in ("III", "aVR", "aVL", "aVF") if lead in leads]
    return [(leads.index(lead), both, limb_weights(lead, "I", "II")) for lead in others]


def with_sums(made_lt: np.ndarray, x_lt: np.ndarray, sums: Sequence[LeadSum]) -> np.ndarray:
    """A signal, changed in place, with sums of leads of another; of one that is absent, all zero, the sum is, too."""
    for place, (first, second), (of_first, of_second) in sums:
        there = x_lt[first].any() and x_lt[second].any()
        made_lt[place] = of_first * x_lt[first] + of_second * x_lt[second] if there else 0.0
    return made_lt
