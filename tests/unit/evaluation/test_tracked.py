"""What an evaluation tells MLflow: its numbers under one spelling, the fit's parameters, the run it stands below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation import tracked
from ecglfm.evaluation.cross_validation import Models
from ecglfm.evaluation.tracked import spelled, track
from ecglfm.tracking import Run, find_run, start_run
from tests.unit.tracking.places import tracking


def entry(value: float) -> dict[str, Any]:
    return {"value": value, "ci_low": value - 0.125, "ci_high": value + 0.125}


METRICS = {
    "macro": {"auroc": entry(0.75), "f1": entry(0.5)},
    "micro": {"auroc": entry(0.625)},
    "overall": {"accuracy": entry(0.25)},
    "labels": {"MI": {"auroc": entry(0.875)}},
    "external": {"clinic": {"macro": {"auroc": entry(0.375)}}},
    "folds": {"macro": {"auroc": {"mean": 0.125}}},
    "data_hash": "m",
}


def test_spelling() -> None:
    assert spelled(METRICS) == {
        "test/auroc_macro": 0.75, "test/f1_macro": 0.5, "test/auroc_micro": 0.625, "test/accuracy": 0.25,
        "test/auroc_macro_ci_low": 0.625, "test/auroc_macro_ci_high": 0.875, "test/auroc_macro_mean_of_folds": 0.125,
        "external/clinic/auroc_macro": 0.375, "test/auroc/MI": 0.875,
    }  # fmt: skip


@pytest.mark.parametrize("folds", [0, 3])
def test_it_has_the_parameters_of_its_fit_and_stands_below_it(
    tmp_path: Path, folds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = tracking(tmp_path, "http://127.0.0.1:1")
    encoder = {"config_hash": "e", "data_hash": "g"}
    start_run(choice, stage="pretrain", name="p", tags={"encoder": "tiny"} | encoder, params={}).finish()
    fit = "full-s0" + (f"-f0of{folds}" if folds else "")
    identity = {"encoder": "tiny", "task": "super", "fit": "full-s0"}
    for config_hash, rate in (("a", 0.001), ("b", 0.003)):
        tags = identity | {"fit": fit, "config_hash": config_hash, "data_hash": "d"}
        config = {"finetune": {"lr": rate, "epochs": 3}}
        params = {"finetune": {"lr": rate}} | ({"fold": 0, "folds": folds} if folds else {})
        start_run(choice, stage="finetune", name="f", tags=tags, params=params, config=config).finish()
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tracked, "start_run", lambda *_, **about: said.append(about) or Run())
    for config_hash in ("a", "b"):
        info = {"fit": fit, "config_hash": config_hash, "data_hash": "d", "encoder": encoder}
        models = Models([], [info], identity, folds)
        track(METRICS, models, EvaluateConfig(bootstrap=7), tmp_path, tracking=choice, rule=None)
    assert said[1]["params"] == identity | {"finetune.lr": "0.003", "evaluate": {"bootstrap": 7}}
    assert said[1]["config"]["finetune"] == {"lr": 0.003, "epochs": 3}
    assert said[1]["tags"]["config_hash"] == "b"
    below = find_run(choice, "pretrain", encoder="tiny") if folds else find_run(choice, "finetune", config_hash="b")
    assert below is not None
    assert said[1]["parent"].key == below.key


def test_without_a_run_of_the_fit_the_numbers_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(tracked, "start_run", lambda *_, **about: said.update(about) or Run())
    identity = {"encoder": "tiny", "task": "super", "fit": "full-s0"}
    info = {"fit": "full-s0", "config_hash": "a", "data_hash": "d", "encoder": {}}
    choice = tracking(tmp_path, "http://127.0.0.1:1")
    track(METRICS, Models([], [info], identity, 0), EvaluateConfig(), tmp_path, tracking=choice, rule=None)
    assert (said["params"], said["parent"]) == (identity, None)
