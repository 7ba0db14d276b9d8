"""Thresholds against numbers worked out by hand and against a brute-force sweep."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import f1_score, fbeta_score, recall_score

from ecglfm.benchmark.thresholds import compare, simulate
from ecglfm.training.finetuning.thresholds import Rule, best_threshold, choose_threshold, choose_thresholds

NAN = np.nan


@pytest.mark.parametrize(
    ("target", "probability", "criterion", "expected"),
    [
        # both positives stand above both negatives: F1 = 1, cut half-way between 0.6 and 0.3
        ([1, 0, 1, 0], [0.9, 0.3, 0.6, 0.1], "f1", 0.45),
        # positive, negative, positive, negative from the top: F1 = 2/3, 1/2, 4/5, 2/3 -> after the third
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "f1", 0.4),
        # J = 1/2, 0, 1/2, 0: two are best, the one with fewer positives wins
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "youden", 0.85),
        # a tied positive and negative can only be called together: F1 = 2/3, and 1/2 with the third
        ([1, 0, 0], [0.7, 0.7, 0.2], "f1", 0.45),
        # unknown records do not count
        ([1, NAN, 0, NAN, 1, 0], [0.9, 0.5, 0.3, 0.0, 0.6, 0.1], "f1", 0.45),
        # the worst ranking: calling everything positive is best for F1, and the cut lies below the smallest
        ([0, 1], [0.8, 0.4], "f1", 0.2),
        ([1, 1, 1], [0.1, 0.2, 0.3], "f1", None),
        # F2 = 5 TP / (called + 4 positives): 5/9, 5/10, 10/11, 10/12 -> after the third
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "fbeta", 0.4),
        # 0.9 of two positives needs both; the third record is the second positive
        ([1, 0, 1, 0], [0.9, 0.8, 0.6, 0.2], "sensitivity", 0.4),
        # 9 of 10 positives are exactly 0.9: the tenth, below the negative, need not be called
        ([1] * 9 + [0, 1], [*np.linspace(0.95, 0.55, 9), 0.35, 0.1], "sensitivity", 0.45),
        ([0, 0, NAN], [0.1, 0.2, 0.3], "youden", None),
    ],
)
def test_threshold_by_hand(target: list, probability: list, criterion: str, expected: float | None) -> None:
    found = best_threshold(np.array(target, float), np.array(probability, np.float32), Rule(criterion))
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize("criterion", ["f1", "youden"])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(criterion: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 60).astype(float)
    probability = np.round(rng.random(60) * 0.7 + target * 0.3, 1)  # many ties

    def score(threshold: float) -> float:
        called = probability >= threshold
        if criterion == "f1":
            return f1_score(target, called)
        return recall_score(target, called) + recall_score(1 - target, ~called) - 1

    found = best_threshold(target, probability, Rule(criterion))
    assert score(found) == pytest.approx(max(score(threshold) for threshold in np.linspace(0, 1.1, 111)))


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_has_a_better_f_beta(beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 60).astype(float)
    probability = np.round(rng.random(60) * 0.7 + target * 0.3, 1)
    found = best_threshold(target, probability, Rule("fbeta", beta=beta))
    best = max(fbeta_score(target, probability >= threshold, beta=beta) for threshold in np.linspace(0, 1, 101))
    assert fbeta_score(target, probability >= found, beta=beta) == pytest.approx(best)


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_higher_threshold_reaches_the_sensitivity(wanted: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random(70) < 0.4).astype(float)
    probability = np.round(rng.random(70) * 0.8 + target * 0.2, 2)
    found = best_threshold(target, probability, Rule("sensitivity", sensitivity=wanted))
    assert recall_score(target, probability >= found) >= wanted
    for threshold in np.unique(probability)[np.unique(probability) > found][1:]:
        assert recall_score(target, probability >= threshold) < wanted


def test_one_class_gives_a_half_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    target = np.array([[1, 0], [0, 0]], float)
    probability = np.array([[0.8, 0.3], [0.4, 0.2]])
    with caplog.at_level(logging.WARNING):
        found = choose_thresholds(target, probability, np.arange(2), ["MI", "AF"], Rule("f1", min_positives=0))
    assert [found[name].value for name in ("MI", "AF")] == pytest.approx([0.6, 0.5])
    assert [found[name].rule for name in ("MI", "AF")] == ["sweep", "default"]
    assert caplog.messages == ["label AF: the validation split has only one class; its threshold is 0.5"]


@pytest.mark.parametrize(
    ("criterion", "positives", "missing"),  # the share of what is possible that a sweep misses at least
    [("f1", 1, 0.3), ("f1", 2, 0.15), ("youden", 1, 0.3), ("sensitivity", 1, 0.3)],
)
def test_a_few_positives_are_not_all_there_are(criterion: str, positives: int, missing: float) -> None:
    swept, smoothed, best = compare(criterion, positives, 60, seed=1)
    assert swept < (1 - missing) * best
    assert best - smoothed < 0.62 * (best - swept)


def test_smoothed_below_the_configured_number_of_positive_patients() -> None:
    target, probability = simulate(12, np.random.default_rng(1))
    patients = np.arange(2000) // 2  # six positive patients of two recordings each
    found = {
        least: choose_threshold(target, probability, patients, Rule("f1", min_positives=least)) for least in (6, 7)
    }
    assert [(one.rule, one.positives) for one in found.values()] == [("sweep", 6), ("smoothed", 6)]
    assert found[6].value == best_threshold(target, probability, Rule("f1"))
    width = np.std(logit(probability[target == 0])) * 6**-0.2
    assert found[7].value == best_threshold(target, probability, Rule("f1"), width=float(width))


def test_interval_of_a_threshold() -> None:
    """It lies around the value, is narrower the more patients there are, and copies of recordings are no patients."""
    rng, widths = np.random.default_rng(2), []
    for positives, count in ((30, 300), (300, 3000)):
        target, probability = simulate(positives, rng, count)
        found = choose_threshold(target, probability, np.arange(count), Rule("f1"))
        assert found.ci_low <= found.value <= found.ci_high
        widths.append(found.ci_high - found.ci_low)
        copies = [np.repeat(values, 4) for values in (target, probability, np.arange(count))]
        often = choose_threshold(*copies, Rule("f1"))
        assert (often.ci_low, often.ci_high) == pytest.approx((found.ci_low, found.ci_high))
    assert widths[1] < 0.6 * widths[0]
    assert choose_threshold(np.zeros(4), np.arange(4) / 4, np.arange(4), Rule("f1")).ci_low is None


def test_what_model_json_says_of_a_threshold() -> None:
    rule = Rule("f1", min_positives=1)
    found = choose_threshold(np.array([0.0, 1.0]), np.array([0.25, 0.75]), np.arange(2), rule, resamples=0)
    whole = {"value": 0.5, "ci_low": None, "ci_high": None, "positives": 1, "rule": "sweep"}
    assert found.describe() == whole


def test_probabilities_of_exactly_0_and_1_have_log_odds_too() -> None:
    target = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    probability = np.array([0.0, 1.0, 1.0, 0.2, 0.6, 0.4])
    exact, near = (
        choose_threshold(target, values, np.arange(6), Rule("f1"))
        for values in (probability, probability.clip(1e-9, 1 - 1e-9))
    )
    assert exact.rule == "smoothed"
    assert [exact.value, exact.ci_low, exact.ci_high] == pytest.approx(
        [near.value, near.ci_low, near.ci_high], abs=1e-8
    )
