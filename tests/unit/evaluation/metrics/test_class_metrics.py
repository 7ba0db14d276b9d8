"""Metrics of a label against scikit-learn, against counts by hand, and where they are not defined."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics as sk

from ecglfm.evaluation.metrics.challenge import Challenge
from ecglfm.evaluation.metrics.class_metrics import LABEL_METRICS, UNCALIBRATED_METRICS, Records, label_metrics
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.label import Cases, auprc, auroc

CLASS_METRICS = tuple(metric.name for metric in LABEL_METRICS)


def told(target: np.ndarray, probability: float = 0.3) -> Predictions:
    """One label of records that all have the same probability, decided at 0.5."""
    column = target[:, None]
    patients = np.arange(len(target)).astype(str)
    return Predictions(["x"], column, np.full(column.shape, probability), np.full(column.shape, 0.5), patients)


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
    wanted = pytest.approx(
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
    assert {metric: value for metric, value in values.items() if metric in ALL} == wanted


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
    assert told(truth).reason(metric, 0) == reason


ALL = {"auroc", "auprc", "f1", "sensitivity", "specificity", "ppv", "npv", "brier", "ece"}


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
    assert {metric for metric in ALL if entries[metric]["value"] is None} == undefined, case
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
    cases = SimpleNamespace(decided=counts[:4], squared=counts[4], total=counts[5], gap_sums=counts[6:])
    cases.raw = cases
    for metric in (metric for metric in LABEL_METRICS if metric.name in expected):
        np.testing.assert_allclose(metric.of(cases), expected[metric.name], err_msg=metric.name)


def test_every_reason():
    positive, negative = "no positive test record", "no negative test record"
    called, free = "no record is called positive at the threshold", "no record is called negative at the threshold"
    expected = {
        "auroc": (positive, negative),
        "auprc": (positive, negative),
        "f1": (positive, "undefined"),
        "sensitivity": (positive, "undefined"),
        "specificity": ("undefined", negative),
        "ppv": (called, called),
        "npv": ("undefined", "undefined"),
        "brier": ("undefined", "undefined"),
        "ece": ("undefined", "undefined"),
    }
    for metric, reasons in expected.items():
        assert tuple(told(truth).reason(metric, 0) for truth in (np.zeros(2), np.ones(2))) == reasons, metric
        assert told(np.array([])).reason(metric, 0) == "no test record with a known label"
    assert told(np.array([0.0, 1])).reason("auroc", 0) == "undefined"
    assert told(np.array([0.0, 1]), 0.7).reason("npv", 0) == free
    assert told(np.array([0.0, 1]), 0.5).reason("npv", 0) == free  # what is at the threshold is called


def test_errors_of_the_probability_are_those_before_the_calibration_and_after() -> None:
    before = Cases(np.array([1.0, 0]), np.array([0.9, 0.2]), 0.5, ones(2))
    after = Cases(np.array([1.0, 0]), np.array([0.7, 0.4]), 0.5, ones(2), uncalibrated=before)
    found = {metric.name: float(metric.of(after)[0]) for metric in (*LABEL_METRICS[-2:], *UNCALIBRATED_METRICS)}
    wanted = {"brier_uncalibrated": 0.025, "ece_uncalibrated": 0.15, "brier": 0.125, "ece": 0.35}
    assert found == pytest.approx(wanted)


NAN = float("nan")


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        # a quarter in train, a fifth in test: every record is told 0.25
        ([1, 0, 0, 0], [1, 0, 0, 0, 0], [0.5, 0.2, 1 / 3, 0, 1, 0.2, 0.8, 0.2 * 0.75**2 + 0.8 * 0.25**2]),
        ([1, 1, 1, 0], [1, 0, 0, 0, 0], [0.5, 0.2, 1 / 3, 1, 0, 0.2, 0.8, 0.2 * 0.25**2 + 0.8 * 0.75**2]),
        ([1, 0], [1, 0], [0.5, 0.5, 2 / 3, 1, 0, 0.5, 0.5, 0.25]),
        ([1, 0, 0, 0], [1, 1], [NAN, NAN, 1, 0, NAN, 1, 0, 0.75**2]),
        ([1, 0, 0, 0], [0, 0], [NAN, NAN, NAN, NAN, 1, 0, 1, 0.25**2]),
    ],
)
def test_what_the_constant_answer_reaches(train: list[int], test: list[int], expected: list[float]) -> None:
    names = ["auroc", "auprc", "f1", "sensitivity", "specificity", "ppv", "npv", "brier"]
    constants = {metric.name: metric.constant for metric in (*LABEL_METRICS, *UNCALIBRATED_METRICS)}
    assert [name for name, constant in constants.items() if constant is not None] == names
    found = [constants[name](np.array(train), np.array(test)) for name in names]  # type: ignore[misc]
    np.testing.assert_allclose(found, expected)


def test_metrics_of_whole_records() -> None:
    """Classes 0, 0, 1, of which the first and last are found; twice the last in the second weighting."""
    targets, probabilities = np.eye(2)[[0, 0, 1]], np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    weight_nr = np.array([[1, 1.0], [1, 1], [1, 2]])
    # calling class 1 (here "normal") where 0 is true earns 1/4, of two named classes 1/8
    challenge = Challenge(np.array([[1, 0.25], [0.25, 1]]), normal=1)
    records = Records(targets, probabilities, probabilities >= 0.5, weight_nr, True, challenge)
    found = {metric.name: metric.of(records) for metric in records.metrics}
    assert [metric.name for metric in records.metrics] == list(found)
    np.testing.assert_allclose(found["accuracy"], [2 / 3, 3 / 4])
    np.testing.assert_allclose(found["balanced_accuracy"], [3 / 4, 3 / 4])
    # called 1 + 1/8 + 1, right 3, all normal 1/8 + 1/8 + 1
    np.testing.assert_allclose(found["challenge_metric"], [(2.125 - 1.25) / (3 - 1.25), (3.125 - 2.25) / (4 - 2.25)])
    assert [metric.name for metric in Records(*[targets] * 4, exclusive=False, challenge=None).metrics] == []
