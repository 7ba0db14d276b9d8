"""What any honest evaluation must find, through the real fine-tuning: nothing, a leak, a planted hazard ratio.

Every record is noise with, in lead I, 20 Hz or 4 Hz by its patient's hidden state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import EvaluateConfig, EvaluateSlice, FinetuneConfig, FinetuneSlice, TaskConfig, TaskSlice
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.provenance import read_json
from ecglfm.training.finetuning.finetune import run_finetune
from tests.unit.hashes import hashes
from tests.unit.training.finetuning.test_finetune import LEADS, RATE, make_encoder

LENGTH, COUNTS = 500, {"train": 256, "valid": 96, "test": 200}
SPLIT = np.repeat(list(COUNTS), list(COUNTS.values()))
STATE = np.random.default_rng(1).permuted(np.arange(len(SPLIT)) % 2)


def write_signals(folder: Path, leaked: np.ndarray | None = None) -> None:
    """Manifest and signals; where a label is to leak, lead II has 20 Hz for 1 and nothing for 0."""
    rng, n = np.random.default_rng(0), len(SPLIT)
    time = np.arange(LENGTH) / RATE
    samples = rng.normal(0, 0.2, (n, LENGTH, len(LEADS)))
    phase = 2 * np.pi * rng.random((2, n, 1))
    samples[:, :, 0] += np.sin(2 * np.pi * np.where(STATE, 20, 4)[:, None] * time + phase[0])
    if leaked is not None:
        samples[:, :, 1] += leaked[:, None] * np.sin(2 * np.pi * 20 * time + phase[1])
    (folder / "preprocess" / "s").mkdir(parents=True)
    samples = np.rint(samples * 1000).astype(np.int16)
    np.save(folder / "preprocess" / "s" / "000.npy", samples.reshape(-1, len(LEADS)))
    records = pd.DataFrame(
        {
            "record_id": [f"s/{i:03d}" for i in range(n)], "source": "s", "patient_id": [f"s/{i // 2:03d}" for i in range(n)],
            "split": SPLIT, "sampling_rate": RATE, "n_samples": LENGTH, "shard": 0, "offset": np.arange(n) * LENGTH,
            "sha256": hashes(samples),
        }
    )  # fmt: skip
    records.to_parquet(folder / "records.parquet")


def run(folder: Path, kind: str, columns: dict[str, np.ndarray], output: str = "run", **config: Any) -> dict[str, Any]:
    """Fine-tune the tiny encoder to these labels and evaluate it; content of metrics.json."""
    torch.set_num_threads(1)
    labels = pd.read_parquet(folder / "records.parquet")[["record_id", "patient_id", "source", "split"]]
    labels.assign(**{name: column.astype(np.float32) for name, column in columns.items()}).to_parquet(
        folder / "labels.parquet"
    )
    names = dict.fromkeys(name.split(".")[1] for name in columns)
    task = TaskSlice.model_construct(
        task="planted", kinds={"s": "ptbxl"}, config=TaskConfig.model_construct(kind=kind, labels=names)
    )
    options = {
        "epochs": 6, "lr": 3e-3, "head_lr": 1e-2, "batch_size": 32, "patience": 6, "freeze_frontend": False
    } | config  # fmt: skip
    paths = {
        "labels": folder / "labels.parquet",
        "manifest": folder / "records.parquet",
        "signals": folder / "preprocess",
    }
    run_finetune(
        FinetuneSlice(finetune=FinetuneConfig(**options)),
        fit="full-s0", encoder=make_encoder(folder / "encoder"), task=task, output=folder / output / "model", **paths,
    )  # fmt: skip
    settings = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=300))
    return run_evaluate(settings, model=folder / output / "model", output=folder / output / "evaluate", **paths)


@pytest.mark.slow
def test_permuted_labels_are_not_told(tmp_path: Path) -> None:
    write_signals(tmp_path)
    rng = np.random.default_rng(2)
    columns = {f"label.permuted{i}": rng.permutation(STATE) for i in range(3)}
    auroc = run(tmp_path, "multilabel", columns)["macro"]["auroc"]
    assert auroc["ci_low"] < 0.5 < auroc["ci_high"]
    assert auroc["ci_high"] - auroc["ci_low"] < 0.2  # and it says so with some certainty


@pytest.mark.slow
def test_a_leaked_label_is_told_and_a_trap_in_test_changes_nothing_that_is_chosen(tmp_path: Path) -> None:
    leaked = np.random.default_rng(3).permutation(STATE)
    write_signals(tmp_path, leaked)
    honest = run(tmp_path, "binary", {"label.leaked": leaked})
    assert honest["macro"]["auroc"]["value"] > 0.99
    trap = np.where(SPLIT == "test", 1 - leaked, leaked)
    trapped = run(tmp_path, "binary", {"label.leaked": trap}, output="trapped")
    assert trapped["macro"]["auroc"]["value"] == pytest.approx(1 - honest["macro"]["auroc"]["value"], abs=1e-9)
    models = [read_json(tmp_path / name / "model" / "model.json") for name in ("run", "trapped")]
    for key in ("thresholds", "training", "data_hash"):
        assert models[0][key] == models[1][key]
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("run", "trapped")]
    assert weights[0] == weights[1]
    assert honest["calibration"] == trapped["calibration"]


@pytest.mark.slow
def test_a_planted_hazard_ratio_is_recovered(tmp_path: Path) -> None:
    """Deaths as in CODE-15: few years of follow-up, most patients censored; state 1 has three times the hazard."""
    write_signals(tmp_path)
    rng = np.random.default_rng(4)
    died = rng.exponential(1 / (0.06 * np.where(STATE, 3.0, 1.0)))
    left = rng.uniform(1, 7, len(SPLIT))
    columns = {"time.death": np.minimum(died, left), "event.death": died <= left}
    assert 0.2 < columns["event.death"].mean() < 0.5
    metrics = run(tmp_path, "survival", columns, batch_size=128, epochs=12, patience=12)
    death = metrics["labels"]["death"]
    planted = 3 ** STATE[SPLIT == "valid"].std()  # per standard deviation of a risk that knows the state
    assert death["hazard_ratio"]["ci_low"] < planted < death["hazard_ratio"]["ci_high"]
    assert death["hazard_ratio"]["ci_low"] > 1.1
    assert death["c_index"]["ci_low"] > 0.52
    groups = [group for group in metrics["risk_groups"]["death"] if group["records"]]
    assert groups[0]["observed"] > groups[-1]["observed"]
