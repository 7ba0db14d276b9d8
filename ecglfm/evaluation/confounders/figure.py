"""The picture of `confounders`: what can be predicted, and what is left of each label without it."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglfm.evaluation.plots import COLOURS, GREY, INK, style

_ROWS = 16  # labels that are drawn, of the first models
_TOGETHER = "all together"


def confounders_figure(content: dict[str, Any]) -> Figure:
    """Probes of every encoder on the left; on the right labels by the model, within strata, and by variables alone.

    Parameters
    ----------
    content : dict
        Of `confounders.json`.
    """
    variables = list(dict.fromkeys(
        name for about in content["encoders"] for name, found in about["probes"].items() if "reason" not in found
    ))  # fmt: skip
    labels = [(model, name) for model in content["models"] for name in model["labels"]][:_ROWS]
    figure = Figure(figsize=(10.4, 1.5 + 0.34 * max(len(variables), len(labels), 4)), layout="constrained")
    left, right = figure.subplots(1, 2)
    _probes(left, content["encoders"], variables)
    _labels(right, labels)
    about: dict[str, Any] = {"ncols": 4, "frameon": False, "fontsize": 8}
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", **about)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", **about)
    return figure


def _probes(axes: Axes, encoders: list[dict[str, Any]], variables: list[str]) -> None:
    style(axes, "Predicted from vectors", x="AUROC (squares: R²)")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    for i, about in enumerate(encoders):
        colour, shift = COLOURS[i % len(COLOURS)], 0.16 * (i - (len(encoders) - 1) / 2)
        axes.plot([], [], "o", color=colour, markersize=5, label=about["encoder"])
        for row, name in enumerate(variables):
            found = about["probes"].get(name, {})
            entry = found.get("auroc") or found.get("r2")
            _point(axes, entry, row + shift, colour, "o" if "auroc" in found else "s")
    _rows(axes, variables, low=-0.05)


def _labels(axes: Axes, labels: list[tuple[dict[str, Any], str]]) -> None:
    style(axes, "AUROC of labels on the test split", x="AUROC (of survival C-index)")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    looks = (("the model", INK, "o"), ("within strata", COLOURS[0], "D"), ("variables alone", COLOURS[1], "^"))
    for name, colour, marker in looks:
        axes.plot([], [], marker, color=colour, markersize=5, label=name)
    for row, (model, name) in enumerate(labels):
        found = model["labels"][name]
        within = [one for key, one in found["within"].items() if "auroc" in one and key == _TOGETHER]
        within = within or [one for one in found["within"].values() if "auroc" in one]
        metric = model.get("metric", "auroc")
        entries = (found[metric], within[0]["auroc"] if within else None, found["alone"].get(metric))
        for place, (entry, (_, colour, marker)) in enumerate(zip(entries, looks, strict=True)):
            _point(axes, entry, row + 0.2 * (place - 1), colour, marker)
    models = {(model["encoder"], model["fit"]) for model, _ in labels}
    names = [
        f"{model['task']}: {name}" + (f"\n{model['encoder']}, {model['fit']}" if len(models) > 1 else "")
        for model, name in labels
    ]
    _rows(axes, names, low=0.0)


def _point(axes: Axes, entry: dict[str, Any] | None, row: float, colour: str, marker: str) -> None:
    if entry is None or entry["value"] is None:
        return
    axes.plot(entry["value"], row, marker, color=colour, markersize=5)
    if entry["ci_low"] is not None:
        axes.hlines(row, entry["ci_low"], entry["ci_high"], color=colour, linewidth=1.1)


def _rows(axes: Axes, names: list[str], *, low: float) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(low, 1.02)
