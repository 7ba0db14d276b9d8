"""What an evaluation tells MLflow: the numbers, beside all that the fit did otherwise than usual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.config import EvaluateConfig, TrackingSlice
from ecglfm.config.difference import changed
from ecglfm.evaluation.cross_validation import Models
from ecglfm.tracking import find_run, standard_tags, start_run

TOLD = ("finetune.lr",)  # keys that every name tells, as those of fits do


def spelled(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Numbers of `metrics.json` as MLflow has them.

    Returns
    -------
    dict
        `test/auroc_macro` (`micro` likewise), `test/accuracy` of all labels together, `test/auroc/MI` of a label;
        `test/auroc_macro_ci_low` and `_ci_high` of the first metric, `test/auroc_macro_mean_of_folds`;
        `external/{source}/auroc_macro` of a source that is only tested.
    """
    values: dict[str, float | None] = {}
    for section in ("macro", "micro", "overall"):
        for name, entry in metrics.get(section, {}).items():
            values[f"test/{name}" if section == "overall" else f"test/{name}_{section}"] = entry["value"]
    first = next(iter(metrics["macro"]))
    for end in ("ci_low", "ci_high"):
        values[f"test/{first}_macro_{end}"] = metrics["macro"][first][end]
    for name, entry in metrics.get("folds", {}).get("macro", {}).items():
        values[f"test/{name}_macro_mean_of_folds"] = entry["mean"]
    for source, measured in metrics["external"].items():
        values |= {f"external/{source}/{name}_macro": entry["value"] for name, entry in measured["macro"].items()}
    for label, entries in metrics["labels"].items():
        values |= {f"test/{name}/{label}": entry["value"] for name, entry in entries.items()}
    return values


def track(
    metrics: dict[str, Any],
    models: Models,
    config: EvaluateConfig,
    output: Path,
    *,
    tracking: TrackingSlice | None,
    rule: str | None,
) -> None:
    """Log one run of the experiment `evaluate`, with the parameters of the fit, below its run.

    Parameters
    ----------
    metrics : dict
        Content of `metrics.json`.
    models : Models
        What was evaluated. A cross-validation has the parameters of its first model and stands below the pretraining,
        as the fits of its folds do.
    config : EvaluateConfig
    output : path
        Folder with the files to be copied.
    tracking : TrackingSlice or None
        None: nowhere.
    rule : str or None
        The Snakemake rule, for a tag.
    """
    info, identity = models.infos[0], models.identity
    hashes = {name: info.get(name) for name in ("config_hash", "data_hash")}
    fit = find_run(
        tracking, "finetune", encoder=identity["encoder"], task=identity["task"], fit=info.get("fit"), **hashes
    )
    encoder = {name: info["encoder"].get(name) for name in hashes}
    pretraining = find_run(tracking, "pretrain", encoder=identity["encoder"], **encoder)
    tags = standard_tags(
        stage="evaluate",
        **identity,
        config_hash=info.get("config_hash"),
        data_hash=metrics["data_hash"],
        manifest_hash=metrics["data_hash"],
        rule=rule,
    )
    otherwise = {"evaluate": keys} if (keys := changed(config)) else {}
    of_fit = {name: text for name, text in fit.params.items() if name not in ("fold", "folds")} if fit else {}
    with start_run(
        tracking,
        stage="evaluate",
        name="/".join(identity.values()),
        tags=tags,
        params={**of_fit, **identity, **otherwise},
        config={**(fit.config if fit else identity), "evaluate": config.model_dump(mode="json")},
        told=TOLD,
        parent=pretraining if models.folds else fit,
    ) as run:
        run.log(spelled(metrics), step=0)
        for file in ("metrics.json", "curves.png", "calibration.png"):
            run.artifact(output / file)
