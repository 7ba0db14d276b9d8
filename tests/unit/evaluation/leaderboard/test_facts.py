"""Hours by lines that were planted, and what is said of where weights come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglfm.evaluation.leaderboard.facts import encoder_facts, hours_of_fits, spent
from ecglfm.provenance import write_json, write_text


def line(seconds: float, status: int = 0, gpus: int = 0) -> str:
    return json.dumps({"command": "c", "status": status, "seconds": seconds, "gpus": ["H200"] * gpus}) + "\n"


def test_attempts_and_ranks_count(tmp_path: Path) -> None:
    write_text(tmp_path / "a.log.cost", line(9e9, gpus=1) + line(1800, status=75, gpus=1) + line(3600, gpus=1))
    write_text(tmp_path / "a.log.cost.1", line(3600, gpus=1))
    assert spent([tmp_path / "a.log.cost"]) == (1.5, 2.5)
    assert spent([tmp_path / "b.log.cost"]) == (None, None)


def test_fits_and_their_folds(tmp_path: Path) -> None:
    folder = tmp_path / "logs/finetune/tiny/t"
    for name in ("full-s0", "full-s1-f0of3", "full-s1-f1of3", "full-s10", "linear-s0"):
        write_text(folder / f"{name}.log.cost", line(360))
    found = hours_of_fits(tmp_path, "tiny", "t", ["full-s0", "full-s1"])
    assert found == {"fit_hours": pytest.approx(0.3), "fit_gpu_hours": 0.0}  # of seed 10 none


def test_only_what_was_pretrained_here_has_hours(tmp_path: Path) -> None:
    write_json(tmp_path / "leaderboard/size/tiny.json", {"parameters": 7})
    write_text(tmp_path / "logs/pretrain/tiny.log.cost", line(7200, gpus=1))
    known = {"licence": "MIT", "pretraining": "nothing"}
    found = {one: encoder_facts(tmp_path, "tiny", one, known) for one in ("pretrain", "import", "random", "none")}
    assert {one: facts["weights"] for one, facts in found.items()} == {
        "pretrain": "pretrained here", "import": "imported", "random": "random weights", "none": "signal statistics"
    }  # fmt: skip
    assert [one for one, facts in found.items() if facts["control"]] == ["random", "none"]
    assert (found["pretrain"]["pretrain_hours"], found["pretrain"]["pretrain_gpu_hours"]) == (2.0, 2.0)
    assert found["import"]["pretrain_hours"] is None
    assert (found["import"]["licence"], found["import"]["parameters"]) == ("MIT", 7)
