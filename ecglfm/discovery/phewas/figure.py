"""The Manhattan plot of a PheWAS: phenotypes by chapter."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_NAMED = 12


def phewas_figure(table: pd.DataFrame, *, fdr: float) -> Figure:
    """-log10 P of every feature and phenotype; up where the effect raises it, down where it lowers it.

    The line is the largest P of those whose q is at most `fdr`; of these the least P of each phenotype is named, at
    most twelve.

    Parameters
    ----------
    table : DataFrame
        As `scan` gives it.
    fdr : float
        Share of false discoveries.
    """
    chapters = sorted(table["chapter"].unique())
    order = table[["chapter", "phenotype"]].drop_duplicates().sort_values(["chapter", "phenotype"], ignore_index=True)
    place = {name: number for number, name in enumerate(order["phenotype"])}
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    style(axes, "PheWAS", y="-log10 P")
    height = -np.log10(np.maximum(table["p_value"].to_numpy(np.float64), 1e-300))
    for number, chapter in enumerate(chapters):
        own = (table["chapter"] == chapter).to_numpy()
        for sign, mark in ((1, "^"), (-1, "v")):
            rows = own & (np.sign(table["beta"].to_numpy()) == sign)
            axes.plot(
                table["phenotype"][rows].map(place), height[rows], mark,
                color=COLOURS[number % len(COLOURS)], markersize=4, alpha=0.8, markeredgewidth=0,
            )  # fmt: skip
    found = table[table["q_value"] <= fdr]
    if len(found):
        line = -np.log10(max(found["p_value"].max(), 1e-300))
        axes.axhline(line, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        first = found.sort_values("p_value", kind="stable").drop_duplicates("phenotype").head(_NAMED)
        for row in first.to_dict("records"):
            axes.annotate(
                f"{row['phenotype']} ({row['edf']})",
                (place[row["phenotype"]], -np.log10(max(row["p_value"], 1e-300))),
                xytext=(4, 3), textcoords="offset points", fontsize=6.5, color=INK,
            )  # fmt: skip
    middle = [float(np.mean([place[name] for name in order["phenotype"][order["chapter"] == one]])) for one in chapters]
    axes.set_xticks(middle, chapters, rotation=35, ha="right", fontsize=8)
    axes.set_ylim(0, 1.15 * float(height.max(initial=1.0)))
    axes.grid(visible=False, axis="x")
    return figure
