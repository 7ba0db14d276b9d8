"""Pretraining is worth something: frozen pretrained features beat frozen random ones on test patients."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.evaluation.bootstrap import paired_bootstrap
from ecglfm.evaluation.evaluate import predictions_on_test
from tests.integration.conftest import make_clone

pytestmark = pytest.mark.slow


def test_linear_probe_on_pretrained_features_beats_random_ones(repository: Path, tmp_path: Path) -> None:
    clone = make_clone(repository, tmp_path / "clone")
    probe = {"modes": ["linear"], "epochs": 100, "patience": 10, "lr": 1.0e-2}
    clone.edit("config/config.yaml", encoders=["tiny", "random-tiny"], tasks=["diagnosis"], finetune=probe)
    clone.edit("config/encoders/tiny.yaml", pretrain={"steps": 400, "validate_every": 400})
    clone.snakemake("evaluate_all")
    found = []
    for encoder in ("tiny", "random-tiny"):
        metrics = clone.metrics(encoder, "diagnosis", "linear-s0")
        table = pd.read_parquet(clone.results / f"evaluate/{encoder}/diagnosis/linear-s0/predictions.parquet")
        names = metrics["label_names"]
        found.append(predictions_on_test(table, names, [metrics["thresholds"][name] for name in names]))
    difference = paired_bootstrap(*found, resamples=1000, confidence=0.95, seed=0)
    assert difference["ci_low"] > 0, difference
