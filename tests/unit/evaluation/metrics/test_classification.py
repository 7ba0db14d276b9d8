"""Metrics of classes by hand; records of one table may be decided by the different thresholds of their models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics.bootstrap import PatientWeights, point_values, resampled_values
from ecglfm.evaluation.metrics.challenge import Challenge
from ecglfm.evaluation.metrics.class_metrics import LABEL_METRICS
from ecglfm.evaluation.metrics.classification import Predictions

CLASS_METRICS = tuple(metric.name for metric in LABEL_METRICS)
# Four records of a model that decides at 0.3, then five of one that decides at 0.8.
PROBABILITY = np.array([0.4, 0.2, 0.35, 0.1, 0.9, 0.7, 0.82, 0.5, 0.6])
TARGET = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0], dtype=float)
THRESHOLD = np.repeat([0.3, 0.8], [4, 5])
# Called: 0.4, 0.35 | 0.9, 0.82. So TP = 1 + 2, FN = 1 + 1, FP = 1 + 0, TN = 1 + 2.
BY_HAND = {"sensitivity": 3 / 5, "specificity": 3 / 4, "ppv": 3 / 4, "npv": 3 / 5, "f1": 2 / 3}
# With 0.3 for all the sensitivity were 4/5, the PPV 4/7; with 0.8 for all 2/5 and 1.


def made(patients: np.ndarray | None = None) -> Predictions:
    """The records above as label `x`; label `y` is unknown of the second model's, and always decided right."""
    other = np.where(np.arange(9) < 4, TARGET, np.nan)
    return Predictions(
        ["x", "y"],
        np.stack([TARGET, other], axis=1),
        np.stack([PROBABILITY, np.nan_to_num(other) * 0.5], axis=1),
        np.stack([THRESHOLD, np.full(9, 0.5)], axis=1),
        np.arange(9).astype(str) if patients is None else patients,
    )


@pytest.mark.parametrize("metric", BY_HAND)
def test_each_record_is_decided_by_its_own_threshold(metric: str) -> None:
    assert point_values(made())[0, CLASS_METRICS.index(metric)] == pytest.approx(BY_HAND[metric])


def test_pooled_labels_too() -> None:
    micro = made().pooled(np.ones((9, 1)))["micro"]
    # label y adds two true positives and two true negatives
    assert micro["sensitivity"][0] == pytest.approx(5 / 7)
    assert micro["ppv"][0] == pytest.approx(5 / 6)
    assert micro["specificity"][0] == pytest.approx(5 / 6)


def test_patients_behind_a_ppv_are_those_that_are_called() -> None:
    patients = np.array(["a", "b", "a", "c", "d", "e", "d", "f", "g"])  # called: a, a | d, d
    assert made(patients).support(0, np.unique(patients, return_inverse=True)[1])["ppv"] == (2,)


def test_a_probability_at_its_threshold_is_called() -> None:
    data = made()
    groups = replace(data, thresholds=data.probabilities).groups(0)
    assert groups["called"].all()
    assert not groups["not called"].any()


def test_a_resample_keeps_each_rows_threshold() -> None:
    patients = np.array(["a", "b", "b", "c", "d", "d", "e", "f", "g"])
    values = resampled_values(made(patients), 30, seed=2)[0]
    weights = PatientWeights(patients, seed=2)(np.arange(30)).astype(int)
    for r in range(30):
        rows = np.repeat(np.arange(9), weights[:, r])
        called, positive = PROBABILITY[rows] >= THRESHOLD[rows], TARGET[rows] == 1
        if positive.any() and not positive.all():
            assert values[CLASS_METRICS.index("sensitivity"), r] == pytest.approx(called[positive].mean())
            assert values[CLASS_METRICS.index("specificity"), r] == pytest.approx((~called)[~positive].mean())


NAN = np.nan
TRUTH = np.array([[1, NAN], [0, 1], [1, 0], [0, 0]])
SAID = np.array([[0.9, 0.3], [0.6, 0.8], [0.4, 0.2], [0.1, 0.7]])
AFTER = np.array([[0.8, 0.3], [0.55, 0.7], [0.45, 0.3], [0.2, 0.6]])
CUTS = np.array([[0.5, 0.6], [0.5, 0.6], [0.3, 0.9], [0.3, 0.9]])
#: Of x called: 0.9 and 0.6 | 0.4; of y: 0.8 | none.


def four(**more: object) -> Predictions:
    return Predictions(["x", "y"], TRUTH, SAID, CUTS, np.array(["a", "a", "b", "c"]), **more)


def calibrated() -> Predictions:
    """Called as `four()`; the same records are ranked otherwise: y of the first above x of the last."""
    return replace(four(), probabilities=AFTER, uncalibrated=SAID)


def test_a_label_before_and_after_calibration() -> None:
    data = calibrated()
    assert data.metrics == (*CLASS_METRICS, "brier_uncalibrated", "ece_uncalibrated")
    assert four().metrics == CLASS_METRICS
    # the unknown record counts nowhere, then the last one twice
    found = data.values(1, np.array([[5, 5], [1, 1], [1, 1], [1, 2.0]]))
    assert set(found) == set(data.metrics)
    expected = {
        "auroc": [1, 1],
        "sensitivity": [1, 1],
        "npv": [1, 1],
        "brier_uncalibrated": [(0.04 + 0.04 + 0.49) / 3, (0.04 + 0.04 + 2 * 0.49) / 4],
        "brier": [(0.09 + 0.09 + 0.36) / 3, (0.09 + 0.09 + 2 * 0.36) / 4],
        # bins of 0.7 and 0.8 differ, as do those of 0.6 and 0.7; 0.3 and 0.2 are alone
        "ece_uncalibrated": [(0.2 + 0.2 + 0.7) / 3, (0.2 + 0.2 + 2 * 0.7) / 4],
        "ece": [(0.3 + 0.3 + 0.6) / 3, (0.3 + 0.3 + 2 * 0.6) / 4],
    }
    for metric, values in expected.items():
        np.testing.assert_allclose(found[metric], values, err_msg=metric)
    whole = data.values(0, np.ones((4, 1)))
    assert whole["brier"] == pytest.approx((0.04 + 0.55**2 + 0.55**2 + 0.04) / 4)
    assert whole["sensitivity"] == pytest.approx(1)
    assert four().values(1, np.ones((4, 1))).keys() == set(CLASS_METRICS)


def test_labels_pooled_before_and_after_calibration() -> None:
    weight_nr = np.array([[1, 2], [1, 1], [1, 0], [1, 1.0]])
    sections = calibrated().pooled(weight_nr)
    assert list(sections) == ["micro"]
    micro = sections["micro"]
    assert tuple(micro) == (*CLASS_METRICS, "brier_uncalibrated", "ece_uncalibrated")
    assert tuple(four().pooled(weight_nr)["micro"]) == CLASS_METRICS
    # seven pairs, called: x of the first three, y of the second; without the third record four true of five
    np.testing.assert_allclose(micro["ppv"], [3 / 4, 3 / 4])
    np.testing.assert_allclose(micro["sensitivity"], [1, 1])
    np.testing.assert_allclose(micro["specificity"], [3 / 4, 2 / 3])
    before, after = ((said - TRUTH) ** 2 for said in (SAID, AFTER))
    for metric, error in (("brier_uncalibrated", before), ("brier", after)):
        np.testing.assert_allclose(
            micro[metric], [np.nansum(error) / 7, np.nansum(error * weight_nr[:, [1]]) / 6], err_msg=metric
        )
    # every pair of 0.9, 0.4 and 0.8 with 0.6, 0.1, 0.2 and 0.7: 0.4, which is in the third record, is below two
    np.testing.assert_allclose(micro["auroc"], [10 / 12, 1])


def test_whole_records_are_judged_where_one_class_is_true_or_the_challenge_says_so() -> None:
    ones = np.ones((4, 1))
    one_class = Predictions(["x", "y"], np.eye(2)[[0, 1, 0, 1]], SAID, CUTS, np.arange(4).astype(str), exclusive=True)
    found = one_class.pooled(ones)
    assert list(found) == ["micro", "overall"]
    assert {metric: float(value[0]) for metric, value in found["overall"].items()} == {
        "accuracy": 1,
        "balanced_accuracy": 1,
    }
    # y is normal; the record with an unknown label is out. Called {x, y}, {x}, none where y, x, none are true:
    # 1/2, 1 and 0 of 1, 1 and 0; of calling all y: 1, 1/2 of w(x, y) = 0, and 0
    challenge = Challenge(np.eye(2), 1)
    found = four(challenge=challenge).pooled(ones)
    assert list(found["overall"]) == ["challenge_metric"]
    assert found["overall"]["challenge_metric"] == pytest.approx((0.5 + 1 - 1) / (2 - 1))


def test_groups_of_records_of_a_label() -> None:
    data = four()
    yes, no, known = [False, True, False, False], [False, False, True, True], [False, True, True, True]
    np.testing.assert_array_equal(data.needed(1), [yes, no])
    np.testing.assert_array_equal(data.known(1), known)
    classes = data.classes(1)
    assert list(classes) == ["negative patients", "positive patients"]
    np.testing.assert_array_equal(list(classes.values()), [no, yes])
    area, terms = data.influence(1)["auroc"]
    assert (area, terms.shape) == (1, (3,))
    area, terms = data.influence(0)["auroc"]
    assert area == 0.75  # of the pairs only 0.4 against 0.6 is wrong
    np.testing.assert_allclose(terms, [0.125, -0.125, -0.125, 0.125])


def test_patients_behind_each_metric() -> None:
    """Of y two patients are negative and one positive, who is the only one called; one record is unknown."""
    wanted = {
        "auroc": (1, 2), "auprc": (1,), "f1": (1,), "sensitivity": (1,), "specificity": (2,),
        "ppv": (1,), "npv": (2,), "brier": (3,), "brier_uncalibrated": (3,),
    }  # fmt: skip
    found = calibrated().support(1, np.array([0, 0, 1, 2]))
    assert {metric: found[metric] for metric in wanted} == wanted
    assert {"ece", "ece_uncalibrated"}.isdisjoint(found)
    found = four().support(0, np.array([0, 1, 0, 0]))
    assert found["auroc"] == (1, 2)
    assert [found[metric] for metric in ("auprc", "specificity", "ppv", "npv", "brier")] == [
        (1,),
        (2,),
        (2,),
        (1,),
        (2,),
    ]
    called = Predictions(["y"], TRUTH[:, 1:], SAID[:, 1:], np.full((4, 1), 0.3), np.array(["a", "a", "b", "c"]))
    # 0.3 is called at 0.3, but of an unknown record; 0.2 is not
    assert [called.support(0, np.array([9, 0, 1, 2]))[metric] for metric in ("ppv", "npv")] == [(2,), (1,)]


def test_reasons_are_of_the_known_records() -> None:
    data = Predictions(["x"], np.array([[NAN], [0]]), np.full((2, 1), 0.3), np.full((2, 1), 0.5), np.array(["a", "b"]))
    assert data.reason("auroc", 0) == "no positive test record"
    assert data.reason("ppv", 0) == "no record is called positive at the threshold"
    unknown = Predictions(["x"], np.full((1, 1), NAN), np.ones((1, 1)), np.ones((1, 1)), np.array(["a"]))
    assert unknown.reason("brier", 0) == "no test record with a known label"


def test_what_metrics_stand_on() -> None:
    assert replace(four(), thresholds=CUTS[[0, 2, 1, 3]]).describe() == {
        "n": {"positives": {"x": 2, "y": 1}, "known": {"x": 4, "y": 3}},
        "thresholds": {"x": 0.5, "y": 0.6},
    }


def test_gaps_of_a_label_and_of_all() -> None:
    data, weight_nr = calibrated(), np.array([[1, 2], [1, 1], [1, 0], [1, 1.0]])
    found = data.gaps(1, weight_nr)
    assert list(found) == ["ece", "ece_uncalibrated"]
    expected = np.zeros((15, 2))  # 0.2 and 0.8 are ends of bins; of the second weighting the third record is out
    expected[2], expected[10], expected[11] = [-0.2 / 3, 0], [-0.7 / 3, -0.7 / 2], [0.2 / 3, 0.2 / 2]
    np.testing.assert_allclose(found["ece_uncalibrated"], expected, atol=1e-12)
    expected = np.zeros((15, 2))
    expected[4], expected[8], expected[10] = [-0.3 / 3, 0], [-0.6 / 3, -0.6 / 2], [0.3 / 3, 0.3 / 2]
    np.testing.assert_allclose(found["ece"], expected, atol=1e-12)
    # of all labels a record counts as often as it is drawn, however many of its labels are known
    pooled = data.gaps(None, np.ones((4, 1)))["ece_uncalibrated"][:, 0] * 7
    expected = np.zeros(15)
    expected[[13, 8, 5, 1, 11, 2, 10]] = 0.1, -0.6, 0.6, -0.1, 0.2, -0.2, -0.7
    np.testing.assert_allclose(pooled, expected, atol=1e-12)
    chance = data.chance_gaps(1)
    assert list(chance) == ["ece", "ece_uncalibrated"]
    expected = np.zeros(15)
    expected[[2, 10, 11]] = np.sqrt([0.16, 0.21, 0.16])
    np.testing.assert_allclose(chance["ece_uncalibrated"] * 3, expected)
    assert data.chance_gaps(None)["ece_uncalibrated"].sum() * 7 == pytest.approx(
        np.sqrt(SAID * (1 - SAID))[~np.isnan(TRUTH)].sum()
    )
    assert list(four().gaps(0, np.ones((4, 1)))) == list(four().chance_gaps(0)) == ["ece"]
    unknown = Predictions(["x"], np.full((1, 1), NAN), np.ones((1, 1)), np.ones((1, 1)), np.array(["a"]))
    assert unknown.gaps(0, np.ones((1, 1))) == {}


def predicted(*, fold: bool) -> pd.DataFrame:
    """Per model six validation records, which are right 5 of 6 times at 0.9 (x) and always unknown of y, and two of test."""
    rows = []
    for model, right in enumerate((5, 4)):
        for number in range(6):
            rows.append(("valid", f"v{number}", model, float(number < right), NAN, 0.9, 0.5, 0.5, 0.5))
        rows.append(("test", f"t{model}", model, 1.0, 0.0, 0.8, 0.3, 0.25 + model / 2, 0.4))
    columns = [f"{what}.{name}" for what in ("target", "probability", "threshold") for name in "xy"]
    table = pd.DataFrame(rows, columns=["split", "patient_id", "fold", *columns])
    return table if fold else table[table["fold"] == 0].drop(columns="fold")


def test_what_was_said_before_the_temperature_is_told_where_there_is_one() -> None:
    table, names = predicted(fold=True), ["x", "y"]
    data, fitted = Predictions.read(table, KINDS["multilabel"], names, EvaluateConfig())
    assert (data.names, data.patients.tolist(), data.exclusive) == (names, ["t0", "t1"], False)
    np.testing.assert_array_equal(data.targets, [[1, 0], [1, 0]])
    np.testing.assert_array_equal(data.probabilities, [[0.8, 0.3], [0.8, 0.3]])
    np.testing.assert_array_equal(data.thresholds, [[0.25, 0.4], [0.75, 0.4]])
    assert (data.uncalibrated, data.challenge, fitted) == (None, None, {})
    before = {f"uncalibrated.{name}": table[f"probability.{name}"] / 2 for name in names}
    data, fitted = Predictions.read(table.assign(**before), KINDS["multiclass"], names, EvaluateConfig())
    assert (data.exclusive, fitted) == (True, {})
    np.testing.assert_array_equal(data.uncalibrated, [[0.4, 0.15], [0.4, 0.15]])
    np.testing.assert_array_equal(data.probabilities, [[0.8, 0.3], [0.8, 0.3]])


def test_weights_of_the_challenge_are_of_the_tasks_labels(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text(",NSR,AF\nNSR,1,0.5\nAF,0.5,1\n")
    table = predicted(fold=False).rename(columns=lambda name: name.replace(".x", ".AF").replace(".y", ".NSR"))
    config = EvaluateConfig(challenge_weights=str(tmp_path / "w.csv"))
    data, _ = Predictions.read(table, KINDS["multilabel"], ["AF", "NSR"], config)
    assert data.challenge is not None
    assert data.challenge.normal == 1


def test_of_truth_and_output_alone_thresholds_are_one_half() -> None:
    data = Predictions.told(["x", "y"], [TRUTH], SAID, np.array(list("abcd")))
    np.testing.assert_array_equal(data.thresholds, np.full((4, 2), 0.5))
    assert (data.names, data.patients.tolist()) == (["x", "y"], list("abcd"))
    assert (data.targets is TRUTH, data.probabilities is SAID) == (True, True)
    # half of train is positive, a quarter of test: 1/4 x 1/4 + 3/4 x 1/4
    constants = {metric.name: metric.constant for metric in LABEL_METRICS if metric.constant}
    half, quarter = np.array([1.0, 0]), np.array([1.0, 0, 0, 0])
    assert [constants[name](half, quarter) for name in ("brier", "ppv")] == [0.25, 0.25]
    assert constants["ppv"](quarter, half) == 0.5
