"""Where P, QRS and T begin and end, on the average beat of all leads together, as recorders measure it.

On one lead a wave can be flat where it begins; over all leads the earliest beginning and the latest end are seen. Of
the three annotated recordings of LUDB beginnings and ends of QRS are met within 16 ms (`tests/unit/evaluation/beats`);
NeuroKit2 0.2.12 (`dwt`), which works lead by lead, was 40 to 130 ms early there, so that a PR segment was QRS to it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import peak_prominences

from ecglfm.evaluation.beats.peaks import AverageBeat, average_beat, find_beats

#: Parts of a beat in their order; `rest` is all between the end of T and the next P, and what no beat was found in.
PHASES = ("P", "PR", "QRS", "ST", "T", "rest")

#: Share of the QRS complex' steepest slope that still belongs to it; the next where nothing is calmer (a bundle branch
#: block, an ST segment that rises).
_STEEP = (0.06, 0.1, 0.15, 0.2)
_QUIET = 0.3  # share of a beat that is flat at least: what slope is there is noise
_CALM = 0.012  # s below that, for it to be over
_QRS_REACH, _QRS_LONGEST = 0.16, 0.22  # s from its middle, and in all
_P_LEAST, _T_LEAST = 0.012, 0.03  # mV over all leads, below which there is no such wave
_P_LONGEST = 0.18  # s
_SMALLER = 0.25  # share of a wave's height down to which its steepest flank is looked for
_TAIL, _TAIL_REACH = 0.07, 0.04  # share of T's height, and s after the tangent's end, that are T's tail at most


class Waves(NamedTuple):
    """Seconds from the middle of the QRS complex; NaN where there is no such wave, all NaN where none can be told."""

    p_onset: float
    p_offset: float
    qrs_onset: float
    qrs_offset: float
    t_onset: float
    t_offset: float


def delineate(beat: AverageBeat) -> Waves:
    """Beginning and end of each wave of an average beat.

    QRS is where the leads' slopes exceed a share of its steepest. P and T begin and end where the tangent of their
    steepest flank meets the zero line (Lepeschkin and Surawicz 1952, doi:10.1161/01.CIR.6.3.378); of T that is some
    20 ms before what people and recorders call its end, so its tail goes with it.

    Parameters
    ----------
    beat : AverageBeat
    """
    fs, center = beat.sampling_rate, beat.center
    steep = gaussian_filter1d(np.sqrt(np.square(np.gradient(beat.signal, axis=0)).mean(axis=1)), 0.003 * fs)
    reach = round(_QRS_REACH * fs)
    low, high = max(0, center - reach), min(len(steep), center + reach)
    near = slice(max(0, center - reach // 2), min(len(steep), center + reach // 2))
    peak = near.start + int(np.argmax(steep[near]))
    edges = _complex(steep, peak, low, high, max(1, round(_CALM * fs)))
    if edges is None or edges[1] - edges[0] > _QRS_LONGEST * fs:  # an artefact, or noise
        return Waves(*[np.nan] * 6)
    qrs_onset, qrs_offset = edges

    power = gaussian_filter1d(np.sqrt(np.square(beat.signal).mean(axis=1)), 0.008 * fs)
    t_first = qrs_offset + round(0.06 * fs)
    t = _wave(power, t_first, len(power), _T_LEAST)
    t_end = _tail(power, t[1], round(_TAIL_REACH * fs), t_first)
    p_last = qrs_onset - round(0.01 * fs)
    p = _wave(power, max(0, qrs_onset - round(0.28 * fs)), p_last, _P_LEAST)
    if p[1] - p[0] > _P_LONGEST * fs:  # what is so long is the end of T, or a wandering line
        p = (np.nan, np.nan)
    t_onset = max(t[0], float(qrs_offset)) if np.isfinite(t[0]) else np.nan
    p_offset = min(p[1], float(qrs_onset)) if np.isfinite(p[1]) else np.nan
    places = np.array([p[0], p_offset, qrs_onset, qrs_offset, t_onset, t_end])
    return Waves(*((places - center) / fs).tolist())


def _complex(steep: np.ndarray, peak: int, low: int, high: int, calm: int) -> tuple[int, int] | None:
    """Samples where QRS begins and ends around its steepest; None where no calm is on both sides."""
    noise = float(np.quantile(steep, _QUIET))
    for share in _STEEP:
        limit = max(float(np.hypot(noise, share * steep[peak])), 1e-9)  # both are roots of mean squares
        onset = _last_calm(steep[low : peak + 1][::-1] < limit, calm)
        offset = _last_calm(steep[peak:high] < limit, calm)
        if onset is not None and offset is not None:
            return peak - onset, peak + offset
    return None


def _last_calm(calm: np.ndarray, length: int) -> int | None:
    """Samples until the first stretch of `length` that is calm; None where there is none."""
    run = np.convolve(calm, np.ones(length), "valid") if len(calm) >= length else np.empty(0)
    found = np.flatnonzero(run >= length)
    return int(found[0]) if len(found) else None


def _wave(power: np.ndarray, first: int, last: int, least: float) -> tuple[float, float]:
    """Beginning and end of the highest hump between two samples, by its tangents; NaN where none stands out."""
    part = power[first:last]
    if len(part) < 8:
        return np.nan, np.nan
    inner = np.flatnonzero((part[1:-1] >= part[:-2]) & (part[1:-1] > part[2:])) + 1
    if not len(inner):
        return np.nan, np.nan
    peak = int(inner[np.argmax(peak_prominences(part, inner)[0])])
    ends = []
    for side in (part[peak::-1], part[peak:]):
        floor = float(side.min())
        height = float(part[peak]) - floor
        if height < least:
            return np.nan, np.nan
        below = np.flatnonzero(side <= floor + _SMALLER * height)
        flank = np.diff(side[: int(below[0]) + 2])
        steepest = int(np.argmin(flank))
        slope = -float(flank[steepest])
        tangent = steepest + (float(side[steepest]) - floor) / slope if slope > 0 else np.inf
        ends.append(min(tangent, 1.5 * float(below[0])))
    return first + max(0.0, peak - ends[0]), first + min(len(part) - 1.0, peak + ends[1])


def _tail(power: np.ndarray, end: float, reach: int, first: int) -> float:
    """Where T has fallen to a small share of its height, no later than `reach` samples after its tangent's end."""
    if not np.isfinite(end):
        return end
    start, floor = int(end), float(power[first:].min())
    limit = floor + _TAIL * (float(power[first : start + 1].max()) - floor)
    below = np.flatnonzero(power[start : start + reach + 1] <= limit)
    return max(end, float(start + (below[0] if len(below) else min(reach, len(power) - 1 - start))))


def phases_of(signal_mv: np.ndarray, fs: float) -> tuple[np.ndarray, int]:
    """Which part of a beat every sample is in.

    The waves of the average beat are laid at each beat; where two beats reach for the same samples, the later one's
    P and QRS have them.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (n, l)
        mV.
    fs : float
        Hz.

    Returns
    -------
    phase : ndarray of int8, shape (n,)
        Places in `PHASES`.
    beats : int
        Beats that were found, and whose waves were; 0: all is `rest`.
    """
    phase = np.full(len(signal_mv), PHASES.index("rest"), np.int8)
    beats = find_beats(signal_mv, fs)
    average = average_beat(signal_mv, fs, beats)
    if average is None:
        return phase, 0
    waves = delineate(average)
    if np.isnan(waves.qrs_onset):
        return phase, 0
    usual = average.beats - beats[np.abs(beats[:, None] - average.beats[None]).argmin(axis=0)]
    shift = int(np.median(usual))  # beats in the average were moved over one another
    edges = _edges(waves)
    for beat in beats + shift:
        for name, (start, end) in edges.items():
            first, last = (int(np.clip(beat + round(second * fs), 0, len(phase))) for second in (start, end))
            phase[first:last] = PHASES.index(name)
    return phase, len(beats)


def _edges(waves: Waves) -> dict[str, tuple[float, float]]:
    """Seconds where each part begins and ends, of those that a beat has; T first, P and QRS over it."""
    found = {"T": (waves.t_onset, waves.t_offset), "ST": (waves.qrs_offset, waves.t_onset),
             "PR": (waves.p_offset, waves.qrs_onset), "P": (waves.p_onset, waves.p_offset),
             "QRS": (waves.qrs_onset, waves.qrs_offset)}  # fmt: skip
    return {name: edge for name, edge in found.items() if bool(np.isfinite(edge).all()) and edge[1] > edge[0]}
