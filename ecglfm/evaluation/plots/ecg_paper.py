"""A recording on ECG paper, as a cardiologist expects it: 25 mm/s, 10 mm/mV, 3 x 4 leads and a rhythm strip.

The axes of the figure are millimetres of paper and cover all of it, so that a printout at full size can be
read with a ruler: 1 s is 25 mm, 1 mV is 10 mm, small squares are 1 mm and large ones 5 mm. Rows grow with their
leads, and no sample is ever cut off; what is too high for 10 mm/mV is drawn at 5 mm/mV, as carts do, and the sheet
says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ecglfm.config import UserError
from ecglfm.evaluation.plots.drawing import literal
from ecglfm.evaluation.plots.ecg_layouts import Strip, arrange
from ecglfm.provenance import atomic
from ecglfm.records import Record, normalize_lead

MM_PER_SECOND = 25.0
MM_PER_MV = (10.0, 5.0)  # the usual gain, and half of it
MM_PER_INCH = 25.4
STRIP_SECONDS = 10.0

_MARGIN, _HEAD, _LINE, _FOOT = 5.0, 11.0, 4.6, 8.0  # white paper around the grid, and a line of text above it, mm
_PULSE = 15.0  # grid left of the leads, for the calibration pulse, mm
_RIGHT = 5.0  # grid right of them, mm
_REACH = 60.0  # how high a row becomes at the usual gain, mm above and below its zero line
_NAME = 25.0  # how far above the zero line a lead's name stands at most, mm
_CHARACTERS = 150  # of a line of text above the paper
_FINE, _BOLD, _PAPER = "#f8d4d0", "#eda9a3", "#fffaf8"
_INK, _GREY = "#14181f", "#6b6f76"
#: Behind the trace: blue speaks against, orange for; neither is the paper's red. Light enough to read ink on it.
SHADES = LinearSegmentedColormap.from_list("ecglfm", ["#2f7fd0", "#9cc6f0", "#ffffff", "#f9b266", "#ef7d00"])


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
    lines: Sequence[str] = (),
    layout: str | None = None,
    lead: str | None = None,
    shade: np.ndarray | None = None,
) -> Figure:
    """Draw a recording on 25 mm/s, 10 mm/mV paper (5 mm/mV where complexes exceed 5.5 mV) in real size.

    Ten seconds, in columns that follow one another in time. Of a shorter recording the columns overlap in time, so
    that every lead is shown. Each lead is moved to its zero line by its median; nothing is filtered or cut off. A lead
    that the recording lacks is said.

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
    lines : sequence of str
        More lines above the paper.
    layout : str, optional
        One of `LAYOUTS`; default: `3x4`, but `single` where there is one lead.
    lead : str, optional
        What `single` shows, or the rhythm strip of `3x4`; default: II, or the first that there is.
    shade : ndarray of float, shape (samples, leads), optional
        From -1 to 1: colour behind each sample of the trace, blue below and orange above 0.

    Returns
    -------
    matplotlib.figure.Figure
        One axes in millimetres of paper.

    Raises
    ------
    ValueError
        An array without `fs` and `leads`, or with another number of columns than `leads`.
    UserError
        An unknown layout, or a `lead` that the recording lacks.
    """
    if isinstance(record, Record):
        signal_mv, fs, leads = record.signal, record.sampling_rate, record.leads
    else:
        signal_mv = np.asarray(record, dtype=np.float64)
    if fs is None or leads is None or signal_mv.ndim != 2 or signal_mv.shape[1] != len(leads):
        raise ValueError(f"plot_ecg: a signal of shape {signal_mv.shape} needs fs and the name of each column")
    names = [normalize_lead(name) for name in leads]
    first = max(0, round(start * fs))
    sheet = arrange(signal_mv[first:], fs, names, None if shade is None else shade[first:], layout=layout, lead=lead)

    gain = _gain(sheet.rows)
    bands, figure, axes = _sheet(sheet.rows, gain, len(lines))
    for band, row in zip(bands, sheet.rows, strict=True):
        _pulse(axes, band)
        for column, strip in enumerate(row):
            x = _MARGIN + _PULSE + column * sheet.column_seconds * MM_PER_SECOND
            _strip(axes, band, x, strip, fs, first=column == 0)
    width, height = axes.get_xlim()[1], axes.get_ylim()[1]
    axes.text(_MARGIN, height - 4.2, title[:90], size=11, weight="bold", color=_INK, va="top")
    axes.text(width - _MARGIN, height - 4.6, note[:90], size=9, color=_GREY, va="top", ha="right")
    for number, line in enumerate(lines):
        y = height - 10.2 - number * _LINE
        axes.text(_MARGIN, y, line[:_CHARACTERS], size=9, color=_INK, va="top")
    axes.text(_MARGIN, 2.6, f"25 mm/s    {gain:g} mm/mV", size=9, color=_INK)
    total, shown = len(signal_mv) / fs, sheet.seconds
    span = f"{start:g} to {start + shown:g} s" if shown else "no signal"
    span += f" of {total:g} s" if shown and total > shown + 1e-9 else ""
    axes.text(width - _MARGIN, 2.6, f"{fs:g} Hz    {span}", size=9, color=_GREY, ha="right")
    return figure


def save_ecg(path: str | Path, figure: Figure) -> None:
    """Write a sheet as `.png` (200 dpi), `.pdf` or `.svg`, without a date in it.

    Raises
    ------
    UserError
        Another file ending.
    """
    path = Path(path)
    kinds = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    if path.suffix.lower() not in kinds:
        raise UserError(f"{path}: unknown kind of picture; write one of {', '.join(kinds)}")
    with atomic(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "ecglfm"}):
        literal(figure).savefig(temporary, dpi=200, metadata=kinds[path.suffix.lower()])


def _gain(rows: list[list[Strip]]) -> float:
    """10 mm/mV, or 5 where a lead is too high for that."""
    peaks = [strip.peak for row in rows for strip in row]
    usual, half = MM_PER_MV
    return half if max(peaks, default=0.0) > (_REACH - 5) / usual else usual


def _sheet(rows: list[list[Strip]], gain: float, lines: int) -> tuple[list[_Band], Figure, Axes]:
    """Rows as high as their leads need (zero lines on bold ones), and the empty grid they lie on."""
    heights = []
    for row in rows:
        top, bottom = max(strip.top for strip in row), min(strip.bottom for strip in row)
        heights.append((5 * math.ceil(max(top * gain + 5, 14) / 5), 5 * math.ceil(max(-bottom * gain + 1, 10) / 5)))
    grid_height = sum(above + below for above, below in heights)
    grid_width = _PULSE + STRIP_SECONDS * MM_PER_SECOND + _RIGHT
    width, height = grid_width + 2 * _MARGIN, _FOOT + grid_height + _HEAD + lines * _LINE

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


def _strip(axes: Axes, band: _Band, x: float, strip: Strip, fs: float, *, first: bool) -> None:
    """One lead's stretch of the row, with its name and the mark that divides it from the one before."""
    halo = [withStroke(linewidth=2.5, foreground=_PAPER)]
    name_y = band.baseline + min(band.above, _NAME) - 1.2
    axes.text(x + 1, name_y, strip.name, size=10, weight="bold", color=_INK, va="top", zorder=4, path_effects=halo)
    if not strip.recorded:
        axes.text(
            x + 1, band.baseline, "not recorded", size=9, style="italic", color=_GREY, va="center", zorder=4,
            path_effects=halo,
        )  # fmt: skip
        return
    if not first:
        for low, high in ((3, 6), (-6, -3)):
            axes.plot([x, x], [band.baseline + low, band.baseline + high], color=_INK, linewidth=0.8, zorder=2.5)
    at = x + np.arange(len(strip.signal_mv)) / fs * MM_PER_SECOND
    mm = band.baseline + strip.signal_mv * band.gain  # NaN stays NaN: a gap
    if strip.shade is not None:
        axes.add_collection(highlight(at, mm, strip.shade, fs), autolim=False)
    axes.plot(at, mm, color=_INK, linewidth=0.9, solid_joinstyle="round", zorder=3, gid=f"lead-{strip.name}")


def highlight(at: np.ndarray, mm: np.ndarray, shade: np.ndarray, fs: float) -> LineCollection:
    """A highlighter's stroke behind the trace, in pieces of 20 ms; strong where the value is, none at 0."""
    step = max(1, round(0.02 * fs))
    starts = np.arange(0, max(1, len(at) - 1), step)
    points = np.stack([at, mm], axis=1)
    pieces = [points[start : start + step + 1] for start in starts]
    values = np.clip([shade[start : start + step + 1].mean() for start in starts], -1.0, 1.0)
    colours = SHADES((values + 1) / 2)
    colours[:, 3] = np.minimum(1.0, 1.6 * np.abs(values))
    found = LineCollection(pieces, colors=colours, linewidths=6.5, capstyle="butt", joinstyle="round", zorder=2)
    found.set_gid("shade")
    return found
