"""The curve of a model over its lead sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.evaluation.metrics import chances, title_of
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

#: More labels than this are thin lines without a name.
_NAMED = 6


def lead_sets_figure(metrics: dict[str, Any]) -> Figure:
    """The metric over the sets, and beside it what was lost against all leads, with intervals.

    Parameters
    ----------
    metrics : dict
        As `run_lead_sets` writes it.
    """
    metric, sets, names = metrics["metric"], metrics["sets"], metrics["label_names"]
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    values = {name: [row["labels"][name][metric] for row in sets] for name in names}
    changes = {name: [row["change"]["labels"][name] for row in sets[1:]] for name in names}
    if len(names) > 1:
        values["mean of labels"] = [row["macro"][metric] for row in sets]
        changes["mean of labels"] = [row["change"]["macro"] for row in sets[1:]]
    title = title_of(metric)
    _lines(left, values, [row["name"] for row in sets], len(names))
    if (chance := chances().get(metric)) is not None:
        left.axhline(chance, color=GREY, linewidth=0.8, linestyle=":")
    style(left, title, y=f"{title} (test)")
    _lines(right, changes, [row["name"] for row in sets[1:]], len(names))
    right.axhline(0, color=GREY, linewidth=0.8)
    style(right, f"Change against {sets[0]['name']}", y=f"difference of {title}")
    handles, shown = left.get_legend_handles_labels()
    if shown:
        figure.legend(handles, shown, loc="outside lower center", ncols=min(len(shown), 5), frameon=False, fontsize=8.5)
    return figure


def _lines(axes: Axes, entries: dict[str, list[dict[str, Any]]], sets: list[str], labels: int) -> None:
    """A line of each label over the sets, with intervals where there are few labels; the mean is black."""
    place = np.arange(len(sets))
    for i, (name, own) in enumerate(entries.items()):
        is_mean, few = i == labels, labels <= _NAMED
        value, low, high = (np.array([_number(entry, key) for entry in own]) for key in ("value", "ci_low", "ci_high"))
        colour = INK if is_mean else COLOURS[i % len(COLOURS)] if few else GREY
        shift = 0.05 * (i - len(entries) / 2) if few else 0.0
        thin = not (is_mean or few)
        axes.plot(
            place + shift, value, color=colour, linewidth=0.7 if thin else 1.6, alpha=0.6 if thin else 1.0,
            marker="o", markersize=2 if thin else 4, label=None if thin else name, zorder=3 if is_mean else 2,
        )  # fmt: skip
        if not thin:
            axes.vlines(place + shift, low, high, color=colour, linewidth=1.0)
    axes.set_xticks(place, sets)
    axes.margins(x=0.08)


def _number(entry: dict[str, Any], key: str) -> float:
    return np.nan if entry.get(key) is None else float(entry[key])
