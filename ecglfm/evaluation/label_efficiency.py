"""How good a model is by how many labelled patients it had: what pretraining is worth where labels are few.

The share is of the validation patients, too, who choose epoch and thresholds: who has few labels has few of those. An
epoch of it has the updates of all patients: what begins with random weights would else be undertrained with few labels.

Reads what `finetune` and `evaluate` wrote of every share of the patients; writes `label_efficiency.csv` and `.png`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ecglfm.config.fits import parse_fit
from ecglfm.config.wording import counted
from ecglfm.evaluation.metrics import chances, compared, title_of
from ecglfm.evaluation.plots import COLOURS, save_png, style
from ecglfm.provenance import read_json, write_text

logger = logging.getLogger(__name__)

_PER_ROW = 3
_MARKERS = "osD^vP*"


def run_label_efficiency(results: Path, include: Sequence[str], output: Path) -> pd.DataFrame:
    """Write `label_efficiency.csv` and `label_efficiency.png`.

    Parameters
    ----------
    results : path
        Folder with `finetune/` and `evaluate/`.
    include : sequence of str
        `{encoder}/{task}/{fit}` of every model.
    output : path
        Folder to write into.

    Returns
    -------
    DataFrame
        The table.
    """
    trainings = {name: read_json(_model(results, name))["training"] for name in include}
    table = pd.DataFrame([_row(results, name, training) for name, training in trainings.items()])
    table = table.sort_values(["task", "encoder", "mode", "percent", "seed"], ignore_index=True)
    for row in table[table["not_learnt"] != ""].itertuples():
        logger.warning(
            "%s/%s, %s, seed %s, %g %%: no training record to learn from for %s",
            row.encoder, row.task, row.mode, row.seed, row.percent, row.not_learnt,
        )  # fmt: skip
    _warn_of_short(results, trainings)
    write_text(output / "label_efficiency.csv", table.to_csv(index=False))
    save_png(efficiency_figure(table), output / "label_efficiency.png")
    return table


def _model(results: Path, name: str) -> Path:
    return results / "finetune" / name / "model.json"


def _warn_of_short(results: Path, trainings: dict[str, dict[str, Any]]) -> None:
    """Name fits of shares from before their epochs were as long as those of all patients."""
    short = [
        str(_model(results, name))
        for name, training in trainings.items()
        if parse_fit(name.split("/")[-1]).fraction < 1 and training["epochs"] and "records_per_epoch" not in training
    ]
    if short:
        logger.warning(
            "an earlier ecglfm fitted %s with fewer updates than all patients have; run again with --forcerun %s",
            counted(len(short), "share"), " ".join(short),
        )  # fmt: skip


def _row(results: Path, name: str, training: dict[str, Any]) -> dict[str, Any]:
    """One model's share, training and macro metric."""
    encoder, task, fit = name.split("/")
    parsed = parse_fit(fit)
    metrics = read_json(results / "evaluate" / name / "metrics.json")
    metric = compared(metrics["kind"])[0]
    entry = metrics["macro"][metric]
    return {
        "encoder": encoder,
        "task": task,
        "mode": parsed.mode,
        "seed": parsed.seed,
        "percent": round(100 * parsed.fraction, 6),
        "train_patients": training["train_patients"],
        "train_records": training["train_records"],
        "valid_patients": training["valid_patients"],
        "valid_records": training["valid_records"],
        "metric": metric,
        **{key: entry[key] for key in ("value", "ci_low", "ci_high")},
        "not_learnt": " ".join(training["lacking"]),
    }


def efficiency_figure(table: pd.DataFrame) -> Figure:
    """A panel per task: the metric of every fit over the share of the patients, a line through the means over seeds.

    Parameters
    ----------
    table : DataFrame
        As `run_label_efficiency` writes it.
    """
    tasks = list(dict.fromkeys(table["task"]))
    curves = list(dict.fromkeys(zip(table["encoder"], table["mode"], strict=True)))
    columns = min(len(tasks), _PER_ROW)
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows + 0.3), layout="constrained")
    for i, task in enumerate(tasks):
        axes = figure.add_subplot(rows, columns, i + 1)
        _panel(axes, table[table["task"] == task], curves)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 4), frameon=False, fontsize=8)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, curves: list[tuple[str, str]]) -> None:
    """The curves of one task."""
    for i, (encoder, mode) in enumerate(curves):
        chosen = table[(table["encoder"] == encoder) & (table["mode"] == mode)].dropna(subset="value")
        colour, marker = COLOURS[i % len(COLOURS)], _MARKERS[i // len(COLOURS) % len(_MARKERS)]
        mean = chosen.groupby("percent")["value"].mean()
        axes.plot(
            mean.index, mean, color=colour, linewidth=1.6, marker=marker, markersize=5, label=f"{encoder}, {mode}"
        )
        axes.scatter(chosen["percent"], chosen["value"], color=colour, s=9, alpha=0.45, linewidths=0, zorder=3)
    percents = np.unique(table["percent"])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(percents)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    metric = table["metric"].iloc[0]
    if (chance := chances().get(metric)) is not None:
        axes.axhline(chance, color="#6b6f76", linewidth=0.8, linestyle=":")
    style(axes, table["task"].iloc[0], "training and validation patients, %", f"macro {title_of(metric)} (test)")
