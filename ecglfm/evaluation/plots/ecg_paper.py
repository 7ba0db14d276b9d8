"""A recording on ECG paper, as a cardiologist expects it: 25 mm/s, 10 mm/mV, 3 x 4 leads and a rhythm strip.

The axes of the figure are millimetres of paper and cover all of it, so that a printout at full size can be
read with a ruler: 1 s is 25 mm, 1 mV is 10 mm, small squares are 1 mm and large ones 5 mm. Rows grow with their
leads; complexes too high for that are drawn at 5 mm/mV, as carts do, and the sheet says so. What no heart makes
(a spike) is cut off at the end of its row, with a mark and its voltage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ecglfm.config import UserError
from ecglfm.provenance import atomic
from ecglfm.records import Record, normalize_lead

MM_PER_SECOND = 25.0
MM_PER_MV = (10.0, 5.0)  # the usual gain, and half of it
MM_PER_INCH = 25.4
ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
RHYTHM = "II"
COLUMN_SECONDS = 2.5
STRIP_SECONDS = 10.0

_MARGIN, _HEAD, _FOOT = 5.0, 11.0, 8.0  # white paper around the grid, mm
_PULSE = 15.0  # grid left of the leads, for the calibration pulse, mm
_RIGHT = 5.0  # grid right of them, mm
_REACH = 60.0  # how far a row goes above and below its zero line at most, mm
_FINE, _BOLD, _PAPER = "#f8d4d0", "#eda9a3", "#fffaf8"
_INK, _GREY, _CUT = "#14181f", "#6b6f76", "#b00020"


@dataclass(frozen=True)
class _Band:
    """A row of the sheet: its gain in mm/mV, where its zero line is, and what lies above and below it, mm."""

    gain: float
    baseline: float
    above: float
    below: float


def plot_ecg(
    record: Record | np.ndarray,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    title: str = "",
    *,
    start: float = 0.0,
    note: str = "",
) -> Figure:
    """Draw a recording on 25 mm/s, 10 mm/mV paper (5 mm/mV where complexes exceed 5.5 mV) in real size.

    Ten seconds in four columns of 2.5 s that follow one another in time, and lead II all along below. Of
    a shorter recording the columns overlap in time, so that every lead is shown. Each lead is moved to its
    zero line by its median; nothing is filtered. A lead that the recording lacks is said.

    Parameters
    ----------
    record : Record or ndarray, shape (samples, leads)
        Millivolts, NaN where missing.
    fs : float, optional
        Hz; needed with an array.
    leads : sequence of str, optional
        Names of the array's columns; needed with an array.
    title : str
        Above the paper, left.
    start : float
        Where to begin, s.
    note : str
        Above the paper, right.

    Returns
    -------
    matplotlib.figure.Figure
        One axes in millimetres of paper.

    Raises
    ------
    ValueError
        An array without `fs` and `leads`, or with another number of columns than `leads`.
    """
    if isinstance(record, Record):
        signal_mv, fs, leads = record.signal, record.sampling_rate, record.leads
    else:
        signal_mv = np.asarray(record, dtype=np.float64)
    if fs is None or leads is None or signal_mv.ndim != 2 or signal_mv.shape[1] != len(leads):
        raise ValueError(f"plot_ecg: a signal of shape {signal_mv.shape} needs fs and the name of each column")
    traces = _traces(signal_mv[max(0, round(start * fs)) :], fs, [normalize_lead(lead) for lead in leads])

    length = max((len(trace) for trace in traces.values()), default=0)
    spare = max(0.0, min(length / fs, STRIP_SECONDS) - COLUMN_SECONDS)
    starts = [round(column * spare / 3 * fs) for column in range(4)]
    segments = [
        [traces.get(lead, np.empty(0))[s : s + round(COLUMN_SECONDS * fs)] for lead, s in zip(row, starts, strict=True)]
        for row in ROWS
    ]
    segments.append([traces.get(RHYTHM, np.empty(0))])

    gain = _gain(segments)
    bands, figure, axes = _sheet(segments, gain)
    left = _MARGIN + _PULSE
    for band, names, row in zip(bands, [*ROWS, (RHYTHM,)], segments, strict=True):
        _pulse(axes, band)
        for column, (name, segment) in enumerate(zip(names, row, strict=True)):
            x = left + column * COLUMN_SECONDS * MM_PER_SECOND
            _lead(axes, band, x, name, segment, fs, first=column == 0)
    width, height = axes.get_xlim()[1], axes.get_ylim()[1]
    axes.text(_MARGIN, height - 4.2, title[:90], size=11, weight="bold", color=_INK, va="top")
    axes.text(width - _MARGIN, height - 4.6, note[:90], size=9, color=_GREY, va="top", ha="right")
    axes.text(_MARGIN, 2.6, f"25 mm/s    {gain:g} mm/mV", size=9, color=_INK)
    shown = f"{start:g} to {start + min(length / fs, STRIP_SECONDS):g} s" if length else "no signal"
    axes.text(width - _MARGIN, 2.6, f"{fs:g} Hz    {shown}", size=9, color=_GREY, ha="right")
    return figure


def save_ecg(path: str | Path, record: Record, *, title: str = "", start: float = 0.0) -> None:
    """Draw a recording (see `plot_ecg`) into a `.png` (200 dpi), `.pdf` or `.svg`, without a date in it.

    Raises
    ------
    UserError
        Another file ending, or `start` lies outside the recording.
    """
    path = Path(path)
    kinds = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    if path.suffix.lower() not in kinds:
        raise UserError(f"{path}: unknown kind of picture; write one of {', '.join(kinds)}")
    seconds = len(record.signal) / record.sampling_rate
    if not 0 <= start < seconds:
        raise UserError(f"--start {start:g}: the recording lasts {seconds:g} s")
    figure = plot_ecg(record, title=title, start=start)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=200, metadata=kinds[path.suffix.lower()])


def _traces(signal_mv: np.ndarray, fs: float, leads: list[str]) -> dict[str, np.ndarray]:
    """What is shown of each lead, its median at zero; a lead without any sample is left out."""
    shown = signal_mv[: round(STRIP_SECONDS * fs)]
    return {
        lead: shown[:, column] - np.nanmedian(shown[:, column])
        for column, lead in enumerate(leads)
        if np.isfinite(shown[:, column]).any()
    }


def _gain(segments: list[list[np.ndarray]]) -> float:
    """10 mm/mV, or 5 where a lead only fits into its row then; a spike that fits into neither decides nothing."""
    peaks = [np.nanmax(np.abs(segment)) for row in segments for segment in row if np.isfinite(segment).any()]
    usual, half = MM_PER_MV
    room = _REACH - 5
    return half if any(room / usual < peak <= room / half for peak in peaks) else usual


def _sheet(segments: list[list[np.ndarray]], gain: float) -> tuple[list[_Band], Figure, Axes]:
    """Rows as high as their leads need (zero lines on bold ones), and the empty grid they lie on."""
    heights = []
    for row in segments:
        finite = np.concatenate([segment[np.isfinite(segment)] for segment in row] or [np.empty(0)])
        top, bottom = (finite.max(), finite.min()) if len(finite) else (0.0, 0.0)
        above = 5 * math.ceil(min(max(top * gain + 5, 14), _REACH) / 5)
        below = 5 * math.ceil(min(max(-bottom * gain + 1, 10), _REACH) / 5)
        heights.append((above, below))
    grid_height = sum(above + below for above, below in heights)
    grid_width = _PULSE + STRIP_SECONDS * MM_PER_SECOND + _RIGHT
    width, height = grid_width + 2 * _MARGIN, _FOOT + grid_height + _HEAD

    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), frame_on=False, xticks=[], yticks=[])
    axes.add_patch(Rectangle((_MARGIN, _FOOT), grid_width, grid_height, facecolor=_PAPER, edgecolor="none", zorder=0))
    x, y = np.arange(grid_width + 1), np.arange(grid_height + 1)
    for step, colour, line, zorder in ((1, _FINE, 0.3, 0.5), (5, _BOLD, 0.6, 0.6)):
        upright = [[(_MARGIN + mm, _FOOT), (_MARGIN + mm, _FOOT + grid_height)] for mm in x[::step]]
        level = [[(_MARGIN, _FOOT + mm), (_MARGIN + grid_width, _FOOT + mm)] for mm in y[::step]]
        grid = LineCollection(upright + level, colors=colour, linewidths=line, zorder=zorder)
        grid.set_gid(f"grid-{step}mm")
        axes.add_collection(grid, autolim=False)

    bands, top = [], _FOOT + grid_height
    for above, below in heights:
        bands.append(_Band(gain=gain, baseline=top - above, above=above, below=below))
        top -= above + below
    return bands, figure, axes


def _pulse(axes: Axes, band: _Band) -> None:
    """Calibration: 1 mV for 0.2 s."""
    x = _MARGIN + np.array([3.0, 5, 5, 10, 10, 12])
    y = band.baseline + band.gain * np.array([0.0, 0, 1, 1, 0, 0])
    axes.plot(x, y, color=_INK, linewidth=0.9, solid_joinstyle="miter", zorder=3, gid="calibration")


def _lead(axes: Axes, band: _Band, x: float, name: str, segment: np.ndarray, fs: float, *, first: bool) -> None:
    """One lead's stretch of the row, with its name and the mark that divides it from the one before."""
    halo = [withStroke(linewidth=2.5, foreground=_PAPER)]
    top = band.baseline + band.above
    axes.text(x + 1, top - 1.2, name, size=10, weight="bold", color=_INK, va="top", zorder=4, path_effects=halo)
    if not len(segment):
        axes.text(
            x + 1, band.baseline, "not recorded", size=9, style="italic", color=_GREY, va="center", zorder=4,
            path_effects=halo,
        )  # fmt: skip
        return
    if not first:
        for low, high in ((3, 6), (-6, -3)):
            axes.plot([x, x], [band.baseline + low, band.baseline + high], color=_INK, linewidth=0.8, zorder=2.5)
    mm = np.clip(segment * band.gain, -band.below, band.above)  # NaN stays NaN: a gap
    at = x + np.arange(len(segment)) / fs * MM_PER_SECOND
    axes.plot(at, band.baseline + mm, color=_INK, linewidth=0.9, solid_joinstyle="round", zorder=3, gid=f"lead-{name}")
    for sign, limit, arrow, place in ((1, band.above, "^", "top"), (-1, band.below, "v", "bottom")):
        beyond = np.flatnonzero(sign * segment * band.gain > limit)
        if len(beyond):
            ends, worst = band.baseline + sign * limit, beyond[np.argmax(sign * segment[beyond])]
            axes.plot(
                at[beyond], np.full(len(beyond), ends), arrow, color=_CUT, markersize=4, zorder=5, gid=f"cut-{name}"
            )
            axes.text(
                at[worst] + 1.5, ends, f"{segment[worst]:+.1f} mV", size=8, color=_CUT, va=place, zorder=5,
                path_effects=halo,
            )  # fmt: skip
