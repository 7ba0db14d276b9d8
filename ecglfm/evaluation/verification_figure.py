"""The picture of a verification: how scores of the same and of different people lie, and the trade-off of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

from ecglfm.evaluation.error_rates import Scores, operating_points
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style, with_interval

_BINS = 40
_RATES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
_POINTS = 2000
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 2}


def verification_figure(scores: Scores, entries: dict[str, Any]) -> Figure:
    """Histograms of the scores, and the DET curve (Martin et al. 1997) with its equal error rate.

    Parameters
    ----------
    scores : Scores
    entries : dict
        As `measure` gives them.
    """
    figure = Figure(figsize=(8.4, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    _histograms(left, scores)
    style(right, "Detection error trade-off", x="false match rate", y="false non-match rate")
    ticks = ndtri(np.array(_RATES))
    right.set(xlim=ticks[[0, -1]], ylim=ticks[[0, -1]], aspect="equal")
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks(ticks, [f"{100 * rate:g} %" for rate in _RATES])
    right.plot(ticks[[0, -1]], ticks[[0, -1]], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    right.plot(-ticks, ticks, color=GREY, linewidth=0.6, linestyle=(0, (1, 2)))
    eer = entries["eer"]["value"]
    if eer is None:
        right.text(0, 0, entries["eer"]["reason"], ha="center", va="bottom", size=7.5, color=INK, wrap=True)
        return figure
    points = operating_points(scores)
    shown = np.unique(np.linspace(0, len(points[0]) - 1, _POINTS).astype(int))
    fmr, fnmr = (np.clip(rates[shown], 1e-6, 1 - 1e-6) for rates in points)
    right.plot(ndtri(fmr), ndtri(fnmr), color=COLOURS[0], linewidth=1.6)
    place = ndtri(np.clip(eer, _RATES[0], _RATES[-1]))
    right.plot([place], [place], "o", color=COLOURS[1], markersize=5)
    text = f"EER {with_interval(entries['eer'])}\nAUROC {with_interval(entries['auroc'])}"
    right.text(0.97, 0.97, text, transform=right.transAxes, ha="right", va="top", size=8.5, color=INK, bbox=_PAPER)
    return figure


def _histograms(axes: Axes, scores: Scores) -> None:
    """Shares of the pairs of each sort by score."""
    style(axes, "Scores", x="cosine", y="share of the pairs")
    both = [("same person", scores.genuine, COLOURS[1]), ("different people", scores.impostor, COLOURS[0])]
    values = np.concatenate([score for _, score, _ in both])
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-6), _BINS + 1) if len(values) else [0.0, 1.0]
    for name, score, colour in both:
        if not len(score):
            continue
        share = np.histogram(score, edges)[0] / len(score)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.25)
        axes.stairs(share, edges, color=colour, linewidth=1.4, label=f"{name}: {len(score):,} pairs")
    if len(values):
        axes.legend(loc="upper left", frameon=False, fontsize=8.5, labelcolor=INK)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
