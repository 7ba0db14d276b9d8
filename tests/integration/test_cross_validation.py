"""A small cohort through the real workflow: `manifest.folds: {SOURCE: {k: 3}}`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_small

pytestmark = pytest.mark.slow

FOLDS = 3


@pytest.fixture(scope="module")
def cohort(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """30 patients of two recordings, an encoder with random weights, a linear probe; each job starts as a user's does."""
    clone = Clone(make_small(repository, tmp_path_factory.mktemp("folds") / "clone").root, warm=False)
    clone.edit("config/sources/demo-ptbxl.yaml", patients=30)
    labels = {"NORM": {"ptbxl": {"scp": ["NORM"]}}}
    clone.edit("config/tasks/normal.yaml", kind="binary", sources=["demo-ptbxl"], labels=labels)
    clone.edit(
        "config/config.yaml", encoders=["random-tiny"], tasks=["normal"], finetune={"modes": ["linear"]}, evaluate={"min_patients": 2},
        manifest={"folds": {"demo-ptbxl": {"k": FOLDS}}, "stratify": ["normal"]},
    )  # fmt: skip
    clone.snakemake()
    return clone


def test_every_patient_is_tested_once_by_a_model_that_never_saw_them(cohort: Clone) -> None:
    records = pd.read_parquet(cohort.results / "manifest/records.parquet")
    assert set(records["split"]) == {"test"}
    assert records.groupby("patient_id")["fold"].nunique().eq(1).all()
    assert records.drop_duplicates("patient_id")["fold"].value_counts().to_dict() == {0: 10, 1: 10, 2: 10}
    predictions = pd.read_parquet(cohort.results / "evaluate/random-tiny/normal/linear-s0/predictions.parquet")
    test = predictions[predictions["split"] == "test"].set_index("record_id")
    assert sorted(test.index) == sorted(records["record_id"])
    assert (test["fold"] == records.set_index("record_id")["fold"][test.index]).all()
    for fold in range(FOLDS):
        info = read_json(cohort.results / f"finetune/random-tiny/normal/linear-s0-f{fold}of{FOLDS}/model.json")
        assert (info["training"]["train_patients"], info["training"]["valid_patients"]) == (10, 10)
        assert info["thresholds"] == pytest.approx(sorted(set(test["threshold.NORM"][test["fold"] == fold])), abs=1e-6)


def test_metrics_are_those_of_the_pooled_predictions(cohort: Clone) -> None:
    folder = cohort.results / "evaluate/random-tiny/normal/linear-s0"
    metrics, predictions = read_json(folder / "metrics.json"), pd.read_parquet(folder / "predictions.parquet")
    test = predictions[predictions["split"] == "test"]
    assert metrics["n"]["patients"] == 30
    pooled = roc_auc_score(test["target.NORM"], test["probability.NORM"])
    assert metrics["labels"]["NORM"]["auroc"]["value"] == pytest.approx(pooled, abs=1e-9)
    each = [roc_auc_score(own["target.NORM"], own["probability.NORM"]) for _, own in test.groupby("fold")]
    assert metrics["folds"]["macro"]["auroc"]["mean"] == pytest.approx(np.mean(each), abs=1e-9)
    called = test["probability.NORM"] >= test["threshold.NORM"]
    sensitivity = called[test["target.NORM"] == 1].mean()
    assert metrics["labels"]["NORM"]["sensitivity"]["value"] == pytest.approx(sensitivity, abs=1e-9)


def test_what_a_person_reads_says_so(cohort: Clone) -> None:
    for page in ("report/index.html", "evaluate/random-tiny/normal/linear-s0/card.html", "manifest/summary.html"):
        assert "cross-validat" in (cohort.results / page).read_text().lower(), page
    assert "full-s0-f0of3" not in (cohort.results / "report/index.html").read_text()
    assert cohort.planned() == {}


def test_label_efficiency_is_refused_in_a_sentence(cohort: Clone) -> None:
    shown = cohort.snakemake("label_efficiency", "-n", check=False)
    assert "label_efficiency: task 'normal' is cross-validated (manifest.folds)" in shown
    assert "Traceback" not in shown
