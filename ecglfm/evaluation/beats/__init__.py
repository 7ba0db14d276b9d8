"""Where the beats of a recording are, its average beat, and where waves begin and end in it."""

from __future__ import annotations

from ecglfm.evaluation.beats.delineation import PHASES, delineate, phases_of
from ecglfm.evaluation.beats.intervals import Intervals, frontal_axis, measure_intervals
from ecglfm.evaluation.beats.peaks import AverageBeat, average_beat, find_beats

__all__ = [
    "PHASES",
    "AverageBeat",
    "Intervals",
    "average_beat",
    "delineate",
    "find_beats",
    "frontal_axis",
    "measure_intervals",
    "phases_of",
]
