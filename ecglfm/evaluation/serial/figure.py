"""The picture of `serial`: reliability over the time between two recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import COLOURS, GREY, style


def serial_figure(content: dict[str, Any]) -> Figure:
    """Scores on the left, a line per label; embeddings on the right, a line per encoder; a row per encoder's models.

    Of an encoder with several fits the first of each task is shown.

    Parameters
    ----------
    content : dict
        As `run_serial` writes it.
    """
    encoders = list(dict.fromkeys(model["encoder"] for model in content["models"]))
    rows = max(1, len(encoders))
    figure = Figure(figsize=(9.6, 0.6 + 3.3 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False, sharey=True)
    for row, encoder in enumerate(encoders):
        shown: dict[str, dict[str, Any]] = {}
        for model in content["models"]:
            if model["encoder"] == encoder and model["task"] not in shown:
                shown[model["task"]] = model["labels"]
        lines = {f"{task}: {label}": times for task, labels in shown.items() for label, times in labels.items()}
        _lines(axes[row, 0], lines, content["times"])
        style(axes[row, 0], f"Scores of {encoder}", y="ICC(1,1)")
    vectors = {entry["encoder"]: entry["times"] for entry in content["embeddings"]}
    _lines(axes[0, 1], vectors, content["times"], band=True)
    style(axes[0, 1], "Dimensions of the embedding: median and quartiles")
    for unused in axes[1:, 1]:
        unused.set_axis_off()
    return figure


def _lines(axes: Axes, lines: dict[str, dict[str, Any]], times: list[str], *, band: bool = False) -> None:
    """A line over the times, with intervals, or, of embeddings, a band between the quartiles."""
    place = np.arange(len(times))
    for i, (name, own) in enumerate(lines.items()):
        entries = [own[time] for time in times]
        colour, shift = COLOURS[i % len(COLOURS)], 0.06 * (i - (len(lines) - 1) / 2)
        value = _numbers(entries, "value")
        axes.plot(place + shift, value, color=colour, marker="o", markersize=4, linewidth=1.4, label=name)
        axes.vlines(place + shift, _numbers(entries, "ci_low"), _numbers(entries, "ci_high"), color=colour)
        if band:
            low, high = _numbers(entries, "lower"), _numbers(entries, "upper")
            axes.fill_between(place + shift, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xticks(place, times, fontsize=8.5)
    axes.set_ylim(-0.45, 1.02)
    if lines:
        axes.legend(frameon=False, fontsize=7.5, loc="lower left", ncols=2)


def _numbers(entries: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if entry[key] is None else entry[key] for entry in entries], dtype=np.float64)
