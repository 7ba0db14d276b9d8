"""A project: what would fail late fails at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, LabelFile, ProjectConfig, SourceConfig, UserError, parse
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
        ({"preprocess": {"bandpass": {"low": 40, "high": 0.5}}}, "config.yaml: preprocess: bandpass: 40 to 0.5 Hz: `low` must be below `high`, and that below 250 Hz, half of sampling_rate; or write `bandpass: null`"),
        ({"preprocess": {"bandpass": {"high": 50}, "sampling_rate": 100}}, "config.yaml: preprocess: bandpass: 0.5 to 50 Hz: `low` must be below `high`, and that below 50 Hz, half of sampling_rate; or write `bandpass: null`"),
        ({"preprocess": {"notch": {"frequency": 60}, "sampling_rate": 120}}, "config.yaml: preprocess: notch: frequency: 60 Hz is not below 60 Hz, half of sampling_rate; write `notch: null`"),
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


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/ada")
    said = {"results": "~/r", "model": "~/m", "roots": {"demo-ptbxl": "~/db"}}
    config = parse(ProjectConfig, BASE | said, "x")
    assert (config.results, config.model, config.roots) == (
        "/ada/r",
        "/ada/m",
        {"demo-ptbxl": "/ada/db"},
    )
    source = parse(SourceConfig, {"kind": "wfdb_folder", "root": "~/db", "exclude_patients": "~/out.csv"}, "x")
    assert (source.root, source.exclude_patients) == ("/ada/db", "/ada/out.csv")
    assert parse(LabelFile, {"path": "~/echo.csv"}, "x").located(Path("config")).path == "/ada/echo.csv"
    encoder = {"weights": "import", "path": "~/e", "model": {"kind": "statistics"}}
    assert parse(EncoderConfig, encoder, "x").import_path == "/ada/e"
