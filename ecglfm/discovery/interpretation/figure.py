"""Pictures of what EDFs look at: leads and parts of the beat, beats of high and low, and the map of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecglfm.discovery.interpretation.beats import AFTER, BEFORE, GroupBeat
from ecglfm.evaluation.beats import PHASES
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_PER_ROW = 4
_HIGH, _LOW = COLOURS[1], COLOURS[0]


def attribution_figure(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """A panel per EDF: what each lead and part adds{wide}to the difference of high and low, orange up and blue down.

    Parameters
    ----------
    table : DataFrame
        As `attribution_table` gives it, of all EDFs.
    titles : mapping of str
        A second line for each EDF's panel.
    """
    names = list(titles)
    columns, rows = min(_PER_ROW, max(1, len(names))), max(1, -(-len(names) // _PER_ROW))
    figure = Figure(figsize=(2.9 * columns + 0.4, 3.7 * rows), layout="constrained", facecolor="white")
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        own = table[table["edf"] == names[place]]
        leads = list(dict.fromkeys(own["lead"]))
        values = own["difference"].to_numpy(np.float64).reshape(len(leads), len(PHASES))
        full = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
        image = axes.imshow(values, cmap="PuOr_r", vmin=-(full or 1.0), vmax=full or 1.0, aspect="auto")
        axes.set_xticks(range(len(PHASES)), PHASES, fontsize=8, color=GREY)
        axes.set_yticks(range(len(leads)), leads, fontsize=8, color=GREY)
        axes.tick_params(length=0)
        axes.set_title(f"{names[place]}\n{titles[names[place]]}", size=9, color=INK, loc="left")
        for side in axes.spines.values():
            side.set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.55, pad=0.02, aspect=16)
        bar.ax.tick_params(labelsize=7, colors=GREY, length=0)
        bar.outline.set_visible(False)
    lines = ("part of the beat; SD of the EDF", "that it adds to", "the difference of high and low")
    label = (" " if columns > 2 else "\n").join(lines)
    figure.supxlabel(label, size=8.5, color=GREY)
    return figure


def beats_figure(beats: Mapping[str, tuple[GroupBeat, GroupBeat]], leads: Sequence[str], fs: float) -> Figure:
    """A row per EDF, a beat per lead: people with a high EDF orange, with a low one blue.

    Parameters
    ----------
    beats : mapping of (high, low)
        By EDF.
    leads : sequence of str
    fs : float
        Hz.
    """
    width, gap = BEFORE + AFTER, 0.12
    rows = max(1, len(beats))
    figure = Figure(figsize=(13.0, 1.75 * rows), facecolor="white")
    for row, (name, (high, low)) in enumerate(beats.items()):
        axes = figure.add_axes((0.0, 1.0 - (row + 1) / rows, 1.0, 1.0 / rows), frame_on=False, xticks=[], yticks=[])
        both = np.concatenate([high.signal_mv, low.signal_mv])
        bottom, top = float(np.nanmin(both)), float(np.nanmax(both))
        room = max(top - bottom, 0.5)
        axes.set_xlim(-0.05, len(leads) * (width + gap) + 0.08)
        axes.set_ylim(bottom - 0.12 * room, top + 0.55 * room)
        axes.text(0.0, top + 0.5 * room, name, size=9, weight="bold", color=INK, va="top")
        for place, (label, beat, colour) in enumerate((("high", high, _HIGH), ("low", low, _LOW))):
            axes.text(
                1.0 + 1.6 * place, top + 0.5 * room, f"{label}: mean of {beat.people} people", size=8.5, color=colour,
                va="top",
            )  # fmt: skip
        for column, lead in enumerate(leads):
            at = column * (width + gap) + np.arange(len(high.signal_mv)) / fs
            for beat, colour in ((low, _LOW), (high, _HIGH)):
                axes.plot(at, beat.signal_mv[:, column], color=colour, linewidth=1.1)
            axes.text(at[0], top + 0.22 * room, lead, size=8, color=GREY, va="top")
        right = len(leads) * (width + gap) - 0.06
        axes.plot([right] * 2, [0.0, 0.5], color=GREY, linewidth=1.2)
        axes.text(right + 0.03, 0.25, "0.5 mV", size=6.5, color=GREY, ha="left", va="center", rotation=90)
    return figure


def map_figure(places: pd.DataFrame, edf: pd.DataFrame, axis: str) -> Figure:
    """A panel per EDF, people coloured by it.

    Parameters
    ----------
    places : DataFrame
        `record_id`, `x`, `y`.
    edf : DataFrame
        By `record_id`: rank-inverse-normal EDFs.
    axis : str
        What the axes are.
    """
    names = [str(name) for name in edf]
    columns, rows = min(_PER_ROW, max(1, len(names))), max(1, -(-len(names) // _PER_ROW))
    figure = Figure(figsize=(3.1 * columns + 0.5, 2.9 * rows + 0.3), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False)
    values = edf.reindex(places["record_id"])
    points = None
    for place, axes in enumerate(panels.flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        style(axes, names[place])
        axes.grid(False)
        axes.set(xticks=[], yticks=[])
        points = axes.scatter(
            places["x"], places["y"], c=values[names[place]], s=6, cmap="coolwarm", vmin=-2.5, vmax=2.5, linewidths=0
        )
    if points is not None:
        bar = figure.colorbar(points, ax=panels, shrink=0.6, pad=0.01, aspect=25)
        bar.set_label("EDF, SD", size=8, color=GREY)
        bar.ax.tick_params(labelsize=7.5, colors=GREY)
        bar.outline.set_visible(False)
    figure.supxlabel(axis, size=8.5, color=GREY)
    return figure
