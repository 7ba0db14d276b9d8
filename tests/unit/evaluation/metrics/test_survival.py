"""Survival measures against scikit-survival (golden_survival.json), against pairs counted one by one, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.references import Reference, make_reference
from ecglfm.evaluation.metrics.survival import SurvivalPredictions


def simulated(n: int, seed: int, ratio: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Risk z with hazard 0.1 ratio^z, a third of the patients observed for less than 5 years."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    died, left = rng.exponential(10 / ratio**z), rng.uniform(2, 8, n)
    return np.minimum(died, left), (died <= left).astype(float), z * np.log(ratio)


def predictions(n: int, seed: int) -> SurvivalPredictions:
    reference = make_reference(*simulated(4000, seed + 1000), times=[1, 2, 4])
    time, event, risk = (column[:, None] for column in simulated(n, seed))
    return SurvivalPredictions(["death"], time, event, risk, np.arange(n).astype(str), [reference])


def test_planted_hazard_ratio_lies_in_its_interval():
    held = 0
    for seed in range(20):
        entry = summarize(predictions(400, seed), resamples=200, confidence=0.9, seed=0, min_patients=1)["labels"][
            "death"
        ]
        held += entry["hazard_ratio"]["ci_low"] <= 2 <= entry["hazard_ratio"]["ci_high"]
    assert 15 <= held <= 20  # 18 expected


def test_a_calibrated_model_is_found_calibrated_and_a_stretched_one_is_not():
    data = predictions(3000, 5)
    groups = data.describe()["risk_groups"]["death"]
    assert all(group["ci_low"] - 0.01 <= group["predicted"] <= group["ci_high"] + 0.01 for group in groups)
    assert groups[0]["observed"] > groups[-1]["observed"] + 0.2
    assert sum(group["records"] for group in groups) == 3000
    # until year 2 hazard 0.1 e^risk gives survival exp(-0.2 e^risk): the baseline came out so
    assert data.references[0].hazard == pytest.approx(0.2, abs=0.02)
    reference = data.references[0]
    stretched = replace(data, references=[reference._replace(hazard=3 * reference.hazard)])
    good, bad = (one.values(0, np.ones((3000, 1))) for one in (data, stretched))
    assert good["ece"][0] < 0.03
    assert bad["ece"][0] > 0.15
    assert bad["brier"][0] > good["brier"][0] + 0.02


def test_what_cannot_be_measured_is_said():
    data = predictions(60, 0)
    shape = (60, 3)
    times, events, risks = (np.broadcast_to(column, shape).copy() for column in (data.times, data.events, data.risks))
    events[:, 1], times[:, 2], events[:, 2] = 0, np.nan, np.nan
    data = SurvivalPredictions(["a", "b", "c"], times, events, risks, data.patients, data.references * 2 + [None])
    labels = summarize(data, resamples=20, confidence=0.9, seed=0, min_patients=1)["labels"]
    assert 0.5 < labels["a"]["c_index"]["ci_low"] < labels["a"]["c_index"]["value"]
    assert (labels["b"]["c_index"]["value"], labels["b"]["c_index"]["reason"]) == (
        None,
        "no event among the test records",
    )
    assert labels["c"]["hazard_ratio"]["reason"] == "no test record with a known label"
    assert data.describe()["n"] == {
        "events": {"a": int(events[:, 0].sum()), "b": 0, "c": 0},
        "known": {"a": 60, "b": 60, "c": 0},
    }


def test_without_an_event_in_valid_only_the_concordance_is_known():
    data = replace(predictions(60, 0), references=[make_reference(np.ones(5), np.zeros(5), np.arange(5.0), times=[])])
    assert data.references == [None]
    labels = summarize(data, resamples=20, confidence=0.9, seed=0, min_patients=1)["labels"]["death"]
    assert labels["c_index"]["value"] > 0.5
    assert labels["td_auc"]["reason"].startswith("no event among the validation records")


def test_at_a_time_until_which_nobody_was_followed_no_risk_is_judged():
    """Predicted until 8 and observed until 5 would be of different times."""
    data = predictions(60, 0)
    early = replace(data, times=np.minimum(data.times, 5), events=np.where(data.times > 5, 0.0, data.events))
    late = make_reference(*simulated(4000, 1000), times=[8])
    labels = summarize(replace(early, references=[late]), resamples=20, confidence=0.9, seed=0, min_patients=1)[
        "labels"
    ]
    for name in ("brier", "ece"):
        assert labels["death"][name]["value"] is None
        assert labels["death"][name]["reason"] == "no test record was followed beyond that time"
    assert labels["death"]["c_index"]["value"] > 0.5
    assert replace(early, references=[late]).risk_groups(0) == []
    dead = replace(early, events=np.ones_like(early.events), references=[late])  # nobody is left: all is known
    assert (
        summarize(dead, resamples=20, confidence=0.9, seed=0, min_patients=1)["labels"]["death"]["brier"]["value"] > 0
    )
    assert len(dead.risk_groups(0)) == 4


def test_reference_is_of_the_validation_split():
    time, event, risk = np.array([1, 2, 3, 4, np.nan]), np.array([1, 1, 1, 0, np.nan]), np.array([2, 1, 0, -1.0, 50])
    found = make_reference(time, event, risk, times=[])
    np.testing.assert_allclose(found.times, [1.5, 2, 2.5])
    assert found.scale == pytest.approx(np.std([2, 1, 0, -1]))
    np.testing.assert_allclose(found.limits, np.quantile([2, 1, 0, -1], [0.25, 0.5, 0.75]))
    expected = 1 / np.exp([2.0, 1, 0, -1]).sum() + 1 / np.exp([1.0, 0, -1]).sum()
    assert found.hazard == pytest.approx(expected)
    assert isinstance(found, Reference)
