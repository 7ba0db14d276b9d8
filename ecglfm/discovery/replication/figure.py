"""The picture of a replication: effects of the second cohort over those of the first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_Z = 1.959964


def replication_figure(table: pd.DataFrame, cohort: str) -> Figure:
    """Effects with 95 % intervals, alleles counted so that the first is positive; what replicates in colour.

    Parameters
    ----------
    table : DataFrame
        As `replicate` gives it.
    cohort : str
        Name of the second cohort.
    """
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    style(axes, f"Lead variants in {cohort}", x="effect in the first cohort", y=f"effect in {cohort}")
    shown = table[table["tested"].astype(bool)]
    sign = np.sign(shown["beta"]).to_numpy(np.float64)
    x, y = shown["beta"].to_numpy(np.float64) * sign, shown["beta_2"].to_numpy(np.float64) * sign
    error = _Z * shown["standard_error_2"].to_numpy(np.float64)
    yes = shown["replicates"].to_numpy(bool)
    for rows, colour, name in ((yes, COLOURS[0], "replicates"), (~yes, GREY, "does not")):
        axes.errorbar(
            x[rows], y[rows], yerr=error[rows], fmt="o", color=colour, ecolor=colour, markersize=4, elinewidth=0.8,
            label=f"{name}: {rows.sum()}",
        )  # fmt: skip
    top = 1.1 * float(max(x.max(initial=0.0), 1e-3))
    axes.plot([0, top], [0, top], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(0, top)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    return figure
