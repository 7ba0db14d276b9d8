"""When the beats of a recording come, and which way each is conducted.

Shapes: b beats, w waves, n samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ecglfm.sources.synthesis.patient import HEART_RATE, Patient

SECONDS = 10
#: Fibrillatory waves come and go within this time, s.
_EDGE = 0.1
#: An interval that has room for an interpolated beat, s.
_ROOM = 0.8
#: From the middle of a premature ventricular beat to the end of its QRS, s.
_HALF_QRS = 0.1


def beat_times(
    patient: Patient, rng: np.random.Generator, *, seconds: float = SECONDS
) -> tuple[np.ndarray, np.ndarray]:
    """R peaks from before the recording to after its end.

    Returns
    -------
    times : ndarray of float64, shape (b,)
        Seconds from the start of the recording, increasing.
    ectopic : ndarray of bool, shape (b,)
        Ventricular premature beats; the beat after one comes when it would have come anyway (full
        compensatory pause, or, where it is interpolated, none).
    """
    _, _, low, high = HEART_RATE.get(patient.condition, HEART_RATE["sinus"])
    if patient.look.episode is not None:
        low, high = HEART_RATE["sinus"][2:]
    mean = 60.0 / np.clip(patient.heart_rate * np.exp(0.04 * rng.standard_normal()), low, high)
    count = int(2.0 * seconds / mean) + 6
    wobble = rng.standard_normal(count)
    # in atrial fibrillation no two intervals are alike, and there is no memory
    irregular = np.clip(mean * np.exp(patient.look.irregularity * wobble - 0.03), 0.34, 2.2)
    if patient.condition == "AFIB" and patient.look.episode is None:
        intervals = irregular
    elif patient.condition == "SVTAC":  # a re-entry circuit is a clock
        intervals = mean * (1.0 + 0.004 * wobble)
    else:
        clock = np.arange(count) * mean
        arrhythmia = np.clip(0.07 - 0.0007 * patient.age, 0.01, 0.06)  # respiratory; lost with age
        arrhythmia *= patient.look.sinus_arrhythmia
        breath = np.sin(2 * np.pi * (patient.breathing * clock + rng.random()))
        mayer = np.sin(2 * np.pi * (0.1 * clock + rng.random()))  # blood pressure waves at 0.1 Hz
        intervals = mean * (1.0 + arrhythmia * breath + 0.015 * mayer + 0.008 * wobble)
        _hasten(intervals, patient.look.early_beats, rng, span=int(seconds / mean))
    start = intervals[0] * (1.0 + rng.random())
    if patient.look.episode is not None:
        intervals = _in_turn(intervals, irregular, intervals[0] - start, patient.look.episode)
    times = np.cumsum(intervals) - start
    times = times[: int(np.searchsorted(times, seconds)) + 2]
    return _with_ectopic_beats(patient, times, mean, rng, seconds=seconds)


def _in_turn(sinus: np.ndarray, irregular: np.ndarray, time: float, episode: tuple[float, float]) -> np.ndarray:
    """Intervals of a sinus rhythm, and between both times of the episode those of fibrillation."""
    found = [sinus[0]]
    for regular, other in zip(sinus[1:], irregular[1:], strict=True):
        found.append(other if episode[0] <= time < episode[1] else regular)
        time += found[-1]
    return np.array(found)


def _with_ectopic_beats(
    patient: Patient, times: np.ndarray, mean: float, rng: np.random.Generator, *, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Beats, some of them ventricular and premature, or some such beats more, and which they are."""
    look = patient.look
    ectopic = np.zeros(len(times), dtype=bool)
    if not patient.ectopy:
        return times, ectopic
    if look.ectopic_beats is None:
        ectopic[rng.integers(2, 4) :: rng.integers(2, 5)] = True
    else:  # never two in a row, and all within the recording: what is said to be there is seen
        places = np.arange(2, np.searchsorted(times, seconds - _HALF_QRS), 2)
        ectopic[rng.permutation(places)[: look.ectopic_beats]] = True
    early = np.maximum(rng.uniform(*look.coupling) * mean, 0.40)
    at = np.flatnonzero(ectopic)
    before = times[at] - times[at - 1]
    between = (before >= _ROOM) & look.interpolated
    more = times[at[between]] - before[between] / 2
    times[at[~between]] = np.minimum(times[at[~between] - 1] + early, times[at[~between]])  # or the sinus is first
    ectopic[at[between]] = False
    both = np.append(times, more)
    order = np.argsort(both)
    return both[order], np.append(ectopic, np.ones(len(more), dtype=bool))[order]


def _hasten(intervals: np.ndarray, count: int, rng: np.random.Generator, *, span: int) -> None:
    """Make some beats of the recording come early, with a pause after each that does not make up for it (atrial)."""
    if count:
        for place in rng.permutation(np.arange(3, max(span, 5), 2))[:count]:
            intervals[place : place + 2] *= rng.uniform(0.62, 0.80), 1.08


def fibrillates(patient: Patient, times: np.ndarray) -> np.ndarray:
    """How far the atria fibrillate at these times (s), 0 to 1."""
    if patient.condition != "AFIB":
        return np.zeros_like(times)
    if patient.look.episode is None:
        return np.ones_like(times)
    start, end = patient.look.episode
    return np.clip(np.minimum(times - start, end - times) / _EDGE + 0.5, 0.0, 1.0).astype(times.dtype)


class Form(NamedTuple):
    """Beats that have the same waves.

    Attributes
    ----------
    chosen : ndarray of bool, shape (b,)
        Which beats.
    waves : ndarray, shape (w, 5)
        As `Patient.waves`.
    n_p, n_t : int
        The first `n_p` are P waves, the last `n_t` ST and T, which follow the interval.
    """

    chosen: np.ndarray
    waves: np.ndarray
    n_p: int
    n_t: int


def beat_forms(patient: Patient, times: np.ndarray, ectopic: np.ndarray) -> list[Form]:
    """Which beats have which waves; those of a fused beat are of two forms at once."""
    n_p, n_t, fused = patient.n_p, patient.n_t, patient.look.fusion
    before = np.diff(times, prepend=2 * times[0] - times[1])
    usual = before[~ectopic]
    early = before < max(patient.look.refractory * np.median(usual), np.quantile(usual, patient.look.blocked))
    without = (fibrillates(patient, times) > 0.5) & (n_p > 0)
    found = []
    for chosen, waves in ((~ectopic & ~early, patient.waves), (~ectopic & early, patient.aberrant_waves)):
        found += [Form(chosen & ~without, waves, n_p, n_t), Form(chosen & without, waves[n_p:], 0, n_t)]
    own = patient.ectopic_waves
    if fused and patient.ectopy:
        normal, own = patient.waves.copy(), own.copy()
        normal[n_p:, 2:] *= fused
        own[:, 2:] *= 1.0 - fused
        found.append(Form(ectopic, normal, n_p, n_t))
    return [*found, Form(ectopic, own, 0, 0)]
