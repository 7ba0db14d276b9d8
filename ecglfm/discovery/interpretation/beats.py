"""What a high and a low EDF look like: the mean of people's median beats, lead by lead.

Shapes: w samples of a beat, l leads, g people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ecglfm.evaluation.beats import average_beat

BEFORE, AFTER = 0.30, 0.50  # s around the middle of QRS that are shown


class GroupBeat(NamedTuple):
    """Mean of the median beats of some people.

    Attributes
    ----------
    signal_mv : ndarray, shape (w, l)
        NaN where no beat reaches.
    people : int
        That it is of.
    """

    signal_mv: np.ndarray
    people: int


def median_beat(signal_mv: np.ndarray, fs: float) -> np.ndarray | None:
    """The median beat of a recording on a fixed stretch of time, (w, l); NaN beyond its ends, None without a beat.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (n, l)
        mV.
    fs : float
        Hz.
    """
    beat = average_beat(signal_mv, fs)
    if beat is None:
        return None
    before, after = round(BEFORE * fs), round(AFTER * fs)
    out = np.full((before + after, signal_mv.shape[1]), np.nan)
    first, last = max(0, beat.center - before), min(len(beat.signal), beat.center + after)
    start = before - (beat.center - first)
    out[start : start + last - first] = beat.signal[first:last]
    return out


def group_beat(beats: Sequence[np.ndarray | None]) -> GroupBeat | None:
    """Mean over people, each sample of those whose beat reaches there; of fewer than half of them it is NaN.

    Returns
    -------
    GroupBeat or None
        None where nobody has a beat.
    """
    there_gwl = np.stack(found) if (found := [beat for beat in beats if beat is not None]) else None
    if there_gwl is None:
        return None
    known = np.isfinite(there_gwl)
    count = known.sum(axis=0)
    total = np.where(known, there_gwl, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=2 * count >= len(there_gwl))
    return GroupBeat(mean, len(there_gwl))
