"""What stands beside an encoder's numbers: where its weights come from, licence, size, speed, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglfm.config import BASELINES
from ecglfm.metering import read_cost
from ecglfm.provenance import read_json

_ORIGIN = {"pretrain": "pretrained here", "import": "imported"} | BASELINES


def encoder_facts(results: Path, encoder: str, weights: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the board says of an encoder.

    Parameters
    ----------
    results : path
        Folder of every output.
    encoder : str
    weights : str
        Where the config says that they come from.
    known : mapping
        What `about_encoder` found: `licence` and `pretraining`.

    Returns
    -------
    dict
        `weights` in words, `control` (it stands there to be beaten), `licence`, `pretraining`,
        all of `encoder_size`, `pretrain_hours` and `pretrain_gpu_hours` (None of what was not pretrained here).
    """
    hours, gpu_hours = spent([results / f"logs/pretrain/{encoder}.log.cost"] if weights == "pretrain" else [])
    return {
        "weights": _ORIGIN[weights],
        "control": weights in BASELINES,
        "licence": known["licence"],
        "pretraining": known["pretraining"],
        **read_json(results / f"leaderboard/size/{encoder}.json"),
        "pretrain_hours": hours,
        "pretrain_gpu_hours": gpu_hours,
    }


def hours_of_fits(results: Path, encoder: str, task: str, fits: Sequence[str]) -> dict[str, float | None]:
    """`fit_hours` and `fit_gpu_hours` of all fits, and folds, of an encoder on a task; None where nothing says so."""
    folder = results / f"logs/finetune/{encoder}/{task}"
    names = [name for fit in fits for name in (fit, f"{fit}-f*of*")]
    hours, gpu_hours = spent([path for name in names for path in sorted(folder.glob(f"{name}.log.cost"))])
    return {"fit_hours": hours, "fit_gpu_hours": gpu_hours}


def spent(paths: Sequence[Path]) -> tuple[float | None, float | None]:
    """Hours of jobs one after the other, and of their GPUs, those of further ranks too; None where nothing says so.

    Parameters
    ----------
    paths : sequence of path
        Files of `metered`.
    """
    first = [line for path in paths if path.is_file() for line in read_cost(path)]
    if not first:
        return None, None
    others = [line for path in paths for rank in path.parent.glob(f"{path.name}.*") for line in read_cost(rank)]
    gpus = sum(line["seconds"] * len(line["gpus"]) for line in (*first, *others))
    return sum(line["seconds"] for line in first) / 3600, gpus / 3600
