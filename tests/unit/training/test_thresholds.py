"""Thresholds against numbers worked out by hand and against a brute-force sweep."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.metrics import f1_score, fbeta_score, recall_score

from ecglfm.training.thresholds import best_threshold, choose_thresholds

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
    found = best_threshold(np.array(target, float), np.array(probability, np.float32), criterion)
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

    found = best_threshold(target, probability, criterion)
    assert score(found) == pytest.approx(max(score(threshold) for threshold in np.linspace(0, 1.1, 111)))


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_has_a_better_f_beta(beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 60).astype(float)
    probability = np.round(rng.random(60) * 0.7 + target * 0.3, 1)
    found = best_threshold(target, probability, "fbeta", beta=beta)
    best = max(fbeta_score(target, probability >= threshold, beta=beta) for threshold in np.linspace(0, 1, 101))
    assert fbeta_score(target, probability >= found, beta=beta) == pytest.approx(best)


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_higher_threshold_reaches_the_sensitivity(wanted: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random(70) < 0.4).astype(float)
    probability = np.round(rng.random(70) * 0.8 + target * 0.2, 2)
    found = best_threshold(target, probability, "sensitivity", sensitivity=wanted)
    assert recall_score(target, probability >= found) >= wanted
    for threshold in np.unique(probability)[np.unique(probability) > found][1:]:
        assert recall_score(target, probability >= threshold) < wanted


def test_one_class_gives_a_half_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    target = np.array([[1, 0], [0, 0]], float)
    probability = np.array([[0.8, 0.3], [0.4, 0.2]])
    with caplog.at_level(logging.WARNING):
        assert choose_thresholds(target, probability, ["MI", "AF"], "f1") == pytest.approx([0.6, 0.5])
    assert ["label AF" in message for message in caplog.messages] == [True]
