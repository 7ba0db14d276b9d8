"""Models of k folds: each predicts its own fold only, and what it decides by is its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from ecglfm.config import EvaluateConfig, EvaluateSlice, PreprocessConfig, UserError
from ecglfm.config.fits import split_fold
from ecglfm.evaluation.cross_validation import records_of_fold, training_records
from ecglfm.evaluation.evaluate import run_evaluate
from ecglfm.models import bundle
from ecglfm.models.calibration import Calibration
from ecglfm.models.heads import ECGModel
from ecglfm.provenance import read_json, write_array, write_json, write_parquet
from tests.unit.evaluation.test_evaluate import hashes

COUNT, FOLDS = 45, 3
FOLD = np.arange(COUNT) // 3 % FOLDS  # three records of a patient
AMPLITUDE = np.random.default_rng(0).uniform(0, 2, COUNT).round(3)  # mV
HIGH = ((np.random.default_rng(1).normal(0, 0.4, COUNT) + AMPLITUDE) > 1).astype(np.float32)
SHIFT = np.array([0.0, 3.0, -3.0])  # of each model's logits: scores of the three are on different scales
THRESHOLDS = [0.5, 0.9, 0.1]
TEMPERATURES = np.array([2.0, 1.0, 0.5])  # of each model
SLICE = EvaluateSlice(evaluate=EvaluateConfig(bootstrap=40, seed=3))


class Shifted(nn.Module):
    """logit(HIGH) = mean of lead I - 1 mV, and what this fold's model adds."""

    def __init__(self, fold: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        prepared = PreprocessConfig(sampling_rate=100, leads=["I", "II"])
        self.encoder = SimpleNamespace(crop_samples=500, preprocess=prepared, input=None)
        self.label_names, self.thresholds = ["HIGH"], [THRESHOLDS[fold]]
        self.kind, self.aggregate, self.outputs, self.shift = "binary", "mean", torch.sigmoid, SHIFT[fold]
        self.calibration = Calibration(TEMPERATURES[[fold]], False)

    calibrated = ECGModel.calibrated
    conformal = None

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x[:, 0].mean(dim=1)[:, None] - 1 + self.shift


def said_by(fold: np.ndarray) -> np.ndarray:
    """Calibrated probability that the models of these folds say of all records."""
    return 1 / (1 + np.exp(-(AMPLITUDE - 1 + SHIFT[fold]) / TEMPERATURES[fold]))


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """45 records of 15 patients in three folds, and six training records of another source."""
    monkeypatch.setattr(bundle, "load_model", lambda path: Shifted(split_fold(path.name)[1]))
    signal = np.zeros((COUNT, 500, 2))
    signal[:, :, 0] = AMPLITUDE[:, None]
    signal = np.rint(signal * 1000).astype(np.int16)
    write_array(tmp_path / "preprocess/alpha/000.npy", signal.reshape(-1, 2))
    records = pd.DataFrame(
        {
            "record_id": [f"alpha/{i:02d}" for i in range(COUNT)], "source": "alpha",
            "patient_id": [f"alpha/p{i // 3}" for i in range(COUNT)], "split": "test",
            "fold": pd.array(FOLD, dtype="Int8"), "sampling_rate": 100, "n_samples": 500, "shard": 0,
            "offset": np.arange(COUNT) * 500, "sha256": hashes(signal), "sex": np.where(FOLD == 1, "female", "male"),
        }
    )  # fmt: skip
    write_parquet(tmp_path / "manifest/records.parquet", records)
    labels = records[["record_id", "patient_id", "source", "split", "fold"]].assign(**{"label.HIGH": HIGH})
    write_parquet(tmp_path / "labels/high.parquet", labels.iloc[::-1])
    folders = [tmp_path / f"full-s0-f{fold}of{FOLDS}" for fold in range(FOLDS)]
    for fold, folder in enumerate(folders):
        choice = {"HIGH": {"value": THRESHOLDS[fold], "ci_low": 0.1, "ci_high": 0.9, "positives": 7, "rule": "sweep"}}
        model = {"encoder": {"name": "ruler"}, "task": "high", "kind": "binary", "fit": folder.name}
        write_json(folder / "model.json", model | {"training": {"thresholds": choice}})
    return {
        "model": folders,
        "labels": tmp_path / "labels/high.parquet",
        "manifest": tmp_path / "manifest/records.parquet",
        "signals": tmp_path / "preprocess",
        "output": tmp_path / "evaluate",
    }


def test_each_record_is_predicted_by_the_model_of_its_own_fold(inputs: dict) -> None:
    inputs["model"] = inputs["model"][::-1]  # the order in which they are given is no matter
    run_evaluate(SLICE, **inputs)
    table = pd.read_parquet(inputs["output"] / "predictions.parquet")
    test, valid = (table[table["split"] == split].sort_values("record_id") for split in ("test", "valid"))
    for part, fold in ((test, FOLD), (valid, (FOLD - 1) % FOLDS)):  # fold 1 is what fold 0's model was chosen by
        assert part["record_id"].tolist() == [f"alpha/{i:02d}" for i in range(COUNT)]
        np.testing.assert_array_equal(part["fold"], fold)
        np.testing.assert_allclose(part["probability.HIGH"], said_by(fold), atol=1e-3)
        np.testing.assert_array_equal(part["threshold.HIGH"], np.array(THRESHOLDS)[fold])


def test_pooled_metrics_are_per_patient_and_beside_them_is_the_mean_of_folds(inputs: dict) -> None:
    metrics = run_evaluate(SLICE, **inputs)
    assert {key: metrics[key] for key in ("encoder", "task", "fit")} == {
        "encoder": "ruler", "task": "high", "fit": "full-s0",
    }  # fmt: skip
    assert metrics["n"] == {
        "records": 45,
        "patients": 15,
        "positives": {"HIGH": int(HIGH.sum())},
        "known": {"HIGH": 45},
    }
    pooled, high = said_by(FOLD), metrics["labels"]["HIGH"]
    assert high["auroc"]["value"] == pytest.approx(roc_auc_score(HIGH, pooled), abs=1e-3)
    called = pooled >= np.array(THRESHOLDS)[FOLD]
    assert high["sensitivity"]["value"] == pytest.approx(called[HIGH == 1].mean())
    assert metrics["thresholds"] == {"HIGH": THRESHOLDS}
    folds = metrics["folds"]
    each = [roc_auc_score(HIGH[fold == FOLD], AMPLITUDE[fold == FOLD]) for fold in range(FOLDS)]
    entry = folds["labels"]["HIGH"]["auroc"]
    assert entry["values"] == pytest.approx(each)
    assert (entry["mean"], entry["folds"]) == (pytest.approx(np.mean(each)), 3)
    assert folds["macro"]["auroc"] == {"mean": entry["mean"], "folds": 3}
    assert entry["mean"] > high["auroc"]["value"] + 0.1  # scores of three models are on three scales
    assert [model["fit"] for model in folds["models"]] == [f"full-s0-f{fold}of3" for fold in range(3)]
    assert [model["n"] for model in folds["models"]] == [{"records": 15, "patients": 5}] * 3
    assert folds["models"][2]["threshold_choices"]["HIGH"]["value"] == THRESHOLDS[2]
    assert folds["k"] == 3


def test_temperatures_are_each_models_own(inputs: dict) -> None:
    metrics = run_evaluate(SLICE, **inputs)
    assert metrics["calibration"] == {"fitted_on": "valid", "temperature": {"HIGH": [2.0, 1.0, 0.5]}}
    before = 1 / (1 + np.exp(-(AMPLITUDE - 1 + SHIFT[FOLD])))
    for name, said in (("brier_uncalibrated", before), ("brier", said_by(FOLD))):
        assert metrics["labels"]["HIGH"][name]["value"] == pytest.approx(np.mean((said - HIGH) ** 2), abs=1e-3)


def test_subgroups_and_the_constant_answer_are_of_the_pooled_records(inputs: dict) -> None:
    metrics = run_evaluate(SLICE, **inputs)
    assert {name: group["n"]["records"] for name, group in metrics["subgroups"]["sex"].items()} == {
        "female": 15, "male": 30,
    }  # fmt: skip
    constant, share = metrics["majority"]["labels"]["HIGH"], HIGH.mean()
    assert constant["ppv"] == pytest.approx(share)
    assert constant["brier"] == pytest.approx(share * (1 - share))


def test_training_records_of_all_models_stand_one_after_another() -> None:
    folds = pd.array([0, 1, 2, 3, pd.NA, pd.NA], dtype="Int8")
    table = pd.DataFrame({"split": ["test"] * 4 + ["train", "valid"], "fold": folds, "id": list("abcdtv")})
    assert "".join(training_records(table)["id"]) == "cdt" + "adt" + "abt" + "bct"
    assert "".join(training_records(table.drop(columns="fold"))["id"]) == "t"


def test_a_model_is_chosen_by_the_fold_after_its_own_and_the_validation_split() -> None:
    folds = pd.array([0, 1, 2, pd.NA], dtype="Int8")
    table = pd.DataFrame({"split": ["test"] * 3 + ["valid"], "fold": folds, "id": list("abcv")})
    assert [list(zip(part["id"], part["split"], strict=True)) for fold in (0, 2)
            for part in [records_of_fold(table, fold, 3)]] == [
        [("a", "test"), ("b", "valid"), ("v", "valid")],
        [("a", "valid"), ("c", "test"), ("v", "valid")],
    ]  # fmt: skip


@pytest.mark.parametrize(("which", "said"), [
    ([0, 1], "those of all folds of one fit"), ([0, 1, 1], "those of all folds"), ([2], "those of all folds"),
])  # fmt: skip
def test_models_that_are_not_those_of_the_folds_are_refused(inputs: dict, which: list[int], said: str) -> None:
    inputs["model"] = [inputs["model"][fold] for fold in which]
    with pytest.raises(UserError, match=said):
        run_evaluate(SLICE, **inputs)


def test_folds_of_two_fits_are_refused(inputs: dict) -> None:
    path = inputs["model"][1] / "model.json"
    write_json(path, read_json(path) | {"fit": "full-s1-f1of3"})
    with pytest.raises(UserError, match="those of all folds of one fit"):
        run_evaluate(SLICE, **inputs)


def test_models_and_labels_must_both_have_folds(inputs: dict) -> None:
    path = inputs["model"][0] / "model.json"
    write_json(path, read_json(path) | {"fit": "full-s0"})
    with pytest.raises(UserError, match="are dealt into folds: give the model of each fold"):
        run_evaluate(SLICE, **inputs | {"model": inputs["model"][0]})
    write_json(path, read_json(path) | {"fit": "full-s0-f0of3"})
    write_parquet(inputs["labels"], pd.read_parquet(inputs["labels"]).drop(columns="fold"))
    with pytest.raises(UserError, match="have no folds: give the model of no fold"):
        run_evaluate(SLICE, **inputs)


def test_a_test_record_without_a_fold_is_refused(inputs: dict) -> None:
    for key in ("labels", "manifest"):
        table = pd.read_parquet(inputs[key])
        table.loc[table["record_id"] == "alpha/07", "fold"] = pd.NA
        write_parquet(inputs[key], table)
    with pytest.raises(UserError, match="1 of its test records are in none of the 3 folds"):
        run_evaluate(SLICE, **inputs)
