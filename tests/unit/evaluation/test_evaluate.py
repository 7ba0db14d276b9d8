"""The stage evaluate, with a model whose answers are known: it reads the amplitude of lead I."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from ecglfm.config import EvaluateConfig, EvaluateSlice, TrackingSlice, UserError
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.models import bundle
from ecglfm.provenance import read_json, write_array, write_json, write_parquet
from ecglfm.records import data_hash

SLICE = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=50, confidence=0.9, seed=3))
COUNT = 60
AMPLITUDE = np.random.default_rng(0).uniform(0, 2, COUNT).round(3)  # mV
HIGH = ((np.random.default_rng(1).normal(0, 0.4, COUNT) + AMPLITUDE) > 1).astype(np.float32)


class Amplitude(nn.Module):
    """logit(HIGH) = mean of lead I - 1 mV; logit(LOW) is its negative."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.encoder = SimpleNamespace(crop_samples=500, sampling_rate=100, leads=["I", "II"])
        self.label_names, self.thresholds = ["HIGH", "LOW"], [0.4, 0.6]
        self.kind, self.aggregate, self.outputs = "multilabel", "mean", torch.sigmoid

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        high = x[:, 0].mean(dim=1) - 1
        return torch.stack([high, -high], dim=1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """60 records of 1,000 samples, 20 in each split; lead I is 0.2 mV higher in the first half."""
    monkeypatch.setattr(bundle, "load_model", lambda path: Amplitude())
    signal = np.zeros((COUNT, 1000, 2))
    signal[:, :500, 0], signal[:, 500:, 0] = AMPLITUDE[:, None] + 0.1, AMPLITUDE[:, None] - 0.1
    write_array(tmp_path / "preprocess/alpha/000.npy", np.rint(signal * 1000).astype(np.int16).reshape(-1, 2))
    records = pd.DataFrame(
        {
            "record_id": [f"alpha/{i:02d}" for i in range(COUNT)],
            "source": "alpha",
            "patient_id": [f"alpha/p{i // 2}" for i in range(COUNT)],
            "split": np.repeat(["train", "valid", "test"], 20),
            "sampling_rate": 100,
            "n_samples": 1000,
            "shard": 0,
            "offset": np.arange(COUNT) * 1000,
            "sha256": "0",
        }
    )
    write_parquet(tmp_path / "manifest/records.parquet", records)
    labels = records[["record_id", "patient_id", "source", "split"]].copy()
    labels["label.HIGH"] = HIGH
    labels["label.LOW"] = np.where(np.arange(COUNT) % 4 == 0, np.nan, 0).astype(np.float32)
    write_parquet(tmp_path / "labels/amplitude.parquet", labels.iloc[::-1])  # their order must not matter
    model = {"encoder": {"name": "ruler"}, "task": "amplitude", "kind": "multilabel", "fit": "full-s0"}
    write_json(tmp_path / "finetune/model.json", model)
    return {
        "model": tmp_path / "finetune",
        "labels": tmp_path / "labels/amplitude.parquet",
        "manifest": tmp_path / "manifest/records.parquet",
        "signals": tmp_path / "preprocess",
        "output": tmp_path / "evaluate",
    }


def test_predictions_are_the_mean_over_the_windows(inputs: dict[str, Path]):
    run_evaluate(SLICE, **inputs)
    table = pd.read_parquet(inputs["output"] / "predictions.parquet")
    assert table["record_id"].tolist() == [f"alpha/{i:02d}" for i in range(20, 60)]
    assert table["split"].tolist() == ["valid"] * 20 + ["test"] * 20
    expected = (sigmoid(AMPLITUDE[20:] - 0.9) + sigmoid(AMPLITUDE[20:] - 1.1)) / 2
    np.testing.assert_allclose(table["probability.HIGH"], expected, atol=1e-6)
    np.testing.assert_array_equal(table["target.HIGH"], HIGH[20:])
    columns = ["record_id", "patient_id", "split", "target.HIGH", "probability.HIGH", "target.LOW", "probability.LOW"]
    assert table.columns.tolist() == columns


def test_metrics_are_of_the_test_split_at_the_models_thresholds(inputs: dict[str, Path]):
    run_evaluate(SLICE, **inputs)
    metrics = read_json(inputs["output"] / "metrics.json")
    assert {key: metrics[key] for key in ("encoder", "task", "fit", "kind", "split")} == {
        "encoder": "ruler",
        "task": "amplitude",
        "fit": "full-s0",
        "kind": "multilabel",
        "split": "test",
    }
    assert metrics["n"] == {
        "records": 20,
        "patients": 10,
        "positives": {"HIGH": int(HIGH[40:].sum()), "LOW": 0},
        "known": {"HIGH": 20, "LOW": 15},
    }
    assert metrics["thresholds"] == {"HIGH": 0.4, "LOW": 0.6}
    assert metrics["bootstrap"] == {"unit": "patient", "resamples": 50, "confidence": 0.9, "seed": 3}
    assert metrics["data_hash"] == data_hash(pd.read_parquet(inputs["manifest"]))
    high = metrics["labels"]["HIGH"]
    assert high["auroc"]["value"] == pytest.approx(roc_auc_score(HIGH[40:], AMPLITUDE[40:]))
    called = (sigmoid(AMPLITUDE[40:] - 0.9) + sigmoid(AMPLITUDE[40:] - 1.1)) / 2 >= 0.4
    assert high["sensitivity"]["value"] == pytest.approx(called[HIGH[40:] == 1].mean())
    assert metrics["labels"]["LOW"]["auroc"]["reason"] == "no positive test record"
    assert metrics["macro"]["auroc"]["value"] == high["auroc"]["value"]
    for picture in ("roc.png", "calibration.png"):
        assert (inputs["output"] / picture).read_bytes().startswith(b"\x89PNG")


def test_the_same_inputs_give_the_same_bytes(inputs: dict[str, Path]):
    files = ("predictions.parquet", "metrics.json", "roc.png")
    run_evaluate(SLICE, **inputs)
    first = [(inputs["output"] / file).read_bytes() for file in files]
    run_evaluate(SLICE, **inputs)
    assert [(inputs["output"] / file).read_bytes() for file in files] == first


def test_labels_of_another_manifest_are_refused(inputs: dict[str, Path]):
    records = pd.read_parquet(inputs["manifest"])
    records.loc[45, "split"] = "train"  # may have been trained on
    write_parquet(inputs["manifest"], records)
    with pytest.raises(UserError, match="1 of its records have another split"):
        run_evaluate(SLICE, **inputs)


def test_a_missing_label_an_empty_test_split_and_another_rate_are_said(inputs: dict[str, Path]):
    labels, records = pd.read_parquet(inputs["labels"]), pd.read_parquet(inputs["manifest"])
    write_parquet(inputs["labels"], labels.drop(columns="label.LOW"))
    with pytest.raises(UserError, match=r"label\.LOW"):
        run_evaluate(SLICE, **inputs)
    write_parquet(inputs["labels"], labels[labels["split"] != "test"])
    with pytest.raises(UserError, match="no record of the task is in the test split"):
        run_evaluate(SLICE, **inputs)
    write_parquet(inputs["labels"], labels)
    write_parquet(inputs["manifest"], records.assign(sampling_rate=250))
    with pytest.raises(UserError, match="reads 100 Hz"):
        run_evaluate(SLICE, **inputs)


@pytest.mark.slow
def test_mlflow_gets_the_numbers(inputs: dict[str, Path], tmp_path: Path):
    store = tmp_path / "mlflow.db"
    tracking = TrackingSlice(uri=f"sqlite:///{store}", artifacts=str(tmp_path / "artifacts"), enabled=True)
    metrics = run_evaluate(SLICE, **inputs, tracking=tracking, rule="evaluate_model")
    with sqlite3.connect(store) as database:
        logged = dict(database.execute("select key, value from metrics").fetchall())
        tags = dict(database.execute("select key, value from tags").fetchall())
    assert logged["test.macro.auroc"] == pytest.approx(metrics["macro"]["auroc"]["value"])
    assert logged["test.HIGH.f1"] == pytest.approx(metrics["labels"]["HIGH"]["f1"]["value"])
    assert "test.LOW.auroc" not in logged
    assert tags["snakemake_rule"] == "evaluate_model"
    assert (tags["encoder"], tags["task"], tags["fit"]) == ("ruler", "amplitude", "full-s0")
    assert list((tmp_path / "artifacts").rglob("roc.png"))
