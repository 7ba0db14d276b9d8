"""The published facts, against the spreadsheet's own rows where it lies, and what is known to be wrong with them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from ecglfm.config import LeaderboardConfig
from ecglfm.evaluation.leaderboard.published import published

TASKS = {
    "PTB-XL (all)": "ptbxl-all", "PTB-XL (diag)": "ptbxl-diagnostic", "PTB-XL (sub)": "ptbxl-subdiagnostic",
    "PTB-XL (super)": "ptbxl-superdiagnostic", "PTB-XL (form)": "ptbxl-form", "PTB-XL (Rhythm)": "ptbxl-rhythm",
    "CPSC2018": "cpsc2018", "Chapman": "chapman", "CODE-15%": "code15", "EchoNext": "echonext",
}  # fmt: skip
MODES = {"Linear": "linear", "Frozen": "frozen", "Finetuning": "full", "Supervised": "full"}


def test_they_are_those_of_the_benchmark(peers: Path) -> None:
    with (peers / "ai4health_scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] in TASKS]
    expected = {
        (TASKS[row["dataset"]], row["model"], MODES[row["mode"]]): tuple(map(float, (row["point"], row["low"], row["high"])))
        for row in rows
    }  # fmt: skip
    found = {key: (one["value"], one["low"], one["high"]) for key, one in published().items()}
    assert found == expected
    assert len(found) == 10 * 26


def test_the_bars_and_what_is_wrong() -> None:
    assert published()["ptbxl-all", "ECGFounder", "linear"]["value"] == pytest.approx(0.931, abs=5e-4)
    assert published()["ptbxl-all", "ECG-CPC", "full"]["value"] == pytest.approx(0.949, abs=5e-4)
    wrong = {key for key, one in published().items() if one["note"] and key[0] != "chapman"}
    assert wrong == {
        ("echonext", "ECG-FM", "full"), *((task, "ST-MEM", "full") for task in TASKS.values() if task != "chapman")
    }  # fmt: skip
    assert all("labels" in one["note"] for (task, _, _), one in published().items() if task == "chapman")
    assert all(one["low"] <= one["value"] <= one["high"] for one in published().values())
    gains = {
        model: np.median([
            published()[task, model, "full"]["value"] - published()[task, model, "linear"]["value"]
            for task in TASKS.values()
        ])
        for model in ("ST-MEM", "MERL", "ECG-CPC")
    }  # fmt: skip
    assert abs(gains["ST-MEM"]) < 0.002 < 0.01 < min(gains["MERL"], gains["ECG-CPC"])  # a probe gains nothing


def test_every_task_is_shipped_and_every_model_is_named(repository: Path) -> None:
    shipped = {path.stem for path in (repository / "config/tasks").glob("*.yaml")}
    assert {task for task, _, _ in published()} <= shipped
    models = {model for _, model, _ in published()}
    assert set(LeaderboardConfig().published.values()) <= models
    encoders = {path.stem for path in (repository / "config/encoders").glob("*.yaml")}
    assert {*LeaderboardConfig().published, *LeaderboardConfig().windows} <= encoders
    assert yaml.safe_load((repository / "config/encoders/s4.yaml").read_text())["weights"] == "random"
