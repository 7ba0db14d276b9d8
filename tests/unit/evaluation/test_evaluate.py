"""The stage evaluate, with a model whose answers are known: it reads the amplitude of lead I."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from ecglfm.config import EvaluateConfig, EvaluateSlice, PreprocessConfig, TrackingSlice, UserError
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.models import bundle
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.calibration import Calibration
from ecglfm.models.conformal import Conformal
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import link_of
from ecglfm.provenance import read_json, write_array, write_json, write_parquet
from ecglfm.records import data_hash
from tests.unit.hashes import hashes
from tests.unit.shard_leads import name_leads

SLICE = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=50, confidence=0.9, seed=3))
COUNT = 60
AMPLITUDE = np.random.default_rng(0).uniform(0, 2, COUNT).round(3)  # mV
HIGH = ((np.random.default_rng(1).normal(0, 0.4, COUNT) + AMPLITUDE) > 1).astype(np.float32)


class Amplitude(nn.Module):
    """logit(HIGH) = mean of lead I - 1 mV; logit(LOW) is its negative."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        prepared = PreprocessConfig(sampling_rate=100, leads=["I", "II"])
        self.encoder = SimpleNamespace(crop_samples=500, preprocess=prepared, input=None)
        self.label_names, self.thresholds = ["HIGH", "LOW"], [0.4, 0.6]
        self.kind, self.aggregate, self.outputs = "multilabel", "mean", torch.sigmoid
        self.calibration: Calibration | None = None
        self.conformal: Conformal | None = None
        self.baselines: list[BaselineHazard | None] = []

    calibrated, slopes = ECGModel.calibrated, ECGModel.slopes

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
    signal = np.rint(signal * 1000).astype(np.int16)
    write_array(tmp_path / "preprocess/alpha/000.npy", signal.reshape(-1, 2))
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
            "sha256": hashes(signal),
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


def test_samples_of_another_recording_are_not_evaluated(inputs: dict[str, Path]):
    path = inputs["signals"] / "alpha/000.npy"
    write_array(path, -np.load(path))
    with pytest.raises(UserError, match=r"000\.npy: the SHA-256 of alpha/20's samples .*39 more of its"):
        run_evaluate(SLICE, **inputs)
    assert not (inputs["output"] / "metrics.json").exists()


def test_predictions_are_the_mean_over_the_windows(inputs: dict[str, Path]):
    run_evaluate(SLICE, **inputs)
    table = pd.read_parquet(inputs["output"] / "predictions.parquet")
    assert table["record_id"].tolist() == [f"alpha/{i:02d}" for i in range(20, 60)]
    assert table["split"].tolist() == ["valid"] * 20 + ["test"] * 20
    expected = (sigmoid(AMPLITUDE[20:] - 0.9) + sigmoid(AMPLITUDE[20:] - 1.1)) / 2
    np.testing.assert_allclose(table["probability.HIGH"], expected, atol=1e-6)
    np.testing.assert_array_equal(table["target.HIGH"], HIGH[20:])
    columns = ["record_id", "patient_id", "split", "target.HIGH", "probability.HIGH", "target.LOW", "probability.LOW"]
    assert table.columns.tolist() == [*columns, "threshold.HIGH", "threshold.LOW"]
    assert (table["threshold.HIGH"] == 0.4).all()
    assert (table["threshold.LOW"] == 0.6).all()


def test_prediction_sets_of_the_test_split(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    model = Amplitude()
    model.conformal = Conformal(0.8, (0.5, None), (0.6, 0.5), (9, 1), (9, 9))
    monkeypatch.setattr(bundle, "load_model", lambda path: model)
    found = run_evaluate(SLICE, **inputs)["conformal"]
    table = pd.read_parquet(inputs["output"] / "predictions.parquet").query("split == 'test'")
    said, truth = table["probability.HIGH"].to_numpy(), table["target.HIGH"].to_numpy()
    expected = np.where(said < 0.5, "absent", np.where(said <= 0.6, "either", "present"))
    assert table["set.HIGH"].tolist() == expected.tolist()
    assert set(table["set.LOW"]) == {"too few"}
    assert found["coverage"] == 0.8
    assert found["labels"]["LOW"] == {"reason": "too few patients in the validation split"}
    high = found["labels"]["HIGH"]
    assert high["sets"]["either"] == pytest.approx((expected == "either").mean())
    own = (
        pd.DataFrame({"patient": table["patient_id"], "hit": said >= 0.5})[truth == 1].groupby("patient")["hit"].mean()
    )
    assert high["present"]["coverage"] == pytest.approx(own.mean())
    assert high["present"]["patients"] == len(own)


def test_metrics_are_of_the_test_split_at_the_models_thresholds(inputs: dict[str, Path]):
    chosen = {"HIGH": {"value": 0.3, "ci_low": 0.1, "ci_high": 0.6, "positives": 3, "rule": "smoothed"}}
    model = read_json(inputs["model"] / "model.json")
    write_json(inputs["model"] / "model.json", model | {"training": {"thresholds": chosen}})
    run_evaluate(SLICE, **inputs)
    metrics = read_json(inputs["output"] / "metrics.json")
    assert metrics["threshold_choices"] == chosen
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
    assert metrics["bootstrap"] == {"unit": "patient", "resamples": 50, "confidence": 0.9, "seed": 3, "min_patients": 5}
    assert metrics["data_hash"] == data_hash(pd.read_parquet(inputs["manifest"]))
    high = metrics["labels"]["HIGH"]
    assert high["auroc"]["value"] == pytest.approx(roc_auc_score(HIGH[40:], AMPLITUDE[40:]))
    called = (sigmoid(AMPLITUDE[40:] - 0.9) + sigmoid(AMPLITUDE[40:] - 1.1)) / 2 >= 0.4
    assert high["sensitivity"]["value"] == pytest.approx(called[HIGH[40:] == 1].mean())
    assert metrics["labels"]["LOW"]["auroc"]["reason"] == "no positive test record"
    assert metrics["macro"]["auroc"]["value"] == high["auroc"]["value"]
    for picture in ("curves.png", "calibration.png"):
        assert (inputs["output"] / picture).read_bytes().startswith(b"\x89PNG")


def split_off(inputs: dict[str, Path], rows: range, source: str) -> None:
    """Give some records to another source."""
    table, signals = pd.read_parquet(inputs["manifest"]), inputs["signals"]
    names = {f"alpha/{i:02d}": f"{source}/{i:02d}" for i in rows}
    table.loc[rows, "source"], table["record_id"] = source, table["record_id"].replace(names)
    table["patient_id"] = table["patient_id"].where(table["source"] != source, source + "/" + table["patient_id"])
    write_parquet(inputs["manifest"], table)
    write_array(signals / source / "000.npy", np.load(signals / "alpha/000.npy"))
    labels = pd.read_parquet(inputs["labels"]).sort_values("record_id", ignore_index=True)
    assert set(names) <= set(labels["record_id"])
    labels.loc[labels["record_id"].isin(names), "source"] = source
    write_parquet(inputs["labels"], labels.replace({"record_id": names}))


def test_a_source_that_is_only_tested_is_measured_by_itself(inputs: dict[str, Path]):
    """40 … 49 are alpha's test, 50 … 54 beta, 55 … 59 gamma, which has records in train elsewhere and is pooled."""
    split_off(inputs, range(50, 55), "beta")
    split_off(inputs, range(55, 60), "gamma")
    settings = SLICE.model_copy(update={"tested_only": ["beta", "delta"]})
    metrics = run_evaluate(settings, **inputs)
    table = pd.read_parquet(inputs["output"] / "predictions.parquet").set_index("record_id")
    assert table["split"].value_counts().to_dict() == {"valid": 20, "test": 15, "external": 5}
    assert set(table.index[table["split"] == "external"]) == {f"beta/{i}" for i in range(50, 55)}
    assert metrics["sources"] == ["alpha", "gamma"]
    assert metrics["n"]["records"] == 15
    home = [*range(40, 50), *range(55, 60)]
    assert metrics["labels"]["HIGH"]["auroc"]["value"] == pytest.approx(roc_auc_score(HIGH[home], AMPLITUDE[home]))
    assert set(metrics["subgroups"]["source"]) == {"alpha", "gamma"}
    assert set(metrics["external"]) == {"beta"}
    beta = metrics["external"]["beta"]
    assert beta["n"]["records"] == 5
    assert beta["n"]["positives"]["HIGH"] == int(HIGH[50:55].sum())
    expected = roc_auc_score(HIGH[50:55], AMPLITUDE[50:55])
    assert beta["labels"]["HIGH"]["auroc"]["value"] == pytest.approx(expected)
    assert beta["majority"]["labels"]["HIGH"]["ppv"] == pytest.approx(HIGH[50:55].mean())
    assert metrics["majority"]["labels"]["HIGH"]["ppv"] == pytest.approx(HIGH[home].mean())
    assert beta["thresholds"] == metrics["thresholds"]


def test_where_all_are_only_tested_the_first_is_the_test(inputs: dict[str, Path]):
    split_off(inputs, range(40, 50), "gamma")
    split_off(inputs, range(50, 60), "beta")
    metrics = run_evaluate(SLICE.model_copy(update={"tested_only": ["beta", "gamma"]}), **inputs)
    assert (metrics["sources"], set(metrics["external"])) == (["beta"], {"gamma"})
    assert metrics["n"]["records"] == metrics["external"]["gamma"]["n"]["records"] == 10


class Told(Amplitude):
    """Logit k is the mean of lead I times `factors[k]`, read as the link of a kind of task says."""

    def __init__(self, kind: str, factors: dict[str, float], thresholds: list[float]) -> None:
        super().__init__()
        self.link = link_of(kind, [0.0] * len(factors), [1.0] * len(factors))
        self.kind, self.outputs = kind, self.link.outputs
        self.label_names, self.thresholds = list(factors), thresholds
        self.factors = torch.tensor(list(factors.values()))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x[:, 0].mean(dim=1)[:, None] * self.factors


def run_kind(
    inputs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    model: Told,
    columns: dict[str, np.ndarray],
    **config: object,
) -> tuple[dict, pd.DataFrame]:
    """Evaluate a model of another kind; the labels are these columns."""
    monkeypatch.setattr(bundle, "load_model", lambda path: model)
    labels = pd.read_parquet(inputs["labels"]).sort_values("record_id", ignore_index=True)
    labels = labels[["record_id", "patient_id", "source", "split"]].assign(**columns)
    write_parquet(inputs["labels"], labels)
    settings = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=50, confidence=0.9, seed=3, **config))
    metrics = run_evaluate(settings, **inputs)
    for picture in ("curves.png", "calibration.png"):
        assert (inputs["output"] / picture).read_bytes().startswith(b"\x89PNG")
    return metrics, pd.read_parquet(inputs["output"] / "predictions.parquet")


def test_regression(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    age = 2 * AMPLITUDE + np.where(np.arange(COUNT) % 2, 0.25, -0.25)
    model = Told("regression", {"age": 2.0}, [])
    metrics, table = run_kind(inputs, monkeypatch, model, {"label.age": age.astype(np.float32)})
    assert table.columns.tolist() == ["record_id", "patient_id", "split", "target.age", "prediction.age"]
    np.testing.assert_allclose(table["prediction.age"], 2 * AMPLITUDE[20:], atol=2e-3)
    assert metrics["kind"] == "regression"
    assert metrics["labels"]["age"]["mae"]["value"] == pytest.approx(0.25, abs=2e-3)
    assert metrics["macro"]["r2"]["value"] == pytest.approx(1 - 0.25**2 / age[40:].var(), abs=1e-3)
    assert "thresholds" not in metrics
    assert "micro" not in metrics


def test_survival_is_judged_at_times_of_the_validation_split(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    time = (4 - AMPLITUDE).astype(np.float32)  # the higher the risk, the earlier the event
    event = (np.arange(COUNT) % 4 != 0).astype(np.float32)
    columns = {"time.death": time, "event.death": event, "time.stroke": time, "event.stroke": event * 0}
    model = Told("survival", {"death": 1.0, "stroke": -1.0}, [])
    metrics, table = run_kind(inputs, monkeypatch, model, columns)
    expected = [
        "record_id",
        "patient_id",
        "split",
        "time.death",
        "event.death",
        "risk.death",
        "time.stroke",
        "event.stroke",
        "risk.stroke",
        "slope.death",
        "slope.stroke",
    ]
    assert table.columns.tolist() == expected
    np.testing.assert_allclose(table["risk.death"], AMPLITUDE[20:], atol=2e-3)
    assert metrics["labels"]["death"]["c_index"]["value"] == 1
    assert metrics["labels"]["stroke"]["c_index"]["reason"] == "no event among the test records"
    quartiles = np.quantile(time[20:40][event[20:40] == 1], [0.25, 0.5, 0.75])
    np.testing.assert_allclose(metrics["survival_times"]["death"], quartiles, rtol=1e-6)
    assert metrics["n"]["events"] == {"death": 15, "stroke": 0}
    assert (table["slope.death"] == 1).all()
    metrics, _ = run_kind(inputs, monkeypatch, model, columns, survival_times=[2.5, 3.0])
    assert metrics["survival_times"] == {"death": [2.5, 3.0], "stroke": None}


def test_risks_are_read_by_the_slope_that_came_with_the_model(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    time, event = (4 - AMPLITUDE).astype(np.float32), (np.arange(COUNT) % 4 != 0).astype(np.float32)
    columns = {"time.death": time, "event.death": event}
    predicted = {}
    for times, slope in ((3.0, 1.0), (1.5, 2.0), (1.5, 1.0)):  # risks half as far apart, and a slope of 2, are the same
        model = Told("survival", {"death": times}, [])
        model.baselines = [BaselineHazard((1.0,), (0.1,), 4.0, (1.0,), 1.0, (-1.0, 0.0, 1.0), slope)]
        metrics, table = run_kind(inputs, monkeypatch, model, columns)
        assert metrics["calibration"] == {"fitted_on": "valid", "slope": {"death": slope}}
        assert (table["slope.death"] == slope).all()
        groups = metrics["risk_groups"]["death"]
        predicted[times, slope] = [group["predicted"] for group in groups if group["records"]]
    assert predicted[1.5, 2.0] == pytest.approx(predicted[3.0, 1.0], abs=1e-5)
    assert np.abs(np.subtract(predicted[1.5, 1.0], predicted[3.0, 1.0])).max() > 0.05


def test_multiclass_with_a_temperature(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    truth = np.where(HIGH == 1, 0, np.arange(COUNT) % 2 + 1)
    columns = {f"label.{name}": (truth == k).astype(np.float32) for k, name in enumerate("abc")}
    model = Told("multiclass", {"a": 4.0, "b": -4.0, "c": 0.0}, [0.5, 0.5, 0.5])
    model.calibration = Calibration(np.full(3, 4.0), True)  # sure of itself, and often wrong
    metrics, table = run_kind(inputs, monkeypatch, model, columns)
    before, after = (table[[f"{what}.{name}" for name in "abc"]].to_numpy() for what in ("uncalibrated", "probability"))
    logits = AMPLITUDE[20:, None] * [4.0, -4.0, 0.0]  # of both windows almost
    for said, temperature in ((before, 1), (after, 4)):
        expected = np.exp(logits / temperature)
        np.testing.assert_allclose(said, expected / expected.sum(axis=1, keepdims=True), atol=0.02)
        np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-6)
    assert metrics["overall"]["accuracy"]["value"] == pytest.approx((after[20:].argmax(axis=1) == truth[40:]).mean())
    assert metrics["calibration"] == {"fitted_on": "valid", "temperature": {"a": 4.0, "b": 4.0, "c": 4.0}}
    found = metrics["labels"]["b"]
    for name, said in (("brier_uncalibrated", before), ("brier", after)):
        assert found[name]["value"] == pytest.approx(np.mean((said[20:, 1] - (truth[40:] == 1)) ** 2))
    assert found["brier"]["value"] < found["brier_uncalibrated"]["value"]
    called, positive = after[20:, 0] >= 0.5, truth[40:] == 0  # decisions are of calibrated probabilities
    assert metrics["labels"]["a"]["specificity"]["value"] == pytest.approx((~called)[~positive].mean())


@pytest.mark.parametrize("kind", ["multilabel", "survival"])
def test_a_trap_in_the_test_split_changes_nothing_that_is_chosen(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str
):
    """Every truth of the test split is turned round; only what is measured may differ."""
    test = np.arange(COUNT) >= 40
    columns = {"label.HIGH": HIGH, "label.LOW": 1 - HIGH}
    trap = {name: np.where(test, 1 - column, column).astype(np.float32) for name, column in columns.items()}
    if kind == "survival":
        columns = {"time.HIGH": np.random.default_rng(5).uniform(1, 2, COUNT).astype(np.float32), "event.HIGH": HIGH}
        trap = {"time.HIGH": columns["time.HIGH"] + 3 * test.astype(np.float32), "event.HIGH": trap["label.HIGH"]}
    names = dict.fromkeys([name.split(".")[1] for name in columns], 3.0)
    model = Told(kind, names, [0.5, 0.5] if kind == "multilabel" else [])
    honest, table = run_kind(inputs, monkeypatch, model, columns)
    trapped, other = run_kind(inputs, monkeypatch, model, trap)
    for key in ("thresholds", "survival_times"):
        assert honest.get(key) == trapped.get(key)
    said = [name for name in table if name.startswith(("probability", "risk"))]
    pd.testing.assert_frame_equal(table[said], other[said])
    predicted = [
        [group.get("predicted") for group in found.get("risk_groups", {}).get("HIGH", [])]
        for found in (honest, trapped)
    ]
    assert predicted[0] == predicted[1]
    brier = [found["labels"]["HIGH"]["brier"]["value"] for found in (honest, trapped)]
    assert brier[0] != brier[1]  # the trap was there


def test_the_same_inputs_give_the_same_bytes(inputs: dict[str, Path]):
    files = ("predictions.parquet", "metrics.json", "curves.png")
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
    with pytest.raises(UserError, match="has no label 'LOW'"):
        run_evaluate(SLICE, **inputs)
    write_parquet(inputs["labels"], labels[labels["split"] != "test"])
    with pytest.raises(UserError, match="no record of the task is in the test split"):
        run_evaluate(SLICE, **inputs)
    write_parquet(inputs["labels"], labels)
    write_parquet(inputs["manifest"], records.assign(sampling_rate=250))
    with pytest.raises(UserError, match="at 250 Hz, but the model reads I II at 100 Hz"):
        run_evaluate(SLICE, **inputs)


def test_leads_in_another_order_than_the_models_are_refused(inputs: dict[str, Path]):
    name_leads(inputs["signals"] / "alpha/000.npy", ["II", "I"])
    with pytest.raises(UserError, match="holds leads II I at 100 Hz, but the model reads I II at 100 Hz"):
        run_evaluate(SLICE, **inputs)
    name_leads(inputs["signals"] / "alpha/000.npy", ["I", "II", "V1"])
    with pytest.raises(UserError, match="holds leads I II V1 at 100 Hz, but the model reads I II at 100 Hz"):
        run_evaluate(SLICE, **inputs)


@pytest.mark.slow
def test_mlflow_gets_the_numbers(inputs: dict[str, Path], tmp_path: Path):
    store = tmp_path / "mlflow.db"
    tracking = TrackingSlice(uri=f"sqlite:///{store}", artifacts=str(tmp_path / "artifacts"), enabled=True)
    metrics = run_evaluate(SLICE, **inputs, tracking=tracking, rule="evaluate_model")
    with sqlite3.connect(store) as database:
        logged = dict(database.execute("select key, value from metrics").fetchall())
        tags = dict(database.execute("select key, value from tags").fetchall())
    assert logged["test/auroc_macro"] == pytest.approx(metrics["macro"]["auroc"]["value"])
    assert logged["test/f1/HIGH"] == pytest.approx(metrics["labels"]["HIGH"]["f1"]["value"])
    assert "test/auroc/LOW" not in logged
    assert tags["snakemake_rule"] == "evaluate_model"
    assert (tags["encoder"], tags["task"], tags["fit"]) == ("ruler", "amplitude", "full-s0")
    assert list((tmp_path / "artifacts").rglob("curves.png"))


def test_a_model_older_than_the_labels_is_said(inputs: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    labels = pd.read_parquet(inputs["labels"])
    write_parquet(inputs["labels"], labels.assign(**{"label.NEW": np.float32(1)}))
    with caplog.at_level(logging.WARNING):
        run_evaluate(SLICE, **inputs)
    (said,) = [text for text in caplog.messages if "older" in text]
    assert said.startswith(
        f"{inputs['labels']}: label NEW is unknown to the model, which is older: it is not evaluated"
    )
    write_parquet(inputs["labels"], labels.rename(columns={"label.LOW": "label.LOWER"}))
    with pytest.raises(UserError, match="has no label 'LOW', which the model predicts: the model is older") as error:
        run_evaluate(SLICE, **inputs)
    assert "run `ecglfm finetune` again" in str(error.value)
