"""Which mean beats a card has, and the sentence where it has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import CardConfig
from ecglfm.evaluation.report.beat_sections import beats_section
from ecglfm.evaluation.report.model_sections import FittedModel
from tests.unit.app.prediction.test_predict import make_model
from tests.unit.evaluation.beats.hearts import heart

FIT = FittedModel("tiny", "rhythm", "full-s0")
METRICS = {"thresholds": {}, "label_names": ["AF", "LBBB"]}


@pytest.fixture
def results(tmp_path: Path) -> Path:
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


def test_the_labels_with_most_positives_are_shown(results: Path):
    section = beats_section(results, FIT, METRICS, CardConfig(records=1, labels=1))
    (label,) = section["labels"]
    assert label["name"] == "AF"
    assert label["picture"].startswith("data:image/png;base64,")
    assert (section["records"], section["left_out"]) == (1, ["LBBB"])


@pytest.mark.parametrize(
    ("metrics", "config", "reason"),
    [(METRICS, CardConfig(records=0), "Not wanted: card.records is 0."),
     ({"label_names": ["age"]}, CardConfig(records=1), "A number has no true and false positives"),
     (METRICS | {"folds": {}}, CardConfig(records=1), "Not shown of a cross-validation")],
)  # fmt: skip
def test_where_there_are_none_a_sentence_says_why(results: Path, metrics: dict, config: CardConfig, reason: str):
    assert beats_section(results, FIT, metrics, config)["reason"].startswith(reason)


def test_what_is_missing_is_no_traceback(results: Path):
    config = CardConfig(records=1, labels=1)
    (results / "preprocess/alpha/000.npy").unlink()
    assert beats_section(results, FIT, METRICS, config)["reason"].startswith("They could not be made: ")
    (results / "manifest/records.parquet").unlink()
    assert "are not there" in beats_section(results, FIT, METRICS, config)["reason"]
