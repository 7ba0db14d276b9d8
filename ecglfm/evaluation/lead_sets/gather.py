"""All models at their lead sets, side by side: what the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.provenance import read_json, write_json, write_text


def gather_lead_sets(folder: Path, include: Sequence[str]) -> None:
    """Write `lead_sets.json` and `lead_sets.csv`: of every model the metric by which its sets are compared.

    Parameters
    ----------
    folder : path
        `lead_sets/` of the results.
    include : sequence of str
        `{encoder}/{task}/{fit}` of every model, in the order in which they are shown.
    """
    models = [_of_one_metric(read_json(folder / name / "metrics.json")) for name in include]
    write_json(folder / "lead_sets.json", models)
    tables = []
    for model in models:
        table = lead_sets_table(model)
        for place, key in enumerate(("encoder", "task", "fit")):
            table.insert(place, key, model[key])
        tables.append(table)
    write_text(folder / "lead_sets.csv", pd.concat(tables, ignore_index=True).to_csv(index=False))


def _of_one_metric(metrics: dict[str, Any]) -> dict[str, Any]:
    """Without the other metrics, and without what is of all labels together."""
    name = metrics["metric"]
    rows = [
        {key: row[key] for key in ("name", "leads", "without_signal", "change") if key in row}
        | {
            "labels": {label: {name: entries[name]} for label, entries in row["labels"].items()},
            "macro": {name: row["macro"][name]},
        }
        for row in metrics["sets"]
    ]
    return metrics | {"sets": rows}


def lead_sets_table(metrics: dict[str, Any]) -> pd.DataFrame:
    """A row per set and label, the macro value first.

    Parameters
    ----------
    metrics : dict
        As `run_lead_sets` writes it.
    """
    metric, rows = metrics["metric"], []
    ends = ("value", "ci_low", "ci_high")
    for row in metrics["sets"]:
        change = row.get("change", {"labels": {}, "macro": {}})
        entries = [("macro", row["macro"][metric], change["macro"])]
        entries += [
            (name, row["labels"][name][metric], change["labels"].get(name, {})) for name in metrics["label_names"]
        ]
        for label, entry, changed in entries:
            numbers = [*(entry[end] for end in ends), *(changed.get(end) for end in ends)]
            why = changed.get("reason") or entry.get("reason")
            rows.append([row["name"], " ".join(row["leads"]), label, metric, *numbers, why])
    columns = ["set", "leads", "label", "metric", *ends, "change", "change_ci_low", "change_ci_high", "reason"]
    return pd.DataFrame(rows, columns=columns)
