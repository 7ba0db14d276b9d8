"""What a model says it was trained with: the config may have been edited since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecglfm.config import FinetuneConfig, PretrainConfig, TaskSlice, parse
from ecglfm.provenance import sha256_json


def fit_hash(settings: Mapping[str, Any], fit: str, task: TaskSlice) -> str:
    """`config_hash` of a fit: SHA-256 of its settings, as `model.json` has them, its name and its task."""
    return sha256_json({"finetune": settings, "fit": fit, "task": task.model_dump(mode="json")})


def was_told(info: Mapping[str, Any], task: TaskSlice) -> bool:
    """Whether a model was fitted to this task word by word, by its `model.json`; True where that does not say."""
    if "finetune" not in info:
        return True
    return bool(fit_hash(info["finetune"], info["fit"], task) == info["config_hash"])


def finetuning_of(info: Mapping[str, Any], path: Path) -> FinetuneConfig | None:
    """What a fit was told, by its `model.json`; None where an earlier ecglfm wrote that.

    Raises
    ------
    UserError
        The settings, in the file `path`, are none that this ecglfm knows.
    """
    return parse(FinetuneConfig, info["finetune"], path) if "finetune" in info else None


def pretraining_of(info: Mapping[str, Any], path: Path) -> PretrainConfig | None:
    """What a pretraining was told, by its `encoder.json`; None where an earlier ecglfm wrote that, or it was none.

    Keys that change no weight have their default. How a global batch was spread is not said, its size is
    (`training.pairs_per_update`).

    Raises
    ------
    UserError
        As `finetuning_of`.
    """
    if "pretrain" not in info:
        return None
    return parse(PretrainConfig, {**info["pretrain"], "steps": info["training"]["steps"]}, path)
