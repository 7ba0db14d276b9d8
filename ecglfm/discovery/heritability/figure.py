"""Pictures of heritability: each feature with its error, and the correlations of all pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import COLOURS, GREY, style

_MOST = 40
_Z = 1.959964


def heritability_figure(table: pd.DataFrame) -> Figure:
    """SNP heritability of each feature with its 95 % interval, the highest z first, at most forty."""
    shown = table.sort_values("h2_z", ascending=False, kind="stable").head(_MOST)
    figure = Figure(figsize=(6.4, 1.4 + 0.2 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    left_out = f"; {len(shown)} of {len(table)}" if len(shown) < len(table) else ""
    style(axes, "SNP heritability", x=f"h2 by LD-score regression, 95 % interval{left_out}")
    place = -np.arange(len(shown), dtype=np.float64)
    half = _Z * shown["h2_se"].to_numpy()
    axes.hlines(place, shown["h2"] - half, shown["h2"] + half, color=COLOURS[0])
    axes.plot(shown["h2"], place, "s", color=COLOURS[0], markersize=5)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(place, shown["edf"], fontsize=7.5)
    axes.grid(visible=False, axis="y")
    return figure


def correlation_figure(table: pd.DataFrame, features: list[str]) -> Figure:
    """Genetic correlations of all pairs as squares; one of P < 0.05 over the number of pairs has a dot.

    Parameters
    ----------
    table : DataFrame
        As `heritabilities` gives it.
    features : list of str
        In the order of the axes, at most the first forty.
    """
    shown = features[:_MOST]
    at = {name: number for number, name in enumerate(shown)}
    value, certain = np.full((len(shown), len(shown)), np.nan), []
    for row in table.to_dict("records"):
        if row["edf_1"] in at and row["edf_2"] in at:
            i, j = sorted((at[row["edf_1"]], at[row["edf_2"]]), reverse=True)
            value[i, j] = row["rg"]
            if row["rg_p"] < 0.05 / len(table):
                certain.append((j, i))
    side = 2.4 + 0.2 * len(shown)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    style(axes, "Genetic correlation")
    image = axes.imshow(value, cmap="RdBu_r", vmin=-1, vmax=1)
    if certain:
        axes.plot(*zip(*certain, strict=True), "o", color="#1b1f24", markersize=3)
    axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=7)
    axes.set_yticks(range(len(shown)), shown, fontsize=7)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, shrink=0.6).ax.tick_params(labelsize=7)
    return figure
