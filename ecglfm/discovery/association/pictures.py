"""Pictures of scans: Manhattan, QQ and Miami plots, from points that `scan.py` has thinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.discovery.association.inflation import GENOME_WIDE
from ecglfm.discovery.association.scan import Scan, thinned
from ecglfm.discovery.genotypes import fresh_folder
from ecglfm.discovery.summary import negative_log10_p
from ecglfm.evaluation.plots import COLOURS, GREY, INK, literal, save_png, style

_SHADES = (COLOURS[0], COLOURS[4])  # of every other chromosome
_NAMED = 12  # loci with a name in a picture, the strongest
_SEX = {23: "X", 24: "Y", 25: "MT"}


def draw_scans(
    scans: Mapping[str, Scan],
    loci: pd.DataFrame,
    inflation: pd.Series,
    output: Path,
    *,
    threshold: float,
    miami: Sequence[str] | None = None,
) -> None:
    """Write `manhattan.png` and `qq.png` of all features, `miami.png` of two, `scans/{feature}.png` of each.

    Parameters
    ----------
    scans : mapping of Scan
        By feature.
    loci : DataFrame
        Of `locus_table`.
    inflation : Series
        Lambda, by feature.
    output : path
        Folder to write into.
    threshold : float
        P that counts for so many features.
    miami : sequence of str, optional
        Two features; by default those with the most loci.
    """
    genome = Genome({name: scan.ends for name, scan in scans.items()})
    with fresh_folder(output / "scans") as folder:
        for name, scan in scans.items():
            figure = Figure(figsize=(11, 3.6), layout="constrained")
            wide, square = figure.subplots(1, 2, width_ratios=(2.6, 1))
            draw_manhattan(wide, scan.points, genome, threshold=threshold, loci=loci[loci["edf"] == name], title=name)
            draw_qq(square, {name: scan.quantiles}, inflation)
            save_png(figure, folder / f"{name}.png")
    every = together([scan.points for scan in scans.values()])
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    title = f"least P of {len(scans)} traits" if len(scans) > 1 else next(iter(scans), "no trait")
    draw_manhattan(figure.subplots(), every, genome, threshold=threshold, loci=loci, title=title)
    save_png(figure, output / "manhattan.png")
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    named = list(strongest_first(loci)["edf"].unique())
    draw_qq(figure.subplots(), {name: scan.quantiles for name, scan in scans.items()}, inflation, named=named)
    save_png(figure, output / "qq.png")
    chosen = miami or most_loci(loci, list(scans))
    save_png(
        miami_figure({name: scans[name].points for name in chosen}, genome, loci, threshold=threshold),
        output / "miami.png",
    )


class Genome:
    """Where chromosomes lie on the x axis: one behind the other, each as long as what was tested of it.

    Parameters
    ----------
    ends : mapping of Series
        Last position of each chromosome, by feature.
    """

    def __init__(self, ends: Mapping[str, pd.Series]) -> None:
        none = pd.Series(dtype="int64")
        self.ends = pd.concat([none, *ends.values()]).groupby(level=0).max().sort_index()
        self.starts = self.ends.cumsum().shift(1, fill_value=0)

    def x(self, points: pd.DataFrame) -> np.ndarray:
        """Places of points along the axis."""
        return (points["base_pair_location"] + points["chromosome"].map(self.starts)).to_numpy(float)


def together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The highest point of each variant over several scans, thinned once more."""
    if not parts:
        return pd.DataFrame(columns=["chromosome", "base_pair_location", "height"])
    ordered = pd.concat(parts).sort_values("height", ascending=False, kind="stable")
    return thinned(ordered.drop_duplicates(["chromosome", "base_pair_location"]))


def most_loci(loci: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The two features with the most loci; of as many those with the least P, then by name."""
    groups = loci.groupby("edf")
    count = groups["locus"].nunique()
    highest = pd.Series(negative_log10_p(loci), loci["edf"]).groupby(level=0).max()
    return sorted(names, key=lambda name: (-count.get(name, 0), -highest.get(name, 0.0), name))[:2]


def strongest_first(loci: pd.DataFrame) -> pd.DataFrame:
    """Loci by P, also where a table has 0 of what a double does not hold."""
    return loci.iloc[np.argsort(-negative_log10_p(loci), kind="stable")]


def draw_manhattan(
    axes: Axes,
    points: pd.DataFrame,
    genome: Genome,
    *,
    threshold: float,
    loci: pd.DataFrame,
    title: str,
    down: bool = False,
) -> None:
    """Draw -log10 P along the genome, with both thresholds and the names of loci."""
    style(axes, title=title, y="−log₁₀ P")
    axes.grid(False, axis="x")
    x, chromosomes = genome.x(points), genome.ends.index
    for at, number in enumerate(chromosomes):
        on = (points["chromosome"] == number).to_numpy()
        axes.scatter(x[on], points["height"][on], s=5, color=_SHADES[at % 2], linewidths=0, rasterized=True)
    for p, line in ((GENOME_WIDE, (0, (4, 3))), (threshold, "-")):
        axes.axhline(-np.log10(p), color=COLOURS[1], linewidth=0.8, linestyle=line)
        above = (p < GENOME_WIDE) != down
        axes.annotate(
            f"{p:.1g}", (1, -np.log10(p)), (3, 1 if above else -1), xycoords=("axes fraction", "data"), size=7,
            textcoords="offset points", ha="left", va="bottom" if above else "top", color=COLOURS[1],
        )  # fmt: skip
    strongest = strongest_first(loci).drop_duplicates("locus").head(_NAMED)
    heights = negative_log10_p(strongest)
    names = strongest["nearest_gene"].fillna(strongest["lead_rsid"])
    places = genome.x(strongest)
    axes.scatter(places, heights, s=18, color=COLOURS[1], linewidths=0, zorder=3)
    for place, height, name in zip(places, heights, names, strict=True):
        offset, side = ((0, -4), "top") if down else ((0, 4), "bottom")
        axes.annotate(
            str(name), (place, height), offset, textcoords="offset points", ha="center", va=side, size=7, color=INK
        )
    middles = genome.starts + genome.ends / 2
    axes.set_xticks(middles, [_SEX.get(number, str(number)) for number in chromosomes])
    axes.set_xlim(0, max(genome.ends.sum(), 1))
    top = max(points["height"].max() if len(points) else 0, -np.log10(min(threshold, GENOME_WIDE))) * 1.12
    axes.set_ylim((top, 0) if down else (0, top))
    axes.set_xlabel("chromosome", size=8.5, color=GREY)


def draw_qq(axes: Axes, scans: Mapping[str, pd.DataFrame], inflation: pd.Series, *, named: Sequence[str] = ()) -> None:
    """Draw observed against expected -log10 P of one or several scans, with 95 % of what chance gives.

    Of many scans those of `named` have a colour, as many as there are; the others are grey, and below.
    """
    style(axes, x="expected −log₁₀ P", y="observed −log₁₀ P")
    widest = max(scans.values(), key=len, default=None)
    if widest is None:
        return
    band = widest.sort_values("expected")
    axes.fill_between(band["expected"], band["low"], band["high"], color=GREY, alpha=0.2, linewidth=0)
    axes.plot([0, band["expected"].max()], [0, band["expected"].max()], color=GREY, linewidth=0.8)
    many = len(scans) > len(COLOURS)
    shown = [name for name in (named if many else scans) if name in scans][: len(COLOURS)]
    for name in [*(name for name in scans if name not in shown), *shown]:
        colour = COLOURS[shown.index(name)] if name in shown else GREY
        label = f"{name}, λ {inflation.get(name, np.nan):.3f}" if name in shown else "_"
        x, y = scans[name]["expected"], scans[name]["observed"]
        axes.scatter(x, y, s=5, color=colour, linewidths=0, label=label, rasterized=True)
    if many:
        known = inflation.reindex(list(scans))
        text = f"{len(scans)} traits, λ {known.min():.3f} to {known.max():.3f}, median {known.median():.3f}"
        axes.set_title(text, size=8, color=INK, loc="left")
    if shown:
        axes.legend(frameon=False, fontsize=7, loc="upper left", labelcolor=INK, handletextpad=0.2)


def miami_figure(scans: Mapping[str, pd.DataFrame], genome: Genome, loci: pd.DataFrame, *, threshold: float) -> Figure:
    """Two scans, one above the axis and one below."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    both = figure.subplots(max(len(scans), 1), 1, sharex=True, squeeze=False)[:, 0]
    for at, (name, points) in enumerate(scans.items()):
        own = loci[loci["edf"] == name]
        draw_manhattan(both[at], points, genome, threshold=threshold, loci=own, title="", down=at > 0)
        both[at].set_ylabel(f"{name}\n−log₁₀ P", size=8.5, color=GREY)
    if len(scans) > 1:
        both[0].set_xlabel("")
        both[1].spines["bottom"].set_visible(False)
        both[1].spines["top"].set_visible(True)
        both[1].tick_params(labelbottom=False, bottom=False)
        both[1].set_xlabel("")
        both[0].tick_params(labelbottom=True)
    return literal(figure)
