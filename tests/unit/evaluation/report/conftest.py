"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.report import model_sections
from ecglfm.evaluation.report.model_sections import FittedModel
from tests.unit.app.prediction.test_predict import make_model
from tests.unit.evaluation.beats.hearts import heart

FIT = FittedModel("tiny", "rhythm", "full-s0")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not painted, which takes most of the time."""
    monkeypatch.setattr(model_sections, "png", lambda figure, dpi=150: b"png")


@pytest.fixture
def modelled(tmp_path: Path) -> Path:
    """A results folder with a model of two labels and four test records, of which it got some right."""
    make_model(tmp_path / "finetune" / FIT.path)
    samples = np.rint(heart(seconds=4) * 1000).astype(np.int16)
    (tmp_path / "preprocess/alpha").mkdir(parents=True)
    np.save(tmp_path / "preprocess/alpha/000.npy", np.concatenate([samples] * 4))
    names = [f"alpha/{number}" for number in range(4)]
    records = pd.DataFrame({"record_id": names, "source": "alpha", "shard": 0, "n_samples": 2000, "split": "test",
                            "offset": [0, 2000, 4000, 6000]})  # fmt: skip
    (tmp_path / "manifest").mkdir()
    records.to_parquet(tmp_path / "manifest/records.parquet")
    table = pd.DataFrame({"record_id": names, "split": "test"})
    for label, truth in (("AF", [1, 0, 1, 1]), ("LBBB", [0, 0, 1, 0])):
        table[f"target.{label}"], table[f"probability.{label}"], table[f"threshold.{label}"] = (
            truth,
            [0.9, 0.9, 0.1, 0.9],
            0.5,
        )
    (tmp_path / "evaluate" / FIT.path).mkdir(parents=True)
    table.to_parquet(tmp_path / "evaluate" / FIT.path / "predictions.parquet")
    return tmp_path
