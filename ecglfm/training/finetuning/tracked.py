"""What a fit tells MLflow: its name, what it does otherwise than usual, and the pretraining that it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecglfm.config import FinetuneConfig, TaskSlice, TrackingSlice
from ecglfm.config.difference import changed
from ecglfm.config.fits import Fit
from ecglfm.tracking import find_run, standard_tags
from ecglfm.training.finetuning.history import TrainingHistory

#: Keys of `finetune` that change nothing about the fit that is asked for.
NO_PART = frozenset({*FinetuneConfig.NAMED, "num_workers"})
TOLD = ("finetune.lr",)  # keys that every fit's name tells
RATES = ("lr", "head_lr")  # of an epoch, in `history.csv` beside the scores


def run_of_fit(
    tracking: TrackingSlice | None,
    *,
    encoder: Mapping[str, Any],
    task: TaskSlice,
    fit: Fit,
    config: FinetuneConfig,
    hashes: Mapping[str, str | None],
    rule: str | None,
) -> dict[str, Any]:
    """Arguments of `start_run`.

    Parameters
    ----------
    tracking : TrackingSlice or None
        None: nowhere.
    encoder : mapping
        Its `info`: name and hashes.
    task : TaskSlice
    fit : Fit
    config : FinetuneConfig
    hashes : mapping
        `config_hash`, `data_hash`, `manifest_hash`, for tags.
    rule : str or None
        The Snakemake rule, for a tag.
    """
    name = str(encoder.get("name", "encoder"))
    settings = config.model_dump(mode="json", exclude=set(NO_PART))
    about = task.config.model_dump(mode="json")
    which = {key: value for key, value in fit._asdict().items() if value is not None}
    different = {key: value for key, value in changed(config).items() if key not in NO_PART}
    of_task = {
        key: value for key, value in changed(task.config).items() if key not in ("description", "labels", "sources")
    }
    # What defines a label is in the artifact with all; a parameter a label would hide the others.
    of_task |= {"labels": " ".join(about["labels"]), "sources": " ".join(about["sources"] or ())}
    return {
        "tracking": tracking,
        "stage": "finetune",
        "name": f"{name}/{task.task}/{fit.name}",
        "tags": standard_tags(stage="finetune", encoder=name, task=task.task, fit=fit.name, rule=rule, **hashes),
        "params": {**which, "finetune": {"lr": settings["lr"], **different}, "task": of_task},
        "config": {
            "fit": which,
            "finetune": settings,
            "task": about,
            "encoder": {"name": name, "config_hash": encoder.get("config_hash")},
        },
        "told": TOLD,
        "parent": find_run(
            tracking,
            "pretrain",
            encoder=name,
            config_hash=encoder.get("config_hash"),
            data_hash=encoder.get("data_hash"),
        ),
    }


def spelled(scores: Mapping[str, Mapping[str, float]], rates: Mapping[str, float]) -> dict[str, float]:
    """Metrics of an epoch as MLflow has them: `valid/loss`, `valid/auroc_macro`, `train/lr`.

    Parameters
    ----------
    scores : mapping
        By split: the loss, and means over labels.
    rates : mapping
        `lr` and `head_lr`.
    """
    values = {f"{split}/{_macro(key)}": value for split, score in scores.items() for key, value in score.items()}
    return values | {f"train/{name}": rate for name, rate in rates.items()}


def best_of(history: TrainingHistory, select_by: str) -> dict[str, float | None]:
    """`best/epoch`, and what chose it on the validation split: `best/loss`, `best/auroc_macro`."""
    return {"best/epoch": float(history.best.epoch), f"best/{_macro(select_by)}": history.best.value}


def _macro(metric: str) -> str:
    """A mean over labels is spelled as the evaluation spells it."""
    return metric if metric == "loss" else f"{metric}_macro"
