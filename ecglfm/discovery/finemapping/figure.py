"""The picture of a locus: P over place, the credible set in colour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecglfm.discovery.summary import negative_log10_p
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_GENOME_WIDE = -np.log10(5e-8)


def locus_figure(found: pd.DataFrame, title: str) -> Figure:
    """-log10 P of all variants of a locus; of those in the credible set the area is the posterior.

    Parameters
    ----------
    found : DataFrame
        As `posteriors` gives it.
    title : str
    """
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    chromosome = found["chromosome"].iloc[0] if len(found) else "?"
    style(axes, title, x=f"chromosome {chromosome}, Mb", y="-log10 P")
    place, height = found["base_pair_location"] / 1e6, negative_log10_p(found)
    inside = found["in_set"].to_numpy(bool)
    axes.plot(place[~inside], height[~inside], "o", color=GREY, markersize=2.5, markeredgewidth=0, alpha=0.6)
    axes.scatter(
        place[inside], height[inside], s=14 + 160 * found["posterior"][inside], color=COLOURS[1], alpha=0.8,
        linewidth=0, label=f"credible set: {inside.sum()} of {len(found)} variants",
    )  # fmt: skip
    for row, y in list(zip(found.to_dict("records"), height, strict=True))[:1]:
        axes.annotate(
            f"{row['variant']} ({row['posterior']:.2f})", (row["base_pair_location"] / 1e6, y), xytext=(7, 5),
            textcoords="offset points", fontsize=7.5, color=INK,
        )  # fmt: skip
    axes.axhline(_GENOME_WIDE, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.margins(y=0.12)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    return figure
