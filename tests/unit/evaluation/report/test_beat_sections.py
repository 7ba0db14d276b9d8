"""Which mean beats a card has, and the sentence where it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import CardConfig
from ecglfm.evaluation.report.beat_sections import beats_section, explainable
from ecglfm.evaluation.report.examples import write_examples
from ecglfm.models import bundle
from tests.unit.evaluation.report.conftest import FIT

METRICS = {"thresholds": {}, "label_names": ["AF", "LBBB"]}


def test_the_labels_with_most_positives_are_shown(modelled: Path):
    section = beats_section(explainable(modelled, FIT, METRICS, CardConfig(records=1, labels=1)))
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
def test_where_there_are_none_a_sentence_says_why(modelled: Path, metrics: dict, config: CardConfig, reason: str):
    assert beats_section(explainable(modelled, FIT, metrics, config))["reason"].startswith(reason)


def test_what_is_missing_is_no_traceback(modelled: Path):
    config = CardConfig(records=1, labels=1)
    (modelled / "preprocess/alpha/000.npy").unlink()
    assert beats_section(explainable(modelled, FIT, METRICS, config))["reason"].startswith("They could not be made: ")
    (modelled / "manifest/records.parquet").unlink()
    assert "are not there" in beats_section(explainable(modelled, FIT, METRICS, config))["reason"]


def test_beats_and_examples_load_the_model_once(modelled: Path, monkeypatch: pytest.MonkeyPatch):
    load, loaded = bundle.load_model, []
    monkeypatch.setattr(bundle, "load_model", lambda path: loaded.append(path) or load(path))
    found = explainable(modelled, FIT, METRICS, CardConfig(records=1, labels=1))
    assert loaded == []
    write_examples(found, modelled / "examples")
    assert beats_section(found)["labels"][0]["picture"]
    assert loaded == [modelled / "finetune" / FIT.path]
