"""Results of a board, made by hand: predictions with planted differences, measured and compared by the stages' own code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ecglfm.config import EvaluateConfig, LeaderboardConfig, LeaderboardSlice
from ecglfm.evaluation.comparison import run_compare
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.leaderboard import run_leaderboard
from ecglfm.evaluation.metrics import Predictions
from ecglfm.provenance import read_json, write_json, write_text
from tests.unit.evaluation.comparison.planted import planted, write

CONFIG = EvaluateConfig(bootstrap=60)
#: Encoder: how strong its scores are in each mode, and its weights.
ENCODERS = {
    "peer": ({"linear": 2.0, "full": 2.2}, "import"),
    "ours": ({"linear": 0.9, "full": 2.0}, "pretrain"),
    "random": ({"linear": 0.1, "full": 1.9}, "random"),
    "statistics": ({"linear": 0.5}, "none"),
}
SIZE = {"parameters": 1234567, "windows": 2, "window_seconds": 5.0, "gmac": 2.61, "records_per_second": 88.5,
        "input_records_per_second": 13590.4,
        "device": "cpu", "threads": 1, "batch": 16}  # fmt: skip


def make(
    results: Path, *, encoders: Mapping[str, Any] = ENCODERS, tasks: tuple[str, ...] = ("ptbxl-all", "t"),
    seeds: int = 2, seen: Mapping[str, tuple[str, str]] | None = None, patients: int = 300,
    suffixes: tuple[str, ...] = ("",),
) -> list[str]:  # fmt: skip
    """Write what the board reads; returns its models.

    `seen` is by `encoder/task`: what `compare` would say of it, in place of `no`.
    """
    models, said = [], dict(seen or {})
    for number, task in enumerate(tasks):
        target, rng = planted(patients, 2, seed=number)
        shared = rng.normal(size=target.shape)
        for encoder, (strengths, weights) in encoders.items():
            write_json(results / f"pretrain/{encoder}/encoder.json", {"weights": weights, "model": {"kind": "vit"}})
            write_json(results / f"leaderboard/size/{encoder}.json", SIZE)
            for mode, strength in strengths.items():
                for seed, suffix in product(range(seeds), suffixes):
                    score = shared + 0.05 * rng.normal(size=target.shape) + strength * target
                    fit = f"{mode}-s{seed}{suffix}"
                    _evaluated(results, f"{encoder}/{task}/{fit}", target, 1 / (1 + np.exp(-score)))
                    models.append(f"{encoder}/{task}/{fit}")
        output = results / f"evaluate/comparison/{task}.json"
        own = [f"{one.split('/')[0]}/{one.split('/')[2]}" for one in models if one.split("/")[1] == task]
        run_compare(CONFIG, evaluations=results / "evaluate", task=task, models=own, output=output)
        content = read_json(output)
        content["encoders"] = {
            encoder: {"licence": "MIT", "pretraining": "nothing"}
            | dict(zip(("seen", "why"), said.get(f"{encoder}/{task}", ("no", "no overlap")), strict=True))
            for encoder in encoders
        }
        write_json(output, content)
    return models


def _evaluated(results: Path, model: str, target: np.ndarray, probability: np.ndarray) -> None:
    """`predictions.parquet` and `metrics.json` of a model."""
    encoder, _, fit = model.split("/")
    write(results, f"{encoder}/{fit}", target, probability)
    (results / f"evaluate/{encoder}/t/{fit}").rename(_room(results / f"evaluate/{model}"))
    names = [f"l{label:02d}" for label in range(target.shape[1])]
    people = np.array([f"s/{number}" for number in range(len(target))])
    data = Predictions(names, target, probability, np.full(target.shape, 0.5), people)
    metrics = measure(data, CONFIG) | {"kind": "multilabel", "majority": {"macro": {"auroc": 0.5}, "labels": {}}}
    write_json(results / f"evaluate/{model}/metrics.json", metrics)
    line = {"command": "finetune", "status": 0, "seconds": 1800.0, "gpus": ["H200"]}
    write_text(results / f"logs/finetune/{model}.log.cost", json.dumps(line) + "\n")


def _room(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def board(results: Path, models: list[str], **config: Any) -> dict[str, Any]:
    weights = {name: read_json(path / "encoder.json")["weights"] for path in sorted((results / "pretrain").iterdir())
               for name in [path.name]}  # fmt: skip
    slice_ = LeaderboardSlice(leaderboard=LeaderboardConfig(**config), weights=weights)
    return run_leaderboard(slice_, CONFIG, results=results, models=models)
