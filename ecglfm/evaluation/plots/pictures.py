"""The two pictures of an evaluation, by kind of task: `curves.png` how good, `calibration.png` how true to size.

Classes: ROC curves and reliability diagram. Quantities: prediction against truth, and the difference of the two
(Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8). Survival: Kaplan-Meier curves of the groups of risk, and their
predicted against their observed survival.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.config.kinds import KINDS
from ecglfm.config.reference import look_up
from ecglfm.evaluation.metrics import Outcome, Predictions, RegressionPredictions, RiskSets, SurvivalPredictions
from ecglfm.evaluation.plots.drawing import COLOURS, GREY, INK, calibration_figure, roc_figure, style, with_interval

_PER_ROW = 3
#: Names of the groups of risk, the lowest first.
_GROUPS = ("lowest risk", "second", "third", "highest risk")
_GROUP_COLOURS = ("#56B4E9", "#0072B2", "#E69F00", "#D55E00")


def figures(kind: str, data: Outcome, metrics: dict[str, Any]) -> dict[str, Figure]:
    """`curves` and `calibration` of the test records, by the function that the kind of task names.

    Parameters
    ----------
    kind : str
        Of the task.
    data : Outcome
    metrics : dict
        `labels` as in metrics.json.
    """
    drawn: dict[str, Figure] = look_up(KINDS[kind].pictures)(data, metrics)
    return drawn


def class_figures(data: Predictions, metrics: dict[str, Any]) -> dict[str, Figure]:
    """ROC curves, and the reliability diagram."""
    return {"curves": roc_figure(data, metrics), "calibration": calibration_figure(data, metrics)}


def quantity_figures(data: RegressionPredictions, metrics: dict[str, Any]) -> dict[str, Figure]:
    """Prediction against truth, and the difference of the two."""
    return {"curves": scatter_figure(data, metrics), "calibration": difference_figure(data, metrics)}


def survival_figures(data: SurvivalPredictions, metrics: dict[str, Any]) -> dict[str, Figure]:
    """Survival of the groups of risk, and predicted against observed."""
    return {"curves": kaplan_meier_figure(data, metrics), "calibration": risk_group_figure(data, metrics)}


def scatter_figure(data: RegressionPredictions, metrics: dict[str, Any]) -> Figure:
    """Prediction against truth, a panel per label."""

    def draw(axes: Axes, label: int) -> str:
        target, prediction = _known(data, label)
        axes.scatter(target, prediction, s=9, color=COLOURS[0], alpha=_alpha(len(target)), linewidth=0)
        if len(target):
            ends = [min(target.min(), prediction.min()), max(target.max(), prediction.max())]
            axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        entry = metrics["labels"][data.names[label]]
        return f"R² {with_interval(entry['r2'])}"

    return _panels(data.names, draw, x="truth", y="prediction")


def difference_figure(data: RegressionPredictions, metrics: dict[str, Any]) -> Figure:
    """Difference of prediction and truth against their mean, with its mean and the limits of agreement."""

    def draw(axes: Axes, label: int) -> str:
        target, prediction = _known(data, label)
        difference = prediction - target
        axes.scatter(
            (target + prediction) / 2, difference, s=9, color=COLOURS[0], alpha=_alpha(len(target)), linewidth=0
        )
        if len(target):
            bias, spread = difference.mean(), 1.96 * difference.std(ddof=min(1, len(target) - 1))
            for level, line in ((bias, "-"), (bias - spread, (0, (4, 3))), (bias + spread, (0, (4, 3)))):
                axes.axhline(level, color=COLOURS[1], linewidth=0.9, linestyle=line)
        return f"MAE {with_interval(metrics['labels'][data.names[label]]['mae'], digits=2)}"

    return _panels(data.names, draw, x="mean of truth and prediction", y="prediction - truth")


def kaplan_meier_figure(data: SurvivalPredictions, metrics: dict[str, Any]) -> Figure:
    """Observed survival of each group of risk, a panel per label."""

    def draw(axes: Axes, label: int) -> str:
        time, event, risk = _followed(data, label)
        reference = data.reference(label)
        if reference is not None and len(time):
            group = reference.groups(risk)
            for number in np.unique(group):
                one = group == number
                sets = RiskSets(time[one], event[one])
                survival = sets.kaplan_meier(np.ones((one.sum(), 1)))[:, 0]
                axes.step(
                    [0, *sets.unique], survival, where="post", color=_GROUP_COLOURS[number], linewidth=1.4,
                    label=f"{_GROUPS[number]} ({one.sum()})",
                )  # fmt: skip
            axes.axvline(reference.horizon, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.legend(loc="lower left", fontsize=7.5, edgecolor="white", labelcolor=INK)
        axes.set_ylim(0, 1.01)
        return f"C {with_interval(metrics['labels'][data.names[label]]['c_index'])}"

    return _panels(data.names, draw, x="time", y="share without event")


def risk_group_figure(
    data: SurvivalPredictions, metrics: dict[str, Any], *, before: SurvivalPredictions | None = None
) -> Figure:
    """Observed against predicted survival of each group of risk at the horizon, with Kaplan-Meier's interval.

    Dotted what they were before a recalibration, where there was one.
    """

    def draw(axes: Axes, label: int) -> str:
        found = [group for group in data.risk_groups(label) if "observed" in group]
        for group in found:
            axes.plot([group["predicted"]] * 2, [group["ci_low"], group["ci_high"]], color=COLOURS[0], linewidth=1.0)
        x, y = [group["predicted"] for group in found], [group["observed"] for group in found]
        axes.plot(x, y, color=COLOURS[0], linewidth=1.2, marker="o", markersize=4)
        once = [group for group in (before.risk_groups(label) if before else []) if "observed" in group]
        was = [group["predicted"] for group in once]
        axes.plot(was, [group["observed"] for group in once], color=COLOURS[0], linewidth=1.0, linestyle=":")
        low = min([group["ci_low"] for group in found] + x + was, default=0.0)
        axes.plot([low, 1], [low, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        reference = data.references[label]
        at = "" if reference is None else f"at {reference.horizon:.3g}: "
        return f"{at}Brier {with_interval(metrics['labels'][data.names[label]]['brier'])}"

    return _panels(data.names, draw, x="predicted survival", y="observed survival")


def _panels(names: list[str], draw: Callable[[Axes, int], str], *, x: str, y: str) -> Figure:
    """A panel per label; `draw` fills it and gives the second line of its title."""
    columns = min(len(names), _PER_ROW)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.7 * rows), layout="constrained")
    for label, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if label >= len(names):
            axes.set_visible(False)
            continue
        style(axes, x=x, y=y)
        axes.set_title(f"{names[label]}\n{draw(axes, label)}", size=9.5, color=INK, loc="left")
    return figure


def _alpha(count: int) -> float:
    """Opacity at which so many points still show where they are dense."""
    return float(np.clip(200 / max(count, 1), 0.08, 0.7))


def _known(data: RegressionPredictions, label: int) -> tuple[np.ndarray, np.ndarray]:
    rows = ~np.isnan(data.targets[:, label])
    return data.targets[rows, label], data.predictions[rows, label]


def _followed(data: SurvivalPredictions, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = ~np.isnan(data.times[:, label]) & ~np.isnan(data.events[:, label])
    return data.times[rows, label], data.events[rows, label], data.risks[rows, label]
