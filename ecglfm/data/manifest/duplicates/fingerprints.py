"""Fingerprints of recordings: what a copy keeps when it is shifted, cut, resampled, rescaled or rounded again.

Windows of 3 s are taken around the steepest moment of each beat, so that a copy which begins later has
the same windows at other times. Each window becomes 64 small numbers whose cosine estimates the correlation
of the windows: about 700 bytes a recording of 10 s, whatever its rate.

A second set, of windows of 2 s freed of more wander and with the leads' amplitudes in the order of their size, is the
same for a copy whose leads are swapped or inverted.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ecglfm.data.manifest.duplicates.mapped import MappedArray
from ecglfm.data.manifest.duplicates.recordings import Recordings
from ecglfm.sources.parallel import ordered_map

#: Signals are compared at about this rate (Hz) before the few likely ones are compared in full.
COARSE_RATE = 100.0
WINDOW_SECONDS, UNORDERED_SECONDS, WINDOW_RATE = 3.0, 2.0, 50.0
SIGNATURE_SIZE = 64
#: Signatures have length 1 times this, rounded: a component of 0.42 still fits into eight bits.
SCALE = 300
_SMOOTH_SECONDS, _ENERGY_SECONDS, _APART_SECONDS = 0.05, 0.13, 0.4
_DRIFT_SECONDS, WANDER_SECONDS = 1.0, 0.7
_CHUNK, _ALL = 64, slice(None)


class Fingerprints(NamedTuple):
    """Signatures of many recordings, in mapped files; the anchors of one stand together, in time.

    Attributes
    ----------
    rows : ndarray of int32, shape (n_anchors,)
        Recording of each anchor.
    begins : ndarray of bool, shape (n_anchors,)
        Whether the window is the first of the recording, rather than that of a beat.
    times : ndarray of float32, shape (n_anchors,)
        Middle of the window, seconds.
    vectors : ndarray of int8, shape (n_anchors, 64)
        Signatures, of length `SCALE`.
    """

    rows: np.ndarray
    begins: np.ndarray
    times: np.ndarray
    vectors: np.ndarray


def coarse(signal: np.ndarray, fs: float) -> tuple[np.ndarray, float]:
    """Means of blocks of samples, float32, and their rate: about 100 Hz."""
    step = max(1, round(fs / COARSE_RATE))
    rows = len(signal) // step
    blocks = np.asarray(signal)[: rows * step].reshape(rows, step, signal.shape[1])
    total = blocks[:, 0].astype(np.float32)
    for sample in range(1, step):  # whole numbers, exact; a quarter of the time of `mean(axis=1)`
        total += blocks[:, sample]
    return total / np.float32(step), fs / step


def _samples(seconds: float, rate: float) -> int:
    """Samples of a window that is centred on one of them: an odd number."""
    return 2 * round((seconds * rate - 1) / 2) + 1


def without_drift(x: np.ndarray, rate: float) -> np.ndarray:
    """The signal less its mean over the second around each sample: free of baseline wander."""
    return x - uniform_filter1d(x, max(1, _samples(_DRIFT_SECONDS, rate)), axis=0, mode="nearest")


def smooth(x: np.ndarray, rate: float) -> np.ndarray:
    """Means over 0.05 s, of which a shift by part of a sample changes next to nothing."""
    return uniform_filter1d(x, max(1, _samples(_SMOOTH_SECONDS, rate)), axis=0, mode="nearest")


def heartbeat(x: np.ndarray, rate: float) -> np.ndarray:
    """What is left of a signal between about 1 and 9 Hz: next to nothing of wander, noise and hum.

    Of wander of 0.3 Hz and 0.5 mV, 35 uV are left after the first subtraction and 3 uV after the second.
    """
    for _ in range(2):
        x = x - uniform_filter1d(x, max(1, _samples(WANDER_SECONDS, rate)), axis=0, mode="nearest")
    return smooth(x, rate)


def _anchors(x: np.ndarray, rate: float) -> np.ndarray:
    """Where the leads together move fastest within 0.4 s either way, to a fraction of a sample.

    The fraction is the top of the parabola through three neighbours: without it, copies shifted by half a
    sample would have cosines of 0.98 instead of 0.999.
    """
    speed = np.zeros(len(x), np.float32)
    speed[1:-1] = np.square(x[2:] - x[:-2]).sum(axis=1)
    energy = uniform_filter1d(speed, _samples(_ENERGY_SECONDS, rate))
    reach = _samples(2 * _APART_SECONDS, rate)
    at = np.flatnonzero((energy == maximum_filter1d(energy, reach, mode="nearest")) & (energy > 0))
    at = at[(at > 0) & (at < len(x) - 1)]
    before, top, after = energy[at - 1], energy[at], energy[at + 1]
    bend = before - 2 * top + after
    return at + np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0.0)


@cache
def _directions(size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((size, SIGNATURE_SIZE)).astype(np.float32)


def fingerprint(signal: np.ndarray, fs: float, *, unordered: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Anchors of one recording and their signatures.

    A signature is the window, freed of drift and of each lead's mean, on 64 fixed random directions, scaled to
    one length: the cosine of two estimates the correlation of the windows within about (1 - r^2) / 8 (Johnson
    and Lindenstrauss 1984).

    Parameters
    ----------
    signal : ndarray of int16, shape (n_samples, n_leads)
    fs : float
        Hz.
    unordered : bool
        Whether the signature is the same whichever leads are swapped or inverted.

    Returns
    -------
    times : ndarray of float32, shape (n,)
        Seconds; the first is the middle of the first window. None for a recording that is shorter than a
        window or does not move.
    vectors : ndarray of int8, shape (n, 64)
    """
    nothing = np.empty(0, np.float32), np.empty((0, SIGNATURE_SIZE), np.int8)
    x, rate = coarse(signal, fs)
    half = (UNORDERED_SECONDS if unordered else WINDOW_SECONDS) / 2 * rate
    if len(x) < 2 * half + 1 or np.ptp(x, axis=0).max() < 1.0:  # microvolts; below is rounding, not a signal
        return nothing
    x = heartbeat(x, rate) if unordered else smooth(without_drift(x, rate), rate)
    beats = _anchors(x, rate)
    if unordered:
        x = np.sort(np.abs(x), axis=1)
    middles = np.concatenate([[half], beats[(beats >= half) & (beats <= len(x) - 1 - half)]])
    at = middles[:, None] + np.arange(-half, half, rate / WINDOW_RATE)
    below = np.minimum(at.astype(np.int64), len(x) - 2)
    windows = x[below]
    windows += (at - below).astype(np.float32)[:, :, None] * (x[below + 1] - windows)
    windows -= windows.mean(axis=1, keepdims=True)
    projected = windows.reshape(len(at), -1) @ _directions(at.shape[1] * x.shape[1])
    length = np.linalg.norm(projected, axis=1, keepdims=True)
    vectors = np.clip(np.rint(projected * (SCALE / np.maximum(length, 1e-6))), -127, 127)
    moving = length[:, 0] > 0
    return (middles / rate).astype(np.float32)[moving], vectors.astype(np.int8)[moving]


def _fingerprint_chunk(task: tuple[Recordings, np.ndarray, slice, bool]) -> Fingerprints:
    recordings, rates, leads, unordered = task
    with threadpool_limits(1):  # the same sums whatever the machine's number of cores
        made = [
            fingerprint(recordings[row][:, leads], rate, unordered=unordered) for row, rate in enumerate(rates.tolist())
        ]
    counts = [len(times) for times, _ in made]
    times, vectors = (np.concatenate(part) for part in zip(*made, strict=True))
    begins = np.concatenate([np.arange(count) == 0 for count in counts])
    return Fingerprints(np.repeat(np.arange(len(made), dtype=np.int32), counts), begins, times, vectors)


def make_fingerprints(
    recordings: Recordings,
    rates: np.ndarray,
    rows: np.ndarray,
    *,
    leads: slice = _ALL,
    unordered: bool = False,
    workers: int = 1,
) -> Fingerprints:
    """Fingerprints of many recordings; the number of workers changes nothing.

    Parameters
    ----------
    recordings : Recordings
    rates : ndarray of float, shape (n_records,)
        Hz.
    rows : ndarray of int
        Which recordings, in the order in which they are read.
    leads : slice
        Of which leads.
    unordered : bool
        Whether the same for swapped and inverted leads.
    workers : int
        Processes.
    """
    chunks = [rows[k : k + _CHUNK] for k in range(0, len(rows), _CHUNK)]
    tasks = ((recordings.take(chunk), rates[chunk], leads, unordered) for chunk in chunks)
    columns = (MappedArray(np.int32), MappedArray(bool), MappedArray(np.float32), MappedArray(np.int8, SIGNATURE_SIZE))
    results = ordered_map(_fingerprint_chunk, tasks, workers)
    name = "fingerprints, leads in any order" if unordered else "fingerprints"
    for chunk, made in zip(tqdm(chunks, name, disable=None), results, strict=True):
        for column, values in zip(columns, (chunk[made.rows], *made[1:]), strict=True):
            column.append(values)
    return Fingerprints(*(column.array() for column in columns))


def cosines(prints: Fingerprints, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the signatures of anchors `a` and `b`, pair by pair; sums of whole numbers, hence exact."""
    left, right = prints.vectors[a].astype(np.int32), prints.vectors[b].astype(np.int32)
    return np.einsum("ij,ij->i", left, right) / SCALE**2
