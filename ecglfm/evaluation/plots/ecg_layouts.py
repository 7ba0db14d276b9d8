"""Which lead stands where on a sheet, and which seconds of it.

Columns follow one another in time. Of a recording that is shorter than the sheet they overlap in time, so that every
lead is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ecglfm.config import UserError

RHYTHM = "II"
SHEET_SECONDS = 10.0
MOST_ROWS = 12  # of a single lead: two minutes


class Layout(NamedTuple):
    """Leads by row, all columns as wide; a `-` before a lead turns it upside down.

    Attributes
    ----------
    rows : tuple of tuple of str
    rhythm : bool
        Whether one lead runs all along below.
    """

    rows: tuple[tuple[str, ...], ...]
    rhythm: bool = False


_CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")

#: The limb leads of `cabrera` follow the frontal plane, from 30 degrees to the left downwards (2007 AHA/ACCF/HRS
#: recommendations, doi:10.1161/CIRCULATIONAHA.106.180200, 2.6).
LAYOUTS: dict[str, Layout] = {
    "3x4": Layout((("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6")), rhythm=True),
    "6x2": Layout(tuple(zip(("I", "II", "III", "aVR", "aVL", "aVF"), _CHEST, strict=True))),
    "cabrera": Layout(tuple(zip(("aVL", "I", "-aVR", "II", "aVF", "III"), _CHEST, strict=True))),
    "single": Layout(()),
}


class Strip(NamedTuple):
    """A lead's stretch of a row: mV around its zero line, NaN where missing; empty where it was not recorded."""

    name: str
    signal_mv: np.ndarray
    shade: np.ndarray | None = None
    recorded: bool = True

    @property
    def top(self) -> float:
        """Highest value, mV; 0 of none."""
        return float(np.nanmax(self.signal_mv)) if np.isfinite(self.signal_mv).any() else 0.0

    @property
    def bottom(self) -> float:
        """Lowest value, mV; 0 of none."""
        return float(np.nanmin(self.signal_mv)) if np.isfinite(self.signal_mv).any() else 0.0

    @property
    def peak(self) -> float:
        """Largest distance from zero, mV."""
        return max(self.top, -self.bottom)


class Sheet(NamedTuple):
    """What a sheet shows: strips by row, seconds of a column, and seconds of the recording in all."""

    rows: list[list[Strip]]
    column_seconds: float
    seconds: float


def arrange(
    signal_mv: np.ndarray,
    fs: float,
    leads: Sequence[str],
    shade: np.ndarray | None = None,
    *,
    layout: str | None = None,
    lead: str | None = None,
) -> Sheet:
    """Lay a recording out.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (samples, leads)
        From where the sheet begins.
    fs : float
        Hz.
    leads : sequence of str
        Names of the columns.
    shade : ndarray of float, shape (samples, leads), optional
    layout, lead : str, optional
        As of `plot_ecg`.

    Raises
    ------
    UserError
        An unknown layout, or `lead` is not in the recording.
    """
    there = [name for column, name in enumerate(leads) if np.isfinite(signal_mv[:, column]).any()]
    layout = layout or ("single" if len(leads) == 1 else "3x4")
    if layout not in LAYOUTS:
        raise UserError(f"layout {layout!r}: none of {', '.join(LAYOUTS)}")
    if lead is not None and lead not in leads:
        raise UserError(f"lead {lead}: not in the recording, which has {' '.join(leads)}")
    chosen = lead or (there[0] if there and RHYTHM not in there else RHYTHM)
    length = min(len(signal_mv), round(SHEET_SECONDS * (MOST_ROWS if layout == "single" else 1) * fs))
    traces = _Traces(signal_mv[:length], list(leads), None if shade is None else shade[:length])
    if layout == "single":
        row = round(SHEET_SECONDS * fs)
        count = max(1, math.ceil(length / row))
        rows = [[traces.strip(chosen, number * row, row)] for number in range(count)]
        return Sheet(rows, SHEET_SECONDS, length / fs)
    shape = LAYOUTS[layout]
    columns = len(shape.rows[0])
    seconds = SHEET_SECONDS / columns
    spare = max(0.0, length / fs - seconds)
    starts = [round(column * spare / (columns - 1) * fs) for column in range(columns)]
    rows = [
        [traces.strip(name, start, round(seconds * fs)) for name, start in zip(row, starts, strict=True)]
        for row in shape.rows
    ]
    if shape.rhythm:
        rows.append([traces.strip(chosen, 0, length)])
    return Sheet(rows, seconds, length / fs)


class _Traces:
    """What is shown of each lead, its median at zero."""

    def __init__(self, signal_mv: np.ndarray, leads: list[str], shade: np.ndarray | None) -> None:
        self._signal, self._leads, self._shade = signal_mv, leads, shade

    def strip(self, name: str, start: int, length: int) -> Strip:
        """Some samples of a lead, which may begin with `-`."""
        lead = name.removeprefix("-")
        column = self._leads.index(lead) if lead in self._leads else None
        if column is None or not np.isfinite(self._signal[:, column]).any():
            return Strip(name, np.empty(0), recorded=False)
        trace = self._signal[:, column]
        part = slice(start, start + length)
        shown = (trace[part] - np.nanmedian(trace)) * (-1.0 if name != lead else 1.0)
        return Strip(name, shown, None if self._shade is None else self._shade[part, column])
