"""Every kind of task is learnt from planted truth, saved and loaded; shares of the training patients."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm import load_model
from ecglfm.config import FinetuneConfig, FinetuneSlice, TaskConfig, TaskSlice, UserError
from ecglfm.config.fits import Fit
from ecglfm.data.samples.dataset import Signals
from ecglfm.data.tables import write_pieces
from ecglfm.training.finetuning.finetune import run_finetune
from ecglfm.training.finetuning.labelled import load_labelled, share_of_patients
from ecglfm.training.finetuning.scores import c_index, macro_auroc
from ecglfm.training.inference import predict
from tests.unit.training.finetuning.test_finetune import make_data, make_encoder

CLASSES = ["neither", "fast", "big", "both"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted signals; a number of 60 or 80 and a hazard ratio of e^3 for `fast`, four classes of both labels."""
    torch.set_num_threads(1)
    folder = make_data(tmp_path_factory.mktemp("kinds"))
    make_encoder(folder / "encoder")
    labels = pd.read_parquet(folder / "labels.parquet")
    fast, big = labels["label.fast"].to_numpy(), labels["label.big"].to_numpy()
    about, rng = labels[["record_id", "patient_id", "source", "split"]], np.random.default_rng(5)
    rate = (60 + 20 * fast + rng.normal(0, 1, len(fast))).astype(np.float32)
    rate[::10] = np.nan
    about.assign(**{"label.rate": rate}).to_parquet(folder / "regression.parquet")
    one_hot = np.eye(4, dtype=np.float32)[(fast + 2 * big).astype(int)]
    about.assign(**{f"label.{name}": one_hot[:, i] for i, name in enumerate(CLASSES)}).to_parquet(
        folder / "multiclass.parquet"
    )
    death, censored = rng.exponential(np.exp(-3 * fast)), rng.exponential(1.0, len(fast))
    time = np.minimum(death, censored).astype(np.float32)
    event = (death <= censored).astype(np.float32)
    time[::10] = event[::10] = np.nan
    about.assign(**{"time.death": time, "event.death": event}).to_parquet(folder / "survival.parquet")
    return folder


def fit(data: Path, output: Path, kind: str, names: list[str], name: str = "linear-s0", **config: Any):
    labels = data / ("labels.parquet" if kind == "multilabel" else f"{kind}.parquet")
    task = TaskSlice.model_construct(
        task="planted", kinds={"s": "ptbxl"}, config=TaskConfig.model_construct(kind=kind, labels=dict.fromkeys(names))
    )
    options = {"epochs": 40, "patience": 40, "head_lr": 0.05, "batch_size": 32} | config
    return run_finetune(
        FinetuneSlice(finetune=FinetuneConfig(**options)), fit=name, encoder=data / "encoder", task=task,
        labels=labels, manifest=data / "records.parquet", signals=data / "preprocess", output=output,
    )  # fmt: skip


def on_test(data: Path, model_folder: Path, table: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels and outputs of the test records."""
    records = pd.read_parquet(data / "records.parquet").query("split == 'test'").reset_index(drop=True)
    labels = pd.read_parquet(data / table).query("split == 'test'").reset_index(drop=True)
    return labels, predict(load_model(model_folder), Signals(records, data / "preprocess"))


@pytest.mark.parametrize(("loss", "select_by"), [("auto", "loss"), ("huber", "mae")])
def test_a_number_is_predicted_in_its_unit(data: Path, tmp_path: Path, loss: str, select_by: str) -> None:
    fit(data, tmp_path, "regression", ["rate"], loss=loss, select_by=select_by)
    labels, outputs = on_test(data, tmp_path, "regression.parquet")
    known = labels["label.rate"].notna()
    assert (outputs[:, 0] - labels["label.rate"])[known].abs().mean() < 6  # 10 for whoever says 70
    train = pd.read_parquet(data / "regression.parquet").query("split == 'train'")["label.rate"].astype(float)
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["target_mean"] == pytest.approx([train.mean()])
    assert content["target_scale"] == pytest.approx([train.std(ddof=0)])
    assert content["kind"] == "regression"
    assert "thresholds" not in content
    valid = pd.read_csv(tmp_path / "history.csv").query("split == 'valid'")
    chosen = valid["loss"] if select_by == "loss" else valid["mae"]
    assert content["training"]["best_epoch"] == valid.loc[chosen.idxmin(), "epoch"]


@pytest.mark.parametrize("aggregate", ["mean", "max", "median"])
def test_one_of_several_classes_is_told(data: Path, tmp_path: Path, aggregate: str) -> None:
    fit(data, tmp_path, "multiclass", CLASSES, aggregate=aggregate, select_by="auroc", class_weights="balanced")
    labels, outputs = on_test(data, tmp_path, "multiclass.parquet")
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-6)
    truth = labels[[f"label.{name}" for name in CLASSES]].to_numpy()
    assert (outputs.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.7
    content = json.loads((tmp_path / "model.json").read_text())
    assert (content["kind"], content["aggregate"], len(content["thresholds"])) == ("multiclass", aggregate, 4)
    valid = pd.read_csv(tmp_path / "history.csv").query("split == 'valid'")
    assert content["training"]["best_epoch"] == valid.loc[valid["auroc"].idxmax(), "epoch"]


def test_hazards_are_ranked(data: Path, tmp_path: Path) -> None:
    fit(data, tmp_path, "survival", ["death"], select_by="c_index", batch_size=96)
    labels, risk = on_test(data, tmp_path, "survival.parquet")
    signed = labels["time.death"] * np.where(labels["event.death"] == 1, 1, -1)
    assert c_index(signed.to_numpy()[:, None], risk) > 0.65  # 0.73 for whoever knows the groups
    fast = pd.read_parquet(data / "labels.parquet").query("split == 'test'")["label.fast"].to_numpy() == 1
    assert macro_auroc(fast[:, None].astype(float), risk) > 0.95
    assert json.loads((tmp_path / "model.json").read_text())["kind"] == "survival"
    assert list(pd.read_csv(tmp_path / "history.csv")) == ["epoch", "split", "loss", "c_index", "lr", "head_lr"]


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_other_losses_learn_labels_too(data: Path, tmp_path: Path, loss: str) -> None:
    fit(data, tmp_path, "multilabel", ["fast", "big"], loss=loss, select_by="f1")
    labels, probability = on_test(data, tmp_path, "labels.parquet")
    assert macro_auroc(labels[["label.fast", "label.big"]].to_numpy(), probability) > 0.9
    assert "f1" in pd.read_csv(tmp_path / "history.csv")


def test_a_label_that_the_table_leaves_out_is_said(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("records.parquet", "preprocess", "encoder"):
        (tmp_path / name).symlink_to(data / name)
    with write_pieces(tmp_path / "labels.parquet", {"left_out": json.dumps({"rare": "has no positive"})}) as write:
        write(pd.read_parquet(data / "labels.parquet"))
    with caplog.at_level(logging.WARNING):
        model = fit(tmp_path, tmp_path, "multilabel", ["fast", "rare", "big"], epochs=1)
    assert model.label_names == ["fast", "big"]
    assert json.loads((tmp_path / "model.json").read_text())["left_out"] == ["rare"]
    assert any("leaves out: rare" in message for message in caplog.messages)


def test_labels_older_than_the_task_are_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no label 'new', which task 'planted' lists: the table is older") as error:
        fit(data, tmp_path / "out", "multilabel", ["fast", "new", "big"], epochs=1)
    assert f"snakemake --forcerun {data}/labels.parquet" in str(error.value)


def spoilt(column: str, value: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**{column: table[column].where(table["record_id"] != "s/003", np.float32(value))})


@pytest.mark.parametrize(
    ("kind", "names", "edit", "message"),
    [
        ("survival", ["death"], spoilt("time.death", 0), "s/003, label 'death': expected a time above 0 with an event"),
        ("survival", ["death"], spoilt("event.death", 2), "s/003, label 'death': expected a time above 0 with an event"),
        ("survival", ["death"], spoilt("event.death", np.nan), "s/003, label 'death': expected a time above 0"),
        ("survival", ["death"], lambda t: t.assign(**{"event.death": np.float32(0)}), "no event in the valid split"),
        ("regression", ["rate"], lambda t: t.assign(**{"label.rate": np.float32(7)}), "no two different values in the"),
        ("multiclass", CLASSES, lambda t: t.assign(**{"label.big": np.float32(1)}), "expected exactly one class"),
    ],
)  # fmt: skip
def test_targets_that_are_none_are_one_clear_line(
    data: Path, tmp_path: Path, kind: str, names: list[str], edit: Callable[..., pd.DataFrame], message: str
) -> None:
    for name in ("records.parquet", "preprocess", "encoder"):
        (tmp_path / name).symlink_to(data / name)
    edit(pd.read_parquet(data / f"{kind}.parquet")).to_parquet(tmp_path / f"{kind}.parquet")
    with pytest.raises(UserError, match=message):
        fit(tmp_path, tmp_path / "out", kind, names)


def test_what_chooses_must_be_defined_on_valid(data: Path, tmp_path: Path) -> None:
    for name in ("records.parquet", "preprocess", "encoder"):
        (tmp_path / name).symlink_to(data / name)
    table = pd.read_parquet(data / "labels.parquet")
    table.loc[table["split"] == "valid", ["label.fast", "label.big"]] = np.float32(0)
    table.to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(UserError, match="select_by: auroc is not defined on the validation split"):
        fit(tmp_path, tmp_path / "out", "multilabel", ["fast", "big"], select_by="auroc")


def test_smaller_shares_of_patients_lie_in_larger_ones(data: Path) -> None:
    labelled = load_labelled(
        data / "labels.parquet", data / "records.parquet", data / "preprocess", "multilabel", Fit("full", 0)
    )
    two_each = labelled.records.assign(patient_id=[f"s/{i // 2}" for i in range(len(labelled.records))])
    labelled = labelled._replace(records=two_each)  # 48 training patients with two records each
    shares = {f: share_of_patients(labelled, f, seed=3) for f in (0.001, 0.05, 0.1, 0.5, 1.0)}
    assert [share.train_patients for share in shares.values()] == [1, 2, 5, 24, 48]
    assert [len(share.train) for share in shares.values()] == [2, 4, 10, 48, 96]  # whole patients
    rows = [set(share.train) for share in shares.values()]
    assert all(small < large for small, large in pairwise(rows))
    assert set(share_of_patients(labelled, 0.1, seed=4).train) != rows[2]
    # 16 validation patients: the share of those who choose, but ten at least
    assert [share.valid_patients for share in shares.values()] == [10, 10, 10, 10, 16]
    assert set(shares[0.5].valid) < set(labelled.valid)
    assert len(shares[0.5].valid) == 20
    forty = labelled._replace(records=labelled.records.assign(patient_id=labelled.records["record_id"]))
    few, many = (share_of_patients(forty, part, seed=3) for part in (0.5, 0.8))
    assert (few.valid_patients, many.valid_patients) == (16, 26)
    assert set(few.valid) < set(many.valid)


def test_a_share_without_a_positive_is_reported_and_does_not_stop(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fit(data, tmp_path, "multilabel", ["fast", "big"], "linear-s0-1pct", epochs=2)
    content = json.loads((tmp_path / "model.json").read_text())
    assert (content["fit"], content["training"]["train_patients"]) == ("linear-s0-1pct", 1)
    assert set(content["training"]["lacking"]) == {"fast", "big"}  # one record has one class of each
    assert any("among the 1 training patient of linear-s0-1pct" in message for message in caplog.messages)
