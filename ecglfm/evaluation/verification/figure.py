"""The picture of a verification: how scores of the same and of different people lie, and the trade-off of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

from ecglfm.evaluation.plots import COLOURS, GREY, INK, style, with_interval
from ecglfm.evaluation.verification.rates import RULE_OF, Scores, operating_points

_BINS = 40
_RATES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
_POINTS = 2000
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 2}


def verification_figure(strata: Mapping[str, Scores], measured: dict[str, Any]) -> Figure:
    """Histograms of the scores, and the DET curve (Martin et al. 1997) of each source with its equal error rate.

    A source of fewer than 30 pairs of either sort has no curve: its steps would be read as a course.

    Parameters
    ----------
    strata : mapping of str to Scores
        By source.
    measured : dict
        As `measure` gives it.
    """
    figure = Figure(figsize=(8.4, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = {name: strata[name] for name in measured["sources"]}
    _histograms(left, list(shown.values()))
    style(right, "Detection error trade-off", x="false match rate", y="false non-match rate")
    ticks = ndtri(np.array(_RATES))
    right.set(xlim=ticks[[0, -1]], ylim=ticks[[0, -1]], aspect="equal")
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks(ticks, [f"{100 * rate:g} %" for rate in _RATES])
    right.plot(ticks[[0, -1]], ticks[[0, -1]], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    right.plot(-ticks, ticks, color=GREY, linewidth=0.6, linestyle=(0, (1, 2)))
    overall = measured["overall"]
    if not shown:
        right.text(0, 0, overall["eer"]["reason"], ha="center", va="bottom", size=7.5, color=INK, wrap=True)
        return figure
    few = []
    for (name, scores), colour in zip(shown.items(), cycle(COLOURS), strict=False):
        if (least := min(len(scores.genuine), len(scores.impostor))) < RULE_OF:
            few.append(f"{name}: {least} pair{'s' if least > 1 else ''} of one sort, no curve below {RULE_OF}")
            continue
        _curve(right, scores, measured["sources"][name]["eer"]["value"], colour, name if len(shown) > 1 else None)
    right.text(0, ndtri(0.03), "\n".join(few), ha="center", va="bottom", size=7.5, color=INK, bbox=_PAPER)
    text = f"EER {with_interval(overall['eer'])}\nAUROC {with_interval(overall['auroc'])}"
    right.text(0.97, 0.97, text, transform=right.transAxes, ha="right", va="top", size=8.5, color=INK, bbox=_PAPER)
    if len(shown) > max(1, len(few)):
        right.legend(loc="lower left", frameon=False, fontsize=7.5, labelcolor=INK)
    return figure


def _curve(axes: Axes, scores: Scores, eer: float, colour: str, label: str | None) -> None:
    """DET curve of one source, with a point at its equal error rate."""
    points = operating_points(scores)
    some = np.unique(np.linspace(0, len(points[0]) - 1, _POINTS).astype(int))
    fmr, fnmr = (np.clip(rates[some], 1e-6, 1 - 1e-6) for rates in points)
    axes.plot(ndtri(fmr), ndtri(fnmr), color=colour, linewidth=1.6, label=label)
    place = ndtri(np.clip(eer, _RATES[0], _RATES[-1]))
    axes.plot([place], [place], "o", color=colour, markersize=5)


def _histograms(axes: Axes, strata: Sequence[Scores]) -> None:
    """Shares of the pairs by score; a source has the same part of the impostor pairs as of the genuine ones."""
    style(axes, "Scores", x="cosine", y="share of the pairs")
    if not strata:
        return
    genuine, impostor = (np.concatenate([getattr(one, sort) for one in strata]) for sort in ("genuine", "impostor"))
    part = [np.full(len(one.impostor), len(one.genuine) / len(one.impostor)) for one in strata]
    weights = np.concatenate(part) / len(genuine)
    values = np.concatenate([genuine, impostor])
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-6), _BINS + 1)
    for name, score, weight, colour in (
        ("same person", genuine, np.full(len(genuine), 1 / len(genuine)), COLOURS[1]),
        ("different people", impostor, weights, COLOURS[0]),
    ):
        share = np.histogram(score, edges, weights=weight)[0]
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.25)
        axes.stairs(share, edges, color=colour, linewidth=1.4, label=f"{name}: {len(score):,} pairs")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.08), frameon=False, fontsize=8.5, labelcolor=INK, borderaxespad=0
    )
    axes.set_ylim(0, axes.get_ylim()[1])
