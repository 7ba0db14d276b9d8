"""A cell over its seeds, by hand; places with ties."""

from __future__ import annotations

import math

import pytest
from scipy.stats import t as student

from ecglfm.evaluation.leaderboard.cells import cell_of, mean_ranks, ranks_of


def entry(value: float | None, low: float | None, high: float | None, **more: object) -> dict:
    return {"value": value, "ci_low": low, "ci_high": high, "labels": ["a", "b"], **more}


def test_of_one_seed_it_is_what_evaluate_said() -> None:
    found = cell_of([entry(0.9, 0.85, 0.93)], "auroc", 0.95)
    assert found == {"value": 0.9, "ci_low": 0.85, "ci_high": 0.93, "labels": 2, "reason": ""}


def test_patients_and_trainings_are_added_as_squares() -> None:
    seeds = [entry(0.90, 0.85, 0.93), entry(0.88, 0.84, 0.92), entry(0.89, 0.83, 0.93)]
    found = cell_of(seeds, "auroc", 0.95)
    trainings = student.ppf(0.975, 2) * 0.01 / math.sqrt(3)  # their deviation is 0.01
    assert found["value"] == pytest.approx(0.89)
    assert found["ci_low"] == pytest.approx(0.89 - math.hypot(0.05, trainings))
    assert found["ci_high"] == pytest.approx(0.89 + math.hypot((0.03 + 0.04 + 0.04) / 3, trainings))
    wide = cell_of([entry(0.99, 0.98, 1.0), entry(0.90, 0.88, 0.92)], "auroc", 0.95)
    assert wide["ci_high"] == 1.0  # no area is larger
    errors = cell_of([entry(9.0, 8.0, 10.5)], "mae", 0.95)
    assert errors["ci_high"] == 10.5


def test_what_is_not_there_has_a_reason() -> None:
    few = entry(None, None, None, reason="too few: no label")
    assert cell_of([entry(0.9, 0.8, 0.95), few], "auroc", 0.95) == {
        "value": None, "ci_low": None, "ci_high": None, "labels": 2, "reason": "too few: no label"
    }  # fmt: skip
    found = cell_of([entry(0.9, None, None, reason="one class")], "auroc", 0.95)
    assert (found["value"], found["ci_low"], found["reason"]) == (0.9, None, "one class")


def test_the_best_is_first_whichever_way_a_metric_goes() -> None:
    values = {"a": 0.7, "b": 0.9, "c": 0.7}
    assert ranks_of(values, "auroc") == {"a": 2.5, "b": 1.0, "c": 2.5}
    assert ranks_of(values, "mae") == {"a": 1.5, "b": 3.0, "c": 1.5}
    assert ranks_of({}, "auroc") == {}


def test_mean_places_leave_out_what_has_none() -> None:
    cells = [
        {"name": "a", "setting": "full", "rank": 1.0, "leak": "no"},
        {"name": "a", "setting": "full", "rank": None, "leak": "yes"},
        {"name": "a", "setting": "full", "rank": 2.0, "leak": "perhaps"},
        {"name": "b", "setting": "full", "rank": None, "leak": "no"},
    ]
    assert mean_ranks(cells) == [
        {"name": "a", "setting": "full", "mean_rank": 1.5, "tasks": 2, "left_out": 1},
        {"name": "b", "setting": "full", "mean_rank": None, "tasks": 0, "left_out": 0},
    ]
