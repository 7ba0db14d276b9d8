"""The mean beat of a model's hits, false alarms and misses of a label, with what each part of it adds.

Shapes: w samples of a beat, l leads.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from ecglfm.config import UserError
from ecglfm.data.signals import shown_mv
from ecglfm.evaluation.attribution.gradients import attribute
from ecglfm.evaluation.beats import average_beat
from ecglfm.evaluation.plots import GREY, INK, highlight
from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)

#: Groups of a label's records, and how truth and call (1 or 0) tell them.
GROUPS = {"True positives": (1, 1), "False positives": (0, 1), "Misses": (1, 0)}
TOLERANCE = 0.05  # error of the sum: a mean over records needs less than one of them alone
_BEFORE, _AFTER = 0.30, 0.50  # s around the middle of QRS that are shown
_SMOOTH = 0.02  # s


@dataclass(frozen=True)
class MeanBeat:
    """The mean over some records of a group, each with the same weight.

    Attributes
    ----------
    signal_mv, values : ndarray of float64, shape (w, l)
        mV, and what each sample of a beat adds to the label's score.
    records, of : int
        How many records it is of, and how many the group has.
    """

    signal_mv: np.ndarray
    values: np.ndarray
    records: int
    of: int


def choose_records(table: pd.DataFrame, label: str, most: int) -> dict[str, tuple[list[str], int]]:
    """Records of each group that are looked at, drawn blindly by their name, and how many the group has.

    Parameters
    ----------
    table : DataFrame
        Test rows of `predictions.parquet`.
    label : str
    most : int
        Records of a group.
    """
    truth = table[f"target.{label}"].to_numpy(np.float64)
    called = (table[f"probability.{label}"] >= table[f"threshold.{label}"]).to_numpy(np.float64)
    names = table["record_id"].to_numpy(str)
    found = {}
    for group, (positive, yes) in GROUPS.items():
        there = names[(truth == positive) & (called == yes)].tolist()
        found[group] = (sorted(there, key=_blind)[:most], len(there))
    return found


def _blind(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def mean_beat(
    model: ECGModel, label: int, names: Sequence[str], read: Callable[[str], np.ndarray], of: int
) -> MeanBeat | None:
    """The mean beat of some records, of the first window of each; None where none can be explained.

    Parameters
    ----------
    model : ECGModel
    label : int
        Place in `label_names`.
    names : sequence of str
        Records.
    read : callable
        Samples of a record, int16 microvolts (n, l).
    of : int
        Records of the group.
    """
    fs = model.encoder.sampling_rate
    before, after = round(_BEFORE * fs), round(_AFTER * fs)
    signals, values = [], []
    for name in names:
        signal_uv = read(name)
        signal_mv = shown_mv(signal_uv, model.encoder)[: model.encoder.crop_samples]
        average = average_beat(signal_mv, fs)
        told: dict[str, Any] = {"occlude": False, "tolerance": TOLERANCE, "seconds": model.encoder.crop_seconds}
        try:
            found = None if average is None else attribute(model, signal_uv, label, **told)
        except UserError as error:
            logger.warning("%s: not in the mean beat: %s", name, error)
            continue
        if average is None or found is None:
            continue
        kept = [beat for beat in average.beats if beat >= before and beat + after <= len(signal_mv)]
        if kept:
            levelled = [signal_mv[beat - before : beat + after] for beat in kept]
            signals.append(np.mean([one - np.median(one, axis=0) for one in levelled], axis=0))
            values.append(np.mean([found.values[beat - before : beat + after] for beat in kept], axis=0))
    if not signals:
        return None
    return MeanBeat(np.mean(signals, axis=0), np.mean(values, axis=0), len(signals), of)


def draw_mean_beats(beats: dict[str, MeanBeat], leads: Sequence[str], fs: float) -> Figure:
    """A row per group, a beat per lead, in the colours of `plot_ecg`'s shades: orange adds, blue takes away.

    Colours are as strong in all rows, so that rows can be compared.

    Parameters
    ----------
    beats : dict of str to MeanBeat
    leads : sequence of str
    fs : float
        Hz.
    """
    smooth = {name: gaussian_filter1d(beat.values, _SMOOTH * fs, axis=0) for name, beat in beats.items()}
    full = max((float(np.percentile(np.abs(one), 99.0)) for one in smooth.values()), default=0.0) or 1.0
    width, gap = _BEFORE + _AFTER, 0.12
    figure = Figure(figsize=(12.0, 1.55 * len(beats)), facecolor="white")
    for row, (name, beat) in enumerate(beats.items()):
        height = 1.0 / len(beats)
        axes = figure.add_axes((0.0, 1.0 - (row + 1) * height, 1.0, height), frame_on=False, xticks=[], yticks=[])
        low, high = float(beat.signal_mv.min()), float(beat.signal_mv.max())
        room = max(high - low, 0.5)
        axes.set_xlim(-0.05, len(leads) * (width + gap))
        axes.set_ylim(low - 0.15 * room, high + 0.55 * room)
        axes.text(0.0, high + 0.5 * room, f"{name}: {beat.records} of {beat.of} records", size=9, weight="bold",
                  color=INK, va="top")  # fmt: skip
        for column, lead in enumerate(leads):
            at = column * (width + gap) + np.arange(len(beat.signal_mv)) / fs
            trace = beat.signal_mv[:, column]
            axes.add_collection(highlight(at, trace, smooth[name][:, column] / full, fs), autolim=False)
            axes.plot(at, trace, color=INK, linewidth=0.9, zorder=3, gid=f"{name}-{lead}")
            axes.text(at[0], high + 0.22 * room, lead, size=8, color=GREY, va="top")
        axes.plot([len(leads) * (width + gap) - 0.05] * 2, [0.0, 0.5], color=GREY, linewidth=1.2)  # 0.5 mV
    return figure
