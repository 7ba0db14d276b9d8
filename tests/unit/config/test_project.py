"""A project: what would fail late fails at once."""

from __future__ import annotations

import pytest

from ecglfm.config import (
    ProjectConfig,
    UserError,
    parse,
)
from tests.unit.config.projects import BASE


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"finetune": {"lrr": 1}}, "config.yaml: finetune.lrr: unknown key; did you mean 'lr'?"),
        ({"preprocess": {"quality": {"flat_lead": 1}}}, "config.yaml: preprocess.quality.flat_lead: unknown key; did you mean 'flat_leads'?"),
        ({"finetune": {"epochs": "many"}}, "config.yaml: finetune.epochs: Input should be a valid integer, unable to parse string as an integer, found 'many'"),
        ({"finetune": {"lr": float("inf")}}, "config.yaml: finetune.lr: Input should be a finite number, found inf"),
        ({"finetune": {"seeds": [10**22]}}, f"config.yaml: finetune.seeds.0: Input should be less than {2**63}, found {10**22}"),
        ({"results": "r{x}"}, "config.yaml: results: '{' in the folder's name means something else to Snakemake; choose another name"),
        ({"tasks": [False]}, "config.yaml: tasks.0: YAML reads an unquoted yes/no/on/off as true/false; put it in quotes"),
        ({"roots": {"ptbxl": "/x"}}, "config.yaml: (whole file): `roots` names 'ptbxl', which is not in sources ['demo-ptbxl']"),
        ({"manifest": {"valid_fraction": 0.6, "test_fraction": 0.5}}, "config.yaml: manifest: valid_fraction + test_fraction leave nothing to train on"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": [1, 2], "valid": [2], "test": [3]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold 2 stands twice; 1 and '01' are one fold, so are A and a"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": [1], "valid": ["A", 2], "test": ["01"]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold '01' stands twice; 1 and '01' are one fold, so are A and a"),
        ({"manifest": {"folds": {"demo-ptbxl": {"train": ["A", "B"], "valid": ["a"], "test": [1]}}}}, "config.yaml: manifest.folds.demo-ptbxl: fold 'a' stands twice; 1 and '01' are one fold, so are A and a"),
        ({"preprocess": {"leads": ["I", "IX"]}}, "config.yaml: preprocess.leads: each lead once, out of I II III aVR aVL aVF V1 V2 V3 V4 V5 V6; wrong here: ['IX']"),
    ],
)  # fmt: skip
def test_each_mistake_gives_one_line(change: dict, line: str) -> None:
    with pytest.raises(UserError) as error:
        parse(ProjectConfig, BASE | change, "config.yaml")
    assert str(error.value) == line


def test_command_line_text_is_converted() -> None:
    config = parse(ProjectConfig, BASE | {"finetune": {"lr": "1e-6", "epochs": "3", "freeze_frontend": "false"}}, "x")
    assert (config.finetune.lr, config.finetune.epochs, config.finetune.freeze_frontend) == (1e-6, 3, False)


@pytest.mark.parametrize("change", [{"finetune": {"seeds": [-1]}}, {"finetune": {"seeds": []}}, {"sources": []}])
def test_what_would_fail_late_fails_at_once(change: dict) -> None:
    with pytest.raises(UserError, match="^config.yaml: (finetune.seeds|sources)"):
        parse(ProjectConfig, BASE | change, "config.yaml")
