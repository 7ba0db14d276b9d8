"""Metrics against scikit-learn, against counts by hand, and where they are not defined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.label import (
    CLASS_METRICS,
    accuracy_metrics,
    auprc,
    auroc,
    chance_gaps,
    count_columns,
    from_counts,
    gaps_from_counts,
    label_metrics,
    ranking_metrics,
    undefined_reason,
)


def ones(n: int) -> np.ndarray:
    return np.ones((n, 1))


def test_by_hand_with_a_tie():
    # positives 0.9 and 0.5, negatives 0.5 and 0.1: of the 4 pairs 3 are right and 1 is a tie
    target, score = np.array([1, 1, 0, 0.0]), np.array([0.9, 0.5, 0.5, 0.1])
    assert auroc(target, score) == pytest.approx(3.5 / 4)
    # recall 1/2 at precision 1, then recall 1 at precision 2/3
    assert auprc(target, score) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # at 0.5: TP 2, FP 1, FN 0, TN 1
    values = label_metrics(target, score, 0.5, ones(4))
    expected = {"f1": 4 / 5, "sensitivity": 1, "specificity": 1 / 2, "ppv": 2 / 3, "npv": 1}
    assert {key: values[key][0] for key in expected} == pytest.approx(expected)
    assert values["brier"][0] == pytest.approx((0.01 + 0.25 + 0.25 + 0.01) / 4)
    assert tuple(values) == CLASS_METRICS


def expected_calibration_error(target: np.ndarray, probability: np.ndarray) -> float:
    """Guo et al. 2017, equation 3, record by record."""
    bins: dict[int, list[int]] = {}
    for i, p in enumerate(probability):
        bins.setdefault(next(m for m in range(1, 16) if p <= m / 15), []).append(i)
    return sum(len(b) / len(target) * abs(target[b].mean() - probability[b].mean()) for b in bins.values())


def test_calibration_error_by_hand():
    # bin (0, 1/15]: probabilities 0 and 0.04, none true, gap 0.02; bin of 0.5: 0.48 and 0.5, one true, gap 0.01
    target, probability = np.array([0, 0, 1, 0.0]), np.array([0.0, 0.04, 0.48, 0.5])
    assert label_metrics(target, probability, 0.5, ones(4))["ece"][0] == pytest.approx(0.5 * 0.02 + 0.5 * 0.01)


@pytest.mark.parametrize("levels", [3, 20, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(levels: int, seed: int):
    rng = np.random.default_rng(seed)
    target = (rng.random(300) < rng.choice([0.02, 0.3, 0.9])).astype(float)
    target[:2] = 0, 1
    score = rng.integers(levels, size=300) / levels
    values = {key: value[0] for key, value in label_metrics(target, score, 0.4, ones(300)).items()}
    called = score >= 0.4
    assert values == pytest.approx(
        {
            "auroc": sk.roc_auc_score(target, score),
            "auprc": sk.average_precision_score(target, score),
            "f1": sk.f1_score(target, called),
            "sensitivity": sk.recall_score(target, called),
            "specificity": sk.recall_score(1 - target, ~called),
            "ppv": sk.precision_score(target, called),
            "npv": sk.precision_score(1 - target, ~called),
            "brier": sk.brier_score_loss(target, score),
            "ece": expected_calibration_error(target, score),
        },
        abs=1e-12,
    )


def test_weights_are_repetitions():
    rng = np.random.default_rng(7)
    target, score = rng.integers(0, 2, 60).astype(float), rng.integers(0, 9, 60) / 9
    weight_nr = rng.integers(0, 4, (60, 12)).astype(float)
    values = label_metrics(target, score, 0.5, weight_nr)
    for r in range(12):
        repeated = np.repeat(np.arange(60), weight_nr[:, r].astype(int))
        assert values["auroc"][r] == pytest.approx(sk.roc_auc_score(target[repeated], score[repeated]))
        assert values["auprc"][r] == pytest.approx(sk.average_precision_score(target[repeated], score[repeated]))
        assert values["f1"][r] == pytest.approx(sk.f1_score(target[repeated], score[repeated] >= 0.5))


def test_unknown_labels_are_left_out():
    target = np.array([1, np.nan, 0, 1, np.nan, 0])
    score = np.array([0.9, 0.0, 0.2, 0.1, 1.0, 0.3])
    known = ~np.isnan(target)
    assert auroc(target, score) == pytest.approx(sk.roc_auc_score(target[known], score[known])) == 0.5


@pytest.mark.parametrize(
    ("target", "metric", "reason"),
    [
        ([0, 0], "auroc", "no positive test record"),
        ([1, 1], "auroc", "no negative test record"),
        ([0, 0], "f1", "no positive test record"),
        ([0, 0], "ppv", "no record is called positive at the threshold"),
        ([], "brier", "no test record with a known label"),
    ],
)
def test_undefined_is_nan_with_a_reason(target: list[int], metric: str, reason: str):
    truth = np.array(target, dtype=float)
    values = label_metrics(truth, np.full(len(truth), 0.3), 0.5, ones(len(truth)))
    assert np.isnan(values[metric][0])
    assert undefined_reason(metric, truth) == reason


ALL = set(CLASS_METRICS)


@pytest.mark.parametrize(
    ("case", "target", "undefined"),
    [
        ("no positive", [0, 0, 0], {"auroc", "auprc", "f1", "sensitivity"}),
        ("no negative", [1, 1, 1], {"auroc", "auprc", "specificity"}),
        ("nothing known", [np.nan] * 3, ALL),
        ("no record", [], ALL),
    ],
)
def test_every_metric_where_a_class_is_missing(case: str, target: list[float], undefined: set[str]):
    probability = np.array([0.2, 0.7, 0.7])[: len(target)]
    truth = np.array([target, [1, 0, 1][: len(target)]], dtype=float).T
    patients = np.array(list("abc")[: len(target)])
    data = Predictions(["x", "y"], truth, np.stack([probability] * 2, axis=1), np.full(truth.shape, 0.5), patients)
    entries = summarize(data, resamples=20, confidence=0.9, seed=0, min_patients=1)["labels"]["x"]
    assert {metric for metric, entry in entries.items() if entry["value"] is None} == undefined, case
    assert all(entry["reason"] for entry in entries.values() if entry["value"] is None)
    # the others are scikit-learn's, which has a number of its own where we say that there is none
    called = probability >= 0.5
    if target == [1, 1, 1]:
        expected = {"f1": sk.f1_score(target, called), "sensitivity": 2 / 3, "ppv": 1, "npv": 0}
    elif target == [0, 0, 0]:
        expected = {"specificity": sk.recall_score([1, 1, 1], ~called), "ppv": 0, "npv": 1}
    else:
        expected = {}
    if expected:
        expected["brier"] = np.mean((np.array(target) - probability) ** 2)
    assert {metric: entries[metric]["value"] for metric in expected} == pytest.approx(expected)


def test_a_weighting_without_a_class_is_nan_and_not_one_half():
    values = ranking_metrics(np.array([1, 0.0]), np.array([0.9, 0.1]), np.array([[1, 0, 1.0], [0, 1, 1]]))
    np.testing.assert_array_equal(values["auroc"], [np.nan, np.nan, 1])
    np.testing.assert_array_equal(values["auprc"], [np.nan, np.nan, 1])


def test_a_record_may_be_several_cases():
    """Three records of two labels each, drawn 1, 0 and 2 times, against scikit-learn's sample weights."""
    record = np.array([0, 0, 1, 1, 2, 2])
    target, score = np.array([1, 0, 1, 0, 0, 1.0]), np.array([0.6, 0.6, 0.9, 0.1, 0.3, 0.2])
    weight_nr = np.array([[1, 1.0], [0, 1], [2, 1]])
    values = ranking_metrics(target, score, weight_nr, record)
    for r in range(2):
        weight = weight_nr[record, r]
        assert values["auroc"][r] == pytest.approx(sk.roc_auc_score(target, score, sample_weight=weight))
        assert values["auprc"][r] == pytest.approx(sk.average_precision_score(target, score, sample_weight=weight))


def test_no_positive_at_all_is_undefined_for_every_weighting():
    values = ranking_metrics(np.zeros(2), np.array([0.9, 0.1]), np.ones((2, 3)))
    assert list(values) == ["auroc", "auprc"]
    np.testing.assert_array_equal(list(values.values()), np.full((2, 3), np.nan))
    assert np.isnan([auroc(np.zeros(2), np.arange(2)), auprc(np.ones(2), np.arange(2))]).all()


def test_what_each_record_adds():
    """A true positive, a false one on the threshold, a false negative and a true negative in the first and last bins."""
    target, probability = np.array([1, 0, 1, 0.0]), np.array([0.97, 0.5, 0.4, 0.0])
    columns = count_columns(target, probability, np.array([0.9, 0.5, 0.41, 0.1]))
    assert columns.shape == (21, 4)
    np.testing.assert_array_equal(columns[:4], np.eye(4))
    np.testing.assert_allclose(columns[4], [0.0009, 0.25, 0.36, 0])
    np.testing.assert_array_equal(columns[5], 1)
    gaps = np.zeros((15, 4))
    gaps[14, 0], gaps[7, 1], gaps[5, 2] = 0.03, -0.5, 0.6  # 0.4 is 6 / 15, the end of the sixth
    np.testing.assert_allclose(columns[6:], gaps, atol=1e-12)
    np.testing.assert_allclose(
        count_columns(np.ones(2), np.array([1.0, 1 / 15]), 0.5)[[6, 20]], [[0, 14 / 15], [0, 0]], atol=1e-12
    )


def test_metrics_from_counts_by_hand():
    # columns: all there; nobody is called; no positive but one called; nothing
    counts = np.zeros((21, 4))
    counts[:6] = [[3, 0, 0, 0], [1, 0, 1, 0], [2, 2, 0, 0], [4, 3, 4, 0], [2.5, 1, 1, 0], [10, 5, 5, 0]]
    counts[6], counts[9], counts[20] = [1, 0, 2, 0], [-2, 1, 0, 0], [0.5, -1, 0, 0]
    expected = {
        "f1": [6 / 9, 0, np.nan, np.nan],
        "sensitivity": [3 / 5, 0, np.nan, np.nan],
        "specificity": [4 / 5, 1, 4 / 5, np.nan],
        "ppv": [3 / 4, np.nan, 0, np.nan],
        "npv": [4 / 6, 3 / 5, 1, np.nan],
        "brier": [0.25, 0.2, 0.2, np.nan],
        "ece": [0.35, 0.4, 0.4, np.nan],
    }
    found = from_counts(counts)
    assert list(found) == list(expected)
    for metric, values in expected.items():
        np.testing.assert_allclose(found[metric], values, err_msg=metric)
    gaps = gaps_from_counts(counts)
    assert gaps.shape == (15, 4)
    np.testing.assert_allclose(gaps[[0, 3, 14], :2], [[0.1, 0], [-0.2, 0.2], [0.05, -0.2]])
    assert np.isnan(gaps[:, 3]).all()


def test_gaps_that_chance_alone_makes():
    # 0.02 and 0.05 are in the first bin, 0.5 in the eighth: sqrt(0.0196 + 0.0475) / 3 and sqrt(0.25) / 3
    expected = np.zeros(15)
    expected[[0, 7]] = np.sqrt(0.0671) / 3, 0.5 / 3
    np.testing.assert_allclose(chance_gaps(np.array([0.02, 0.05, 0.5])), expected)
    np.testing.assert_allclose(chance_gaps(np.array([0.5])), 3 * expected * (expected == expected[7]))
    np.testing.assert_array_equal(chance_gaps(np.array([])), np.zeros(15))


def test_the_most_probable_class_by_hand():
    """Classes 0, 0, 1, 2; called 0, 1, 1 (the first of two equally probable ones), 0."""
    targets = np.eye(3)[[0, 0, 1, 2]]
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.9, 0.1, 0.0]])
    weight_nr = np.array([[1, 1, 0], [1, 3, 0], [1, 2, 0], [1, 0, 0.0]])
    values = accuracy_metrics(targets, probabilities, weight_nr)
    # then of weights 1, 3, 2, 0: 3 of 6, and the recalls 1/4 and 1 of the two classes that occur
    np.testing.assert_allclose(values["accuracy"], [1 / 2, 3 / 6, np.nan])
    np.testing.assert_allclose(values["balanced_accuracy"], [(1 / 2 + 1 + 0) / 3, (1 / 4 + 1) / 2, np.nan])


def test_every_reason():
    positive, negative = "no positive test record", "no negative test record"
    expected = {
        "auroc": (positive, negative),
        "auprc": (positive, negative),
        "f1": (positive, "undefined"),
        "sensitivity": (positive, "undefined"),
        "specificity": ("undefined", negative),
        "ppv": ("no record is called positive at the threshold",) * 2,
        "npv": ("no record is called negative at the threshold",) * 2,
        "brier": ("undefined", "undefined"),
    }
    for metric, reasons in expected.items():
        assert tuple(undefined_reason(metric, truth) for truth in (np.zeros(2), np.ones(2))) == reasons, metric
        assert undefined_reason(metric, np.array([])) == "no test record with a known label"
        assert undefined_reason("auroc", np.array([0.0, 1])) == "undefined"
