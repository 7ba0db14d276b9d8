"""All encoders and models beside each other: what the report shows of `confounders`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.evaluation.confounders.figure import confounders_figure
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import read_json, write_json, write_text

_ENDS = ("value", "ci_low", "ci_high")


def gather_confounders(folder: Path, encoders: Sequence[str], models: Sequence[str]) -> None:
    """Write `confounders.json`, `confounders.csv` and `confounders.png`.

    Parameters
    ----------
    folder : path
        `confounders/` of the results.
    encoders : sequence of str
    models : sequence of str
        `{encoder}/{task}/{fit}` of each, in the order in which they are shown.
    """
    content = {
        "encoders": [read_json(folder / name / "embedding.json") for name in encoders],
        "models": [read_json(folder / name / "metrics.json") for name in models],
    }
    write_json(folder / "confounders.json", content)
    write_text(folder / "confounders.csv", confounders_table(content).to_csv(index=False))
    save_png(confounders_figure(content), folder / "confounders.png")


def confounders_table(content: dict[str, Any]) -> pd.DataFrame:
    """A row per number: of which encoder, model and label, by which variable.

    Parameters
    ----------
    content : dict
        Of `confounders.json`.
    """
    rows = [row for about in (*content["encoders"], *content["models"]) for row in _rows(about)]
    columns = ["encoder", "task", "fit", "question", "label", "variable", "metric", *_ENDS]
    return pd.DataFrame(rows, columns=[*columns, "difference", "difference_ci_low", "difference_ci_high", "reason"])


def _rows(about: dict[str, Any]) -> Iterator[list[Any]]:
    whose = [about["encoder"], about.get("task"), about.get("fit")]
    asked = "scores" if "task" in about else "vectors"
    for variable, found in about["probes"].items():
        if "reason" in found:
            yield [*whose, f"predicted from {asked}", None, variable, None, *_numbers(found, None)]
        for metric in ("auroc", "balanced_accuracy", "r2"):
            if metric in found:
                yield [*whose, f"predicted from {asked}", None, variable, metric, *_numbers(found[metric], None)]
    for variable, why in about["missing"].items():
        yield [*whose, f"predicted from {asked}", None, variable, None, *_numbers({"reason": why}, None)]
    metric = about.get("metric", "auroc")
    for label, found in about.get("labels", {}).items():
        yield [*whose, "the model", label, None, metric, *_numbers(found[metric], None)]
        for variable, within in found["within"].items():
            entry, difference = within.get("auroc", within), within.get("difference")
            yield [*whose, "within strata", label, variable, "auroc", *_numbers(entry, difference)]
        alone = found["alone"]
        entry, difference = alone.get(metric, alone), alone.get("difference")
        yield [*whose, "variables alone", label, None, metric, *_numbers(entry, difference)]


def _numbers(entry: dict[str, Any], difference: dict[str, Any] | None) -> list[Any]:
    ends = [(part or {}).get(end) for part in (entry, difference) for end in _ENDS]
    return [*ends, entry.get("reason") or (difference or {}).get("reason")]
