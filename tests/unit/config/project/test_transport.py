"""`model: DIR`: which tasks a finished model is measured on, and what it cannot be measured on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ecglfm.config import PreprocessConfig, Project, UserError
from tests.unit.config.encoders.test_imported import CONTRACT, MODEL
from tests.unit.config.projects import BASE

TASKS = {"tasks": ["coin-toss", "diagnosis", "af"], "sources": ["demo-ptbxl", "demo-mimic"], "encoders": []}

#: What a model whose encoder says how its input is made says of it.
WITH_CONTRACT = {"model": MODEL, "preprocess": PreprocessConfig().model_dump(mode="json"), "input": CONTRACT}


def project(repository: Path, tmp_path: Path, content: dict | None = None, **change: object) -> Project:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    prepared = PreprocessConfig().model_dump(mode="json")
    written = {
        "format": "ecglfm-model", "label_names": ["AFIB", "MI"], "kind": "multilabel", "task": "heart", "fit": "full-s0",
        "encoder": {"name": "their encoder", "model": MODEL, "preprocess": prepared},
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(written | (content or {})))
    (folder / "model.safetensors").write_bytes(b"weights")
    given = BASE | TASKS | {"model": str(folder), "results": str(tmp_path / "results")} | change
    return Project(given, repository / "config")


def test_it_is_measured_by_the_tasks_that_have_a_label_of_its(repository: Path, tmp_path: Path) -> None:
    model = project(repository, tmp_path).model
    assert model is not None
    assert (model.tasks, model.name) == (["diagnosis", "af"], "their-encoder-heart-full-s0")


def test_its_slice_changes_with_what_it_is_measured_by(repository: Path, tmp_path: Path) -> None:
    def text(**change: object) -> str:
        return project(repository, tmp_path, **change).slices()["transport"]

    before = text()
    assert text(finetune={"lr": 0.5, "epochs": 7}) == before
    for change in ({"finetune": {"threshold": "youden"}}, {"transport": {"seed": 1}}, {"evaluate": {"bootstrap": 9}}):
        assert text(**change) != before
    (tmp_path / "model/model.safetensors").write_bytes(b"others.")
    found = yaml.safe_load(
        Project(BASE | TASKS | {"model": str(tmp_path / "model")}, repository / "config").slices()["transport"]
    )
    assert found["sha256"] != yaml.safe_load(before)["sha256"]
    assert "transport" not in Project(BASE, repository / "config").slices()


@pytest.mark.parametrize(
    ("content", "change", "message"),
    [
        ({"kind": "regression"}, {}, "is of `kind: regression`; evaluate_on measures labels that are there or not, and survival"),
        ({"kind": "survival"}, {}, r"predicts AFIB, MI, of which no task has any \(there are none\)"),
        ({"label_names": ["X"]}, {}, r"predicts X, of which no task has any \(coin-toss: .*; diagnosis: AFIB, LBBB, MI, PVC; af: AFIB\)"),
        ({"label_names": []}, {}, r"model\.json: label_names: "),
        ({}, {"preprocess": {"sampling_rate": 250}}, r"its sampling_rate is 500, this project's is 250; .* write `preprocess: \{sampling_rate: 500\}`"),
        ({"encoder": WITH_CONTRACT}, {"preprocess": {"sampling_rate": 250}}, r"project's is 250; make them agree, or its thresholds would be of other signals than these: write"),
        ({}, {"transport": {"sources": ["ptbxl"]}}, "`transport.sources` names 'ptbxl', which is not in sources"),
        ({"format": "ecglfm-encoder"}, {}, r"model\.json is no model of ecglfm's"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_told_by_the_plan(
    repository: Path, tmp_path: Path, content: dict, change: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        project(repository, tmp_path, content, **change)
