"""Survival measures against scikit-survival (golden_survival.json), against pairs counted one by one, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.references import Reference, make_reference
from ecglfm.evaluation.metrics.survival import SurvivalPredictions, kaplan_meier_interval


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


def test_reference_is_of_the_validation_split():
    time, event, risk = np.array([1, 2, 3, 4, np.nan]), np.array([1, 1, 1, 0, np.nan]), np.array([2, 1, 0, -1.0, 50])
    found = make_reference(time, event, risk, times=[])
    np.testing.assert_allclose(found.times, [1.5, 2, 2.5])
    assert found.scale == pytest.approx(np.std([2, 1, 0, -1]))
    np.testing.assert_allclose(found.limits, np.quantile([2, 1, 0, -1], [0.25, 0.5, 0.75]))
    expected = 1 / np.exp([2.0, 1, 0, -1]).sum() + 1 / np.exp([1.0, 0, -1]).sum()
    assert found.hazard == pytest.approx(expected)
    assert isinstance(found, Reference)


NAN = np.nan


def by_hand(**changed) -> SurvivalPredictions:
    """Six records of five patients: events at 1, 2 and 3, the rest watched to 4 and 5; of the last nothing is known."""
    columns = {
        "times": np.array([1, 2, 3, 4, 5, NAN])[:, None],
        "events": np.array([1, 1, 1, 0, 0, 1.0])[:, None],
        "risks": np.array([2, 1, 1, 0, 0, 9.0])[:, None],
    } | changed
    reference = Reference(times=np.array([1.5, 2.5, 3.5]), hazard=0.1, scale=2.0, limits=np.array([0.0, 1, 2]))
    return SurvivalPredictions(["death"], *columns.values(), np.array(list("aabcde")), [reference])


def test_metrics_of_a_label_by_hand() -> None:
    data = by_hand()
    values = {name: value[0] for name, value in data.values(0, np.ones((6, 1))).items()}
    assert tuple(values) == data.metrics
    assert data.metrics == (
        "c_index", "c_index_uno", "td_auc", "td_auc_1", "td_auc_2", "td_auc_3", "hazard_ratio", "brier", "ece"
    )  # fmt: skip
    # of the 9 pairs one has equal risks and 8 are right; nobody is censored before 3.5, so that all weigh alike
    assert [values["c_index"], values["c_index_uno"]] == pytest.approx([8.5 / 9] * 2)
    # 1 of 1 against four lower; 2 of 1.5 against 1, 0, 0: one tie of six; all against both
    assert [values[f"td_auc_{k}"] for k in (1, 2, 3)] == pytest.approx([1, 5.5 / 6, 1])
    assert values["td_auc"] == pytest.approx((1 + 5.5 / 6 + 1) / 3)
    # at 2.5, of risks 2, 1, 1, 0, 0 survival is told as exp(-0.1 e^risk)
    told = np.exp(-0.1 * np.exp([2, 1, 1, 0, 0]))
    assert values["brier"] == pytest.approx((told[0] ** 2 + told[1] ** 2 + ((1 - told[2:]) ** 2).sum()) / 5)
    # groups of risk at 2 (dead), 1 (half of two) and 0 (nobody)
    gaps = [told[0] - 0, told[1] + told[2] - 1, told[3] + told[4] - 2]
    assert values["ece"] == pytest.approx(np.abs(gaps).sum() / 5)
    np.testing.assert_allclose(data.gaps(0, np.ones((6, 1)))["ece"][:, 0], np.array(gaps[::-1]) / 5)
    twice = data.gaps(0, np.array([[1.0, 2]] * 6))["ece"]
    np.testing.assert_allclose(twice[:, 1], twice[:, 0])
    # a hazard ratio is of a deviation of the risk: of half the deviation its square root
    mixed = by_hand(risks=np.array([1, 2, 0, 1, 0, 9.0])[:, None])
    half = replace(mixed, references=[data.references[0]._replace(scale=1.0)])
    ratios = [one.values(0, np.ones((6, 1)))["hazard_ratio"][0] for one in (mixed, half)]
    assert ratios[0] == pytest.approx(ratios[1] ** 2)
    assert ratios[1] > 1.1
    assert data.gaps(None, np.ones((6, 1))) == {}
    assert replace(data, references=[None]).gaps(0, np.ones((6, 1))) == {}
    assert by_hand(times=np.full((6, 1), NAN)).gaps(0, np.ones((6, 1))) == {}


def test_uno_is_of_the_time_until_the_last_one_that_is_judged() -> None:
    # events at 1 (risk highest) and 3 (lowest): 4 of 4 pairs and 0 of 2; until 2 only the first counts
    data = by_hand(
        times=np.array([1, 3, 4, 4, 5, NAN])[:, None],
        events=np.array([1, 1, 0, 0, 0, 0.0])[:, None],
        risks=np.array([3, -1, 0, 0, 0, 0.0])[:, None],
    )
    reference = data.references[0]
    for times, expected in (([0.5, 1.5, 2.0], 1.0), ([0.5, 1.5, 3.5], 4 / 7), ([2.0, 2.5, 3.5], 4 / 7)):
        one = replace(data, references=[reference._replace(times=np.array(times))])
        assert one.values(0, np.ones((6, 1)))["c_index_uno"][0] == pytest.approx(expected)


def test_groups_that_a_resample_needs_and_who_stands_behind_a_metric() -> None:
    data = by_hand()
    assert data.needed(0).tolist() == [[True] * 3 + [False] * 3, [False] * 3 + [True, True, False]]
    unknown = by_hand(events=np.array([1, 1, NAN, 0, 0, 0.0])[:, None])
    assert unknown.known(0).tolist() == [True, True, False, True, True, False]
    assert unknown.needed(0).tolist() == [[True, True] + [False] * 4, [False] * 3 + [True, True, False]]
    # patients a (twice) and b have the event, c and d have not
    areas = {name: (2, 2) for name in data.metrics if name.startswith(("c_index", "td_auc"))}
    assert len(areas) == 6
    assert data.support(0, np.array([0, 0, 1, 2, 3, 4])) == areas | {"brier": (4,), "hazard_ratio": (4,)}
    # where all have it, they are compared with one another
    all_dead = by_hand(events=np.ones((6, 1)))
    assert all_dead.support(0, np.arange(6))["c_index"] == (5, 5)
    rare = by_hand(events=np.array([1, 0, 0, 0, 0, 1.0])[:, None])
    assert rare.support(0, np.arange(6))["td_auc"] == (1, 4)


def test_reasons_and_what_the_metrics_stand_on() -> None:
    data = by_hand()
    nobody = "no event or nobody left under observation at that time"
    assert [data.reason(metric, 0) for metric in ("td_auc", "td_auc_1", "brier")] == [nobody, nobody, "undefined"]
    without = replace(data, references=[None])
    assert without.reason("c_index", 0) == "undefined"
    assert without.reason("brier", 0) == "no event among the validation records, or one risk for all of them"
    assert by_hand(events=np.zeros((6, 1))).reason("brier", 0) == "no event among the test records"
    assert by_hand(times=np.full((6, 1), NAN)).reason("brier", 0) == "no test record with a known label"
    content = data.describe()
    assert content["survival_times"] == {"death": [1.5, 2.5, 3.5]}
    groups = content["risk_groups"]["death"]
    assert [(group["records"], group["events"]) for group in groups] == [(0, 0), (2, 0), (2, 2), (1, 1)]
    assert groups[3]["observed"] == groups[3]["ci_low"] == groups[3]["ci_high"] == 0
    assert groups[1]["observed"] == groups[1]["ci_low"] == groups[1]["ci_high"] == 1
    assert groups[2]["observed"] == pytest.approx(0.5)
    assert groups[1]["predicted"] == pytest.approx(np.exp(-0.1))
    assert without.describe()["survival_times"] == {"death": None}
    assert without.risk_groups(0) == by_hand(times=np.full((6, 1), NAN)).risk_groups(0) == []


def test_an_interval_of_survival_by_hand() -> None:
    # 3/4 x 1/2 at 3.5; Greenwood's sum is 1 / (4 x 3) + 1 / (2 x 1)
    survival = 0.375
    value, low, high = kaplan_meier_interval(np.array([1, 2, 3, 4.0]), np.array([1, 0, 1, 0.0]), 3.5)
    half = 1.959964 * np.sqrt(1 / 12 + 1 / 2) / -np.log(survival)
    assert (value, low, high) == pytest.approx((survival, survival ** np.exp(half), survival ** np.exp(-half)))


def test_a_reference_of_given_times() -> None:
    time, event, risk = (
        np.array([1, 2, 3, 4, NAN, 5]),
        np.array([1, 1, 1, 0, 1, NAN]),
        np.array([2, 1, 0, -1, 50, 60.0]),
    )
    found = make_reference(time, event, risk, times=[3, 1, 2, 1, 1.5, 4])
    assert found is not None
    assert found.times.tolist() == [1, 1.5, 2, 3, 4]
    assert found.horizon == 2
    assert found.scale == pytest.approx(np.std([2, 1, 0, -1]))
    assert found.hazard == pytest.approx(1 / np.exp([2.0, 1, 0, -1]).sum() + 1 / np.exp([1.0, 0, -1]).sum())
    assert make_reference(time, event, np.full(6, 0.3), times=[1]) is None
    close = make_reference(time, event, risk / 1000, times=[1])
    assert close is not None
    assert close.scale == pytest.approx(found.scale / 1000)


def test_a_table_is_read_by_its_splits() -> None:
    table = pd.DataFrame(
        {
            "split": ["valid"] * 4 + ["test"] * 2 + ["train"],
            "patient_id": list("abcdefg"),
            "time.x": [1.0, 2, 3, 4, 7, 8, 9],
            "event.x": [1.0, 1, 1, 0, 1, 0, 1],
            "risk.x": [2.0, 1, 0, -1, 0.5, -0.5, 9],
        }
    )
    data, more = SurvivalPredictions.read(table, KINDS["survival"], ["x"], EvaluateConfig(survival_times=[1, 2, 3]))
    assert (data.names, data.patients.tolist(), more) == (["x"], ["e", "f"], {})
    assert [data.times[:, 0].tolist(), data.events[:, 0].tolist(), data.risks[:, 0].tolist()] == [
        [7, 8], [1, 0], [0.5, -0.5]
    ]  # fmt: skip
    (reference,) = data.references
    assert (reference.times.tolist(), reference.scale) == ([1, 2, 3], pytest.approx(np.std([2, 1, 0, -1])))
    told = SurvivalPredictions.told(["x"], [data.times, data.events], data.risks, data.patients)
    assert (told.names, told.references) == (["x"], [None])
    assert told.patients is data.patients
    assert {name: rows.tolist() for name, rows in data.classes(0).items()} == {"patients with the event": [True, False]}
    assert told.times is data.times
    assert told.events is data.events
    assert told.risks is data.risks
    assert data.influence(0)["c_index"][0] == 1
