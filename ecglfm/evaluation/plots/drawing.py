"""Figures of evaluations and trainings: one quiet style, colours that the colour-blind can tell apart.

Figures are made through matplotlib's objects, never pyplot, so that nothing global is touched and a
server may draw in threads. The same numbers give the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ecglfm.evaluation.metrics import Predictions
from ecglfm.provenance import atomic

#: Okabe & Ito's palette, without its yellow, which is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4d4d4d")
INK, GREY, LIGHT = "#1b1f24", "#6b6f76", "#dfe2e6"
TOGETHER = 6  # up to so many labels share one axes; more get a panel each
_PER_ROW = 6
_BINS = 10


@dataclass(frozen=True)
class Series:
    """One line of a panel."""

    name: str
    x: np.ndarray
    y: np.ndarray


def literal(figure: Figure) -> Figure:
    """The figure, its texts drawn as they are written: a `$` in the name of a person or label begins no formula."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def png(figure: Figure, dpi: int = 150) -> bytes:
    """PNG of a figure, without date or version."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    literal(figure).savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: str | Path, dpi: int = 150) -> None:
    """Write a figure as PNG, atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(png(figure, dpi))


def data_uri(content: bytes) -> str:
    """A PNG to stand inside an HTML page."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def style(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Thin grey axes on two sides, a light grid, small text."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
        axes.spines[side].set_linewidth(0.8)
    axes.grid(color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color=GREY, labelcolor=GREY, width=0.8, length=3)
    if title:
        axes.set_title(title, size=9.5, color=INK, loc="left", weight="bold")
    axes.set_xlabel(x, size=8.5, color=GREY)
    axes.set_ylabel(y, size=8.5, color=GREY)


def with_interval(entry: dict[str, Any] | None, digits: int = 3) -> str:
    """`0.912 [0.890, 0.931]` of an entry of metrics.json, or a dash."""
    if entry is None or entry.get("value") is None:
        return "–"
    text = f"{entry['value']:.{digits}f}"
    if entry.get("ci_low") is not None and entry.get("ci_high") is not None:
        text += f" [{entry['ci_low']:.{digits}f}, {entry['ci_high']:.{digits}f}]"
    return text


def roc_curve(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates from (0, 0) to (1, 1), one point per distinct score (both classes present)."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    positive = target[order] > 0
    rates = [np.append(0, np.cumsum(which)[last] / which.sum()) for which in (~positive, positive)]
    return rates[0], rates[1]


def roc_figure(data: Predictions, metrics: dict[str, Any]) -> Figure:
    """ROC curve of every label with its AUROC and interval.

    Parameters
    ----------
    data : Predictions
        Of the test split.
    metrics : dict
        `labels` as in metrics.json.
    """

    def draw(axes: Axes, target: np.ndarray, probability: np.ndarray, colour: str, name: str) -> None:
        if 0 < target.sum() < len(target):
            axes.plot(*roc_curve(target, probability), color=colour, linewidth=1.6, label=name)
        else:
            axes.plot([], [], color=colour, linewidth=1.6, label=name)

    texts = [f"AUROC {with_interval(metrics['labels'][name]['auroc'])}" for name in data.names]
    return _label_figure(data, texts, draw, x="1 - specificity", y="sensitivity")


def calibration_figure(data: Predictions, metrics: dict[str, Any]) -> Figure:
    """Observed share of positives against predicted probability, in ten bins of equal count.

    Where the probabilities were calibrated, the points are those after it and a thin line shows the ones before.
    """

    def points(target: np.ndarray, probability: np.ndarray) -> tuple[list[float], list[float]]:
        order = np.argsort(probability, kind="stable")
        bins = [part for part in np.array_split(order, min(_BINS, max(1, len(order) // 10))) if len(part)]
        return [probability[part].mean() for part in bins], [target[part].mean() for part in bins]

    def draw(axes: Axes, target: np.ndarray, probability: np.ndarray, colour: str, name: str) -> None:
        axes.plot(*points(target, probability), color=colour, linewidth=1.2, marker="o", markersize=3.5, label=name)

    def draw_before(axes: Axes, target: np.ndarray, probability: np.ndarray, colour: str, _name: str) -> None:
        axes.plot(*points(target, probability), color=colour, linewidth=0.9, linestyle=(0, (1, 1.2)))

    texts = [f"Brier {with_interval(metrics['labels'][name]['brier'])}" for name in data.names]
    x, y = "predicted probability", "observed share"
    if data.uncalibrated is None:
        return _label_figure(data, texts, draw, x=x, y=y)
    before, x = replace(data, probabilities=data.uncalibrated), f"{x} (calibrated; dotted: before)"
    return _label_figure(data, texts, draw, x=x, y=y, before=(before, draw_before))


def _label_figure(
    data: Predictions,
    texts: list[str],
    draw: Callable[..., None],
    *,
    x: str,
    y: str,
    before: tuple[Predictions, Callable[..., None]] | None = None,
) -> Figure:
    """All labels on one square axes with a legend beside it, or a panel each when they are many.

    `before` are the predictions to draw underneath, and how.
    """

    def fill(axes: Axes, label: int, colour: str, name: str) -> None:
        for one, drawing in [(data, draw)] if before is None else [before, (data, draw)]:
            rows = known[label]
            drawing(axes, one.targets[rows, label], one.probabilities[rows, label], colour, name)

    count = len(data.names)
    known = [~np.isnan(data.targets[:, label]) for label in range(count)]
    if count <= TOGETHER:
        figure = Figure(figsize=(6.4, 3.7), layout="constrained")
        axes = figure.add_subplot(aspect="equal", anchor="W", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        style(axes, x=x, y=y)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        for label, (name, text) in enumerate(zip(data.names, texts, strict=True)):
            fill(axes, label, COLOURS[label], f"{name}\n{text}")
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=9, labelcolor=INK, labelspacing=0.9
        )
        return figure
    rows_count = -(-count // _PER_ROW)
    # Fixed margins in inches: matplotlib's own layout takes half a minute for 71 panels.
    width, height = 2.1 * _PER_ROW, 2.25 * rows_count + 0.5
    margins = {"left": 0.6 / width, "right": 1 - 0.1 / width, "bottom": 0.55 / height, "top": 1 - 0.4 / height}
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(
        rows_count, _PER_ROW, squeeze=False, sharex=True, sharey=True,
        gridspec_kw=margins | {"wspace": 0.16, "hspace": 0.34},
    )  # fmt: skip
    for label, axes in enumerate(panels.flat):
        if label >= count:
            axes.set_visible(False)
            continue
        style(axes)
        axes.set_title(f"{data.names[label][:26]}\n{texts[label]}", size=7.5, color=INK, loc="left")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=(0, (4, 3)))
        fill(axes, label, COLOURS[0], data.names[label])
    figure.supxlabel(x, size=9, color=GREY, y=0.12 / height)
    figure.supylabel(y, size=9, color=GREY, x=0.12 / width)
    return figure


def history_figure(panels: Mapping[str, Sequence[Series]], x: str, *, per_row: int = 4) -> Figure:
    """Small panels of a training's course, e.g. each term of the loss on train and valid.

    Parameters
    ----------
    panels : dict
        Title: its lines.
    x : str
        What the lines run over: `step` or `epoch`.
    """
    columns, rows = max(1, min(per_row, len(panels))), max(1, -(-len(panels) // per_row))
    figure = Figure(figsize=(2.75 * columns + 0.2, 1.95 * rows + 0.35), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    names: dict[str, str] = {}
    for title, axes in zip([*panels, *[None] * (rows * columns - len(panels))], grid.flat, strict=True):
        if title is None:
            axes.set_visible(False)
            continue
        style(axes, title.replace("_", " "), x=x)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        for series in panels[title]:
            colour = names.setdefault(series.name, COLOURS[len(names) % len(COLOURS)])
            marker = "o" if len(series.x) <= 12 else None
            axes.plot(series.x, series.y, color=colour, linewidth=1.4, marker=marker, markersize=2.5)
    handles = [Axes.plot(grid[0, 0], [], [], color=colour, label=name)[0] for name, colour in names.items()]
    if len(handles) > 1:
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=8.5)
    return figure
