"""Planted differences between encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.comparison.comparison import run_compare
from ecglfm.provenance import read_json, write_json, write_parquet

CONFIG = EvaluateConfig()


def write(
    results: Path, model: str, target: np.ndarray, probability: np.ndarray, each: int = 1, kind: str = "multilabel"
):
    """One evaluated model; every patient has `each` recordings, which are copies."""
    folder = results / f"evaluate/{model.replace('/', '/t/')}"
    names = [f"l{i:02d}" for i in range(target.shape[1])]
    rows = np.repeat(np.arange(len(target)), each)
    table = pd.DataFrame({
        "record_id": [f"s/{i:05d}" for i in range(len(rows))], "patient_id": [f"s/{i}" for i in rows],
        "split": "test",
    })  # fmt: skip
    for i, name in enumerate(names):
        table[f"target.{name}"], table[f"probability.{name}"] = target[rows, i], probability[rows, i]
    write_parquet(folder / "predictions.parquet", pd.concat([table, table.head(3).assign(split="valid")]))
    write_json(folder / "metrics.json", {"label_names": names, "kind": kind})


def compare(results: Path, *models: str) -> dict:
    output = results / "evaluate/comparison/t.json"
    run_compare(CONFIG, evaluations=results / "evaluate", task="t", models=models, output=output)
    return read_json(output)


def planted(count: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return (rng.random((count, labels)) < 0.3).astype(float), rng


def write_trainings(results: Path, offsets: dict[str, list[float]]) -> list[str]:
    """Encoders that share every patient's difficulty; each training is as good as its offset says."""
    target, rng = planted(1500, 3, seed=5)
    shared = rng.normal(size=target.shape)
    models = [
        (f"{encoder}/full-s{seed}", offset) for encoder, own in offsets.items() for seed, offset in enumerate(own)
    ]
    for model, offset in models:
        write(results, model, target, shared + 0.1 * rng.normal(size=target.shape) + (1 + offset) * target)
    return [model for model, _ in models]
