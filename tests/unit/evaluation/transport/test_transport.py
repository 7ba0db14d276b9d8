"""The stage evaluate_on, with a model whose answers are known: it reads the amplitude of lead I."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from torch import nn

from ecglfm.config import (
    EvaluateConfig,
    FinetuneConfig,
    PreprocessConfig,
    TransportConfig,
    TransportSlice,
    UserError,
)
from ecglfm.evaluation.transport import run_transport, transport
from ecglfm.models import bundle
from ecglfm.models.outputs import link_of
from ecglfm.provenance import read_json, write_array, write_json, write_parquet
from tests.unit.hashes import hashes
from tests.unit.shard_leads import name_leads

COUNT = 240
AMPLITUDE = np.random.default_rng(0).normal(1, 1, COUNT).clip(-3, 5).round(3)  # mV
#: The model says logit = amplitude - 1; what is true is logit = 2 (amplitude - 1) - 1.
HIGH = (np.random.default_rng(1).uniform(size=COUNT) < expit(2 * (AMPLITUDE - 1) - 1)).astype(np.float32)


class Amplitude(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        prepared = PreprocessConfig(sampling_rate=100, leads=["I", "II"])
        self.encoder = SimpleNamespace(crop_samples=100, preprocess=prepared, input=None)
        self.label_names, self.thresholds = ["HIGH", "LOW", "ELSE"], [0.4, 0.6, 0.5]
        self.kind, self.aggregate, self.link, self.outputs = "multilabel", "mean", link_of("multilabel"), torch.sigmoid

    def calibrated(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    calibration = conformal = None
    baselines = ()

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        high = x[:, 0].mean(dim=1) - 1
        return torch.stack([high, -high, 0 * high], dim=1)


@pytest.fixture
def cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """240 records of 120 patients in three splits, which do not matter; `ELSE` is no label of the task."""
    monkeypatch.setattr(bundle, "load_model", lambda path: Amplitude())
    signal = np.zeros((COUNT, 100, 2), np.int16)
    signal[:, :, 0] = np.rint(1000 * AMPLITUDE)[:, None]
    write_array(tmp_path / "preprocess/alpha/000.npy", signal.reshape(-1, 2))
    name_leads(tmp_path / "preprocess/alpha/000.npy", ["I", "II"])
    records = pd.DataFrame(
        {
            "record_id": [f"alpha/{i:03d}" for i in range(COUNT)],
            "source": "alpha",
            "patient_id": [f"alpha/p{i // 2}" for i in range(COUNT)],
            "split": np.repeat(["train", "valid", "test"], COUNT // 3),
            "sampling_rate": 100,
            "n_samples": 100,
            "shard": 0,
            "offset": np.arange(COUNT) * 100,
            "sha256": hashes(signal),
        }
    )
    write_parquet(tmp_path / "manifest/records.parquet", records)
    labels = records[["record_id", "patient_id", "source", "split"]].copy()
    labels["label.HIGH"], labels["label.LOW"] = HIGH, np.float32(0)
    write_parquet(tmp_path / "labels/amplitude.parquet", labels.iloc[::-1])
    prior = {"HIGH": 0.5, "LOW": 0.5, "ELSE": 0.5}
    info = {
        "kind": "multilabel",
        "encoder": {"name": "ruler"},
        "task": "amplitude",
        "fit": "full-s0",
        "training": {"prior": prior},
    }
    write_json(tmp_path / "model/model.json", info | {"label_names": ["HIGH", "LOW", "ELSE"]})
    return {
        "task": "amplitude",
        "labels": tmp_path / "labels/amplitude.parquet",
        "manifest": tmp_path / "manifest/records.parquet",
        "signals": tmp_path / "preprocess",
        "output": tmp_path / "out",
    }


def slice_of(cohort: dict[str, Any], **transport: object) -> TransportSlice:
    return TransportSlice(
        model=str(cohort["output"].parent / "model"),
        sha256="0" * 64,
        transport=TransportConfig(**{"local": [20, 100, 1000]} | transport),
        evaluate=EvaluateConfig(bootstrap=30),
        finetune=FinetuneConfig(threshold="youden"),
    )


def words(page: Path) -> str:
    body = re.sub(r"<style>.*?</style>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_every_way_is_tested_on_the_same_strangers(cohort: dict[str, Any]) -> None:
    metrics = run_transport(slice_of(cohort), **cohort)
    assert read_json(cohort["output"] / "metrics.json") == metrics
    table = pd.read_parquet(cohort["output"] / "predictions.parquet").set_index("record_id")
    assert len(table) == COUNT
    assert not set(table.loc[table["split"] == "local", "patient_id"]) & set(
        table.loc[table["split"] == "test", "patient_id"]
    )
    test = table[table["split"] == "test"]
    ways = {way["name"]: way for way in metrics["ways"]}
    assert list(ways) == ["as_is", "prior_shift", "local_20", "local_100"]
    assert (ways["local_20"]["n"]["records"], ways["local_100"]["n"]["records"]) == (20, 100)
    area = roc_auc_score(test["target.HIGH"], test["probability.HIGH"])
    for way in ways.values():
        assert way["test"]["records"] == len(test) == COUNT - 100
        assert way["labels"]["HIGH"]["metrics"]["auroc"]["value"] == pytest.approx(area, abs=1e-9)
    as_is = ways["as_is"]["labels"]["HIGH"]
    assert as_is["threshold"] == pytest.approx(0.4)
    called = test["probability.HIGH"] >= 0.4
    assert as_is["metrics"]["sensitivity"]["value"] == pytest.approx(called[test["target.HIGH"] == 1].mean())
    assert as_is["metrics"]["specificity"]["value"] == pytest.approx(1 - called[test["target.HIGH"] == 0].mean())
    assert as_is["metrics"]["slope"]["ci_low"] < 2 < as_is["metrics"]["slope"]["ci_high"]  # as planted
    adapted = ways["local_100"]["labels"]["HIGH"]
    assert adapted["adapted"]["slope"] == pytest.approx(2, abs=0.8)
    assert adapted["metrics"]["ece"]["value"] < as_is["metrics"]["ece"]["value"]
    assert ways["local_100"]["labels"]["LOW"]["adapted"]["threshold_rule"] == "kept"


def test_what_the_page_says(cohort: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    run_transport(slice_of(cohort), **cohort)
    seen = words(cohort["output"] / "index.html")
    for text in (
        "ruler, amplitude, full-s0 on alpha",
        "240 records of 120 patients, of which 140 records of 70 patients are the test",
        "Not measured, because the task amplitude knows nothing of it: ELSE.",
        "Fine-tuning: unknown : the model does not lie in the results folder that it was made in",
        "Its own test split is not known here",
        "100 local records of 50 patients",
        "intercept and slope fitted",
        "nothing fitted: one class only",
    ):
        assert text in seen, text
    assert "whether its finetuning saw these records is unknown" in caplog.text
    assert (cohort["output"] / "calibration.png").stat().st_size > 1000


def test_one_source_of_a_project_may_be_the_cohort(cohort: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"amplitude\.parquet: no record of beta is in it"):
        run_transport(slice_of(cohort, sources=["beta"]), **cohort)
    small = run_transport(slice_of(cohort, sources=["alpha"], local=[500]), **cohort)
    assert [way["name"] for way in small["ways"]] == ["as_is", "prior_shift"]
    assert small["ways"][0]["test"]["records"] == COUNT


class Seen:
    """Stands in for an MLflow run."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}
        self.files: list[str] = []

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def log(self, values: dict[str, float | None], step: int) -> None:
        self.values |= values

    def artifact(self, path: Path) -> None:
        assert path.is_file()
        self.files.append(path.name)


def test_mlflow_has_every_way(cohort: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen, said = Seen(), {}
    monkeypatch.setattr(transport, "start_run", lambda *_, **about: said.update(about) or seen)
    metrics = run_transport(slice_of(cohort, local=[20]), **cohort)
    assert (said["stage"], said["name"]) == ("transport", "ruler/amplitude/full-s0 on amplitude")
    assert said["tags"]["data_hash"] == metrics["data_hash"]
    for number, name in enumerate(("as_is", "prior_shift", "local_20")):
        expected = metrics["ways"][number]["labels"]["HIGH"]["metrics"]["ece"]["value"]
        assert seen.values[f"{name}/ece/HIGH"] == expected
    assert seen.files == ["metrics.json", "index.html", "calibration.png"]
