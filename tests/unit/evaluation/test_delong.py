"""DeLong's covariance: a case by hand, the definition pair by pair, and the size of the test."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.evaluation.delong import delong, delong_p


def test_by_hand() -> None:
    target = np.array([1, 1, 0, 0])
    scores = np.array([[0.8, 0.4, 0.5, 0.3], [0.9, 0.2, 0.5, 0.2]])
    areas, covariance = delong(target, scores)
    # shares of negatives below the positives: 1, 1/2 and 1, 1/4; of positives above the negatives: 1/2, 1 and 1/2, 3/4
    np.testing.assert_allclose(areas, [0.75, 0.625])
    np.testing.assert_allclose(covariance, [[0.125, 0.125], [0.125, 0.15625]])
    # z = 0.125 / sqrt(0.125 + 0.15625 - 0.25) = 0.7071
    assert delong_p(target, scores, np.array([1, -1])) == pytest.approx(0.4795001)


def test_by_definition_with_ties() -> None:
    rng = np.random.default_rng(0)
    target = np.r_[np.ones(13), np.zeros(29)]
    scores = np.round(rng.normal(size=(3, 42)) + target, 1)
    positive, negative = scores[:, :13], scores[:, 13:]
    pairs = (positive[:, :, None] > negative[:, None]) + 0.5 * (positive[:, :, None] == negative[:, None])
    expected = np.cov(pairs.mean(2)) / 13 + np.cov(pairs.mean(1)) / 29
    areas, covariance = delong(target, scores)
    np.testing.assert_allclose(areas, [roc_auc_score(target, score) for score in scores])
    np.testing.assert_allclose(covariance, expected, rtol=1e-12)
    order = rng.permutation(42)
    np.testing.assert_allclose(delong(target[order], scores[:, order])[1], expected, rtol=1e-12)


def test_equal_models_differ_as_often_as_the_test_says() -> None:
    rng = np.random.default_rng(1)
    target = np.r_[np.ones(60), np.zeros(120)]
    shared = rng.normal(size=(400, 1, 180)) + target
    p = [delong_p(target, scores, np.array([1, -1])) for scores in shared + rng.normal(size=(400, 2, 180))]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.045)  # three standard errors


def test_two_seeds_are_compared_by_their_mean() -> None:
    rng = np.random.default_rng(2)
    target = np.r_[np.ones(20), np.zeros(30)]
    scores = rng.normal(size=(2, 50)) + target
    pair = delong_p(target, scores, np.array([1, -1]))
    assert delong_p(target, scores[[0, 0, 1, 1]], np.array([0.5, 0.5, -0.5, -0.5])) == pytest.approx(pair)


def test_what_has_no_answer() -> None:
    scores = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    difference = np.array([1, -1])
    assert np.isnan(delong(np.zeros(3), scores)[0]).all()
    assert np.isnan(delong_p(np.array([0, 0, 1]), scores, difference))
    assert np.isnan(delong_p(np.array([0, 0, 1, 1]), np.array([[1, 2, 3, 4], [4, 3, 2, 1]]), difference))
    assert delong_p(np.array([0, 1, 1, 0]), np.array([[1, 2, 3, 4]] * 2), difference) == 1.0
