"""Sentences about recordings of a planted run, and each way to split a source."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.config import ManifestConfig, ManifestSlice
from ecglfm.evaluation.methods import data_paragraphs as data
from ecglfm.evaluation.methods.run import Run, Said, find_run
from tests.unit.evaluation.methods.planted import finish


def text_of(sentences: object) -> str:
    return " ".join(one.text for one in sentences)


def test_sentences_of_a_planted_run(results: Path) -> None:
    finish(results)
    run = find_run(results)
    assert list(data.sources(run)) == [Said("alpha: 60 records of 12 patients.", ("manifest/audit.json",))]
    assert text_of(data.splits(run)) == (
        "Records were divided by patient: all records of one are in one split (seed 11)."
        " alpha: shares of 0.65 train, 0.15 valid, 0.2 test, by chance."
    )
    assert text_of(data.counts(run)) == (
        "alpha: train 40 records of 7 patients, valid 8 records of 3 patients, test 12 records of 2 patients."
    )
    assert text_of(data.leakage(run)) == (
        "The audit of the splits passed: patients in more than one split: 0; pairs of duplicate recordings: 1,"
        " across splits: 0. alpha: 5 records state no patient; each counts as a patient of its own."
    )
    assert text_of(data.omitted(run)) == "2 records dropped at ingest: signal truncated."
    prepared = text_of(data.preparation(run))
    assert "at 400 Hz. Band-pass filter: none; mains notch: frequency 50.0, quality 30.0." in prepared
    assert "Missing runs of up to 0.2 s were interpolated; longer ones were set to 0." in prepared
    assert text_of(data.outcome(run, "super")) == (
        "Multilabel: Two superclasses, with the labels MI, NORM."
        " MI in ptbxl: scp class `MI`; min likelihood `50.0`. NORM in ptbxl: scp class `NORM`."
    )
    assert {one.about for one in data.outcome(run, "super")} == {"super"}


def test_labels_that_were_defined_anew_are_not_those_that_a_model_learnt(results: Path) -> None:
    finish(results)
    path = results / "config/labels/super.yaml"
    path.write_text(path.read_text().replace("- MI", "- STTC"))
    (said,) = data.outcome(find_run(results), "super")
    assert said.text.startswith("Its definition was changed after a model of it was fitted")
    assert said.files == ("config/labels/super.yaml", "finetune/tiny/super/full-s0/model.json")


def test_of_a_model_that_is_gone_nobody_knows_which_labels_it_learnt(results: Path) -> None:
    finish(results)
    shutil.rmtree(results / "finetune")
    first, *others = data.outcome(find_run(results), "super")
    assert first.text == (
        "This is its definition now; a model of it is no longer in the results, so whether that learnt these labels is"
        " not known."
    )
    assert others[0].text == "Multilabel: Two superclasses, with the labels MI, NORM."
    assert {file for one in (first, *others) for file in one.files} == {"config/labels/super.yaml"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fractions": {"alpha": {"test": 1}}}, "alpha: test only."),
        ({"fractions": {"alpha": {"test": 0}}}, "alpha: shares of 1 train."),
        ({"folds": {"alpha": {"k": 5}}}, "alpha: cross-validated in 5 folds."),
        (
            {"folds": {"alpha": {"train": [1, 2], "valid": [9], "test": [10]}}},
            "alpha: by the folds of the database, train 1, 2; valid 9; test 10.",
        ),
        ({"group_by": "record"}, "alpha: shares of 0.8 train, 0.1 valid, 0.1 test, by chance."),
    ],
)
def test_each_way_to_split_a_source(tmp_path: Path, keys: dict, said: str) -> None:
    path = tmp_path / "config/manifest.yaml"
    path.parent.mkdir()
    slice_ = ManifestSlice(sources=["alpha"], manifest=ManifestConfig(**keys))
    path.write_text(yaml.safe_dump(slice_.model_dump(mode="json")))
    unit, chosen = (one.text for one in data.splits(Run(tmp_path, ())))
    assert chosen == said
    assert ("not by patient" in unit) is ("group_by" in keys)
