"""Pictures of Mendelian randomization: instruments and methods, slopes through the instruments, all pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.discovery.causal.randomization import Randomization
from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

#: How methods are called in pictures, in their order.
METHODS = {
    "wald_ratio": "Wald ratio",
    "ivw": "inverse-variance weighted",
    "ivw_fixed": "inverse-variance weighted, fixed effects",
    "weighted_median": "weighted median",
    "egger": "MR-Egger",
}
_DRAWN = ("wald_ratio", "ivw", "weighted_median", "egger")
_MOST = 40  # rows of a forest
_Z = 1.959964


def forest_figure(found: Randomization) -> Figure:
    """The ratio of each instrument, then what each method makes of them, with 95 % intervals.

    Of more than forty instruments the forty most precise ones are shown, and the axis says so.
    """
    instruments = found.instruments.assign(
        ratio=lambda table: table["outcome_beta"] / table["exposure_beta"],
        se=lambda table: table["outcome_se"] / table["exposure_beta"].abs(),
    )
    shown = instruments.sort_values("se", kind="stable").head(_MOST).sort_values("ratio", ascending=False)
    methods = found.estimates[found.estimates["method"].isin(METHODS)]
    names = [*shown["variant"], *(METHODS[name] for name in methods["method"])]
    values = np.array([*shown["ratio"], *methods["beta"]], dtype=np.float64)
    errors = np.array([*shown["se"], *methods["standard_error"]], dtype=np.float64)
    place = -np.arange(len(names), dtype=np.float64)
    place[len(shown) :] -= 1
    figure = Figure(figsize=(6.8, 1.5 + 0.2 * (len(names) + 1)), layout="constrained")
    axes = figure.add_subplot()
    exposure, outcome = _pair(found)
    left_out = f"; {len(shown)} of {len(instruments)} instruments" if len(shown) < len(instruments) else ""
    style(axes, f"{exposure} on {outcome}", x=f"effect of one standard deviation, 95 % interval{left_out}")
    low, high = _span(values, errors, len(shown))
    for rows, colour, size in ((slice(0, len(shown)), GREY, 3.5), (slice(len(shown), None), COLOURS[0], 6)):
        axes.hlines(place[rows], values[rows] - _Z * errors[rows], values[rows] + _Z * errors[rows], color=colour)
        axes.plot(values[rows], place[rows], "s", color=colour, markersize=size)
    for beyond, edge, mark in ((values < low, low, "<"), (values > high, high, ">")):
        axes.plot(np.full(int(beyond.sum()), edge), place[beyond], mark, color=GREY, markersize=5, clip_on=False)
    axes.set_xlim(low, high)
    _zero(axes, place, names)
    return figure


def scatter_figure(found: Randomization) -> Figure:
    """Effects on the outcome over those on the exposure, alleles counted so that these are positive; and the slopes."""
    table = found.instruments
    sign = np.where(table["exposure_beta"] < 0, -1, 1)
    x, y = table["exposure_beta"] * sign, table["outcome_beta"] * sign
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    exposure, outcome = _pair(found)
    style(
        axes, f"{exposure} on {outcome}", x=f"effect of an allele on {exposure}", y=f"effect of an allele on {outcome}"
    )
    axes.errorbar(
        x, y, xerr=_Z * table["exposure_se"], yerr=_Z * table["outcome_se"],
        fmt="o", color=INK, ecolor=GREY, markersize=3.5, elinewidth=0.7,
    )  # fmt: skip
    ends = np.array([0.0, 1.08 * float(x.max())]) if len(x) else np.zeros(2)
    intercept = found.checks["egger_intercept"].fillna(0.0).iloc[0]
    drawn = found.estimates[found.estimates["method"].isin(_DRAWN)]
    for colour, method, slope in zip(COLOURS, drawn["method"], drawn["beta"], strict=False):
        start = intercept if method == "egger" else 0.0
        axes.plot(ends, start + slope * ends, color=colour, linewidth=1.5, label=METHODS[method])
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xlim(0, None)
    if len(drawn):
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def pairs_figure(estimates: pd.DataFrame) -> Figure:
    """The first estimate of every exposure and outcome, the surest of forty or fewer, a colour per outcome.

    Parameters
    ----------
    estimates : DataFrame
        `Randomization.estimates` of many pairs.
    """
    first = estimates.drop_duplicates(["exposure", "outcome"])
    shown = first.sort_values("p_value", kind="stable").head(_MOST)
    shown = shown.sort_values(["outcome", "beta"], ascending=[True, False])
    figure = Figure(figsize=(6.8, 1.5 + 0.2 * max(1, len(shown))), layout="constrained")
    axes = figure.add_subplot()
    left_out = f"; {len(shown)} of {len(first)} pairs, the least P" if len(shown) < len(first) else ""
    style(axes, "Mendelian randomization", x=f"effect of one standard deviation, 95 % interval{left_out}")
    place = -np.arange(len(shown), dtype=np.float64)
    for number, outcome in enumerate(shown["outcome"].unique()):
        own = (shown["outcome"] == outcome).to_numpy()
        colour = COLOURS[number % len(COLOURS)]
        axes.hlines(place[own], shown["ci_low"][own], shown["ci_high"][own], color=colour)
        axes.plot(shown["beta"][own], place[own], "s", color=colour, markersize=5, label=outcome)
    names = [f"{row.exposure} ({row.instruments})" for row in shown.itertuples()]
    _zero(axes, place, names)
    if len(shown):
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _span(values: np.ndarray, errors: np.ndarray, instruments: int) -> tuple[float, float]:
    """Ends of an axis with every method's interval and most instruments: the ratio of a weak one may be anything."""
    methods, middle = slice(instruments, None), np.quantile(values[:instruments], [0.1, 0.9]) if instruments else []
    ends = np.array([0.0, *middle, *(values - _Z * errors)[methods], *(values + _Z * errors)[methods]])
    room = 0.15 * max(ends.max() - ends.min(), 1e-9)
    return float(ends.min() - room), float(ends.max() + room)


def _zero(axes: Axes, place: np.ndarray, names: list[str]) -> None:
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(place, names, fontsize=7.5)
    axes.grid(visible=False, axis="y")


def _pair(found: Randomization) -> tuple[str, str]:
    checks = found.checks.iloc[0]
    return str(checks["exposure"]), str(checks["outcome"])
