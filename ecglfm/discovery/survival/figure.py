"""Survival of people by tertile of an EDF: Kaplan-Meier, with how many are still observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ecglfm.evaluation.metrics import RiskSets
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_TERTILES = (("lowest third", COLOURS[0]), ("middle third", COLOURS[6]), ("highest third", COLOURS[1]))
_PER_ROW = 3


def tertile(values: np.ndarray) -> np.ndarray:
    """0, 1 or 2 by rank, equal values together: shape (n,)."""
    cuts = np.quantile(values, [1 / 3, 2 / 3])
    return np.searchsorted(cuts, values, side="left")


def kaplan_meier_figure(
    time: np.ndarray, event: np.ndarray, edf: pd.DataFrame, titles: Sequence[str], unit: str
) -> Figure:
    """A panel per EDF: share without event over time of each third, and the numbers at risk below.

    Parameters
    ----------
    time, event : ndarray, shape (n,)
    edf : DataFrame, shape (n, panels)
    titles : sequence of str
        A second line for each panel.
    unit : str
        Of time.
    """
    count = max(1, edf.shape[1])
    columns, rows = min(_PER_ROW, count), -(-count // _PER_ROW)
    width, height = 4.1 * columns, 4.6 * rows
    figure = Figure(figsize=(width, height), facecolor="white")
    grid = figure.subplots(
        rows, columns, squeeze=False,
        gridspec_kw={"left": 0.95 / width, "right": 1 - 0.15 / width, "bottom": 1.5 / height, "top": 1 - 0.68 / height,
                     "wspace": 0.32, "hspace": 1.0},
    )  # fmt: skip
    lowest = 1.0
    for place, axes in enumerate(grid.flat):
        if place >= edf.shape[1]:
            axes.set_visible(False)
            continue
        name = str(edf.columns[place])
        group = tertile(edf[name].to_numpy(np.float64))
        style(axes, x=f"time ({unit})", y="share without event")
        axes.set_title(f"{name}\n{titles[place]}", size=9.0, color=INK, loc="left")
        axes.set_xlim(0, time.max())
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= time.max()]
        axes.text(0.0, -0.27, "at risk", transform=axes.transAxes, size=7.5, color=GREY, ha="left")
        for number, (label, colour) in enumerate(_TERTILES):
            one = group == number
            if not one.any():
                continue
            sets = RiskSets(time[one], event[one])
            survival = sets.kaplan_meier(np.ones((int(one.sum()), 1)))[:, 0]
            lowest = min(lowest, float(survival.min()))
            axes.step([0, *sets.unique], survival, where="post", color=colour, linewidth=1.4, label=label)
            for tick in ticks:
                axes.text(
                    tick, -0.36 - 0.09 * number, f"{int((time[one] >= tick).sum())}", size=7.5, color=colour,
                    ha="center", transform=axes.get_xaxis_transform(),
                )  # fmt: skip
        axes.legend(loc="lower left", fontsize=7.5, edgecolor="white", labelcolor=INK)
    for axes in grid.flat:
        axes.set_ylim(max(0.0, lowest - 0.35 * (1.0 - lowest)), 1.0 + 0.02 * (1.0 - lowest))
    return figure
