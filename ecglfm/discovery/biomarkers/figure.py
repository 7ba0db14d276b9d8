"""The heat map of EDFs against biomarkers, alike beside alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage

from ecglfm.evaluation.plots import GREY, INK

MOST = 40  # EDFs that are shown, those with the strongest correlation
SIGNIFICANT = 0.05


def clustered(values: np.ndarray) -> np.ndarray:
    """Order of rows in which alike ones stand together: average linkage of their distances (NaN counts as 0)."""
    if len(values) < 3:
        return np.arange(len(values))
    order: np.ndarray = leaves_list(linkage(np.nan_to_num(values), "average", optimal_ordering=len(values) <= 200))
    return order


def heat_map(table: pd.DataFrame) -> Figure:
    """Partial Spearman correlations, biomarkers down and EDFs across; a dot where q is below 0.05.

    Parameters
    ----------
    table : DataFrame
        As `associate` gives it.
    """
    edfs, names = (list(dict.fromkeys(table[column])) for column in ("edf", "biomarker"))
    rho = table.pivot(index="biomarker", columns="edf", values="rho").reindex(index=names, columns=edfs)
    q = table.pivot(index="biomarker", columns="edf", values="q_value").reindex(index=names, columns=edfs)
    rho = rho.dropna(how="all")
    strongest = rho.abs().max().sort_values(ascending=False, kind="stable").index[:MOST]
    rho = rho[[name for name in edfs if name in set(strongest)]]
    rho = rho.iloc[clustered(rho.to_numpy()), clustered(rho.to_numpy().T)]
    q = q.loc[rho.index, rho.columns]
    rows, columns = max(1, len(rho)), max(1, len(rho.columns))
    width, height = 1.9 + 0.24 * max(columns, 14), 1.5 + 0.17 * rows
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((1.35 / width, 0.85 / height, 1 - 2.2 / width, 1 - 1.25 / height))
    full = max(0.1, float(np.nanmax(np.abs(rho.to_numpy()), initial=0.0)))
    image = axes.imshow(rho.to_numpy(), cmap="PuOr_r", vmin=-full, vmax=full, aspect="auto")
    y, x = np.nonzero(q.to_numpy() < SIGNIFICANT)
    dark = np.abs(rho.to_numpy()[y, x]) > 0.7 * full
    axes.scatter(x, y, s=3.5, c=np.where(dark, "white", INK), linewidths=0)
    axes.set_xticks(range(len(rho.columns)), rho.columns, rotation=90, fontsize=6.5, color=GREY)
    axes.set_yticks(range(len(rho)), rho.index, fontsize=6.5, color=GREY)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title("partial Spearman correlation; dot: q < 0.05", size=9, color=INK, loc="left")
    bar_axes = figure.add_axes((1 - 0.7 / width, 0.35, 0.12 / width, 0.3))
    bar = figure.colorbar(image, cax=bar_axes)
    bar_axes.tick_params(labelsize=7, colors=GREY, length=0)
    bar.outline.set_visible(False)
    return figure
