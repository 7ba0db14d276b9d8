"""Temperatures that were planted are found again; scikit-learn's logistic regression is another way to them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecglfm.models.calibration import BOUNDS, fit_calibration


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def overconfident(temperatures: list[float], n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, len(temperatures)))
    return (rng.random(logits.shape) < sigmoid(logits)).astype(float), sigmoid(logits * temperatures)


def test_planted_temperatures_are_found():
    target, probability = overconfident([2.0, 0.5])
    found = fit_calibration(target, probability, "temperature_per_label", exclusive=False)
    np.testing.assert_allclose(found.temperatures, [2.0, 0.5], rtol=0.08)
    logit = np.log(probability / (1 - probability))
    for label in range(2):
        fit = LogisticRegression(C=1e12, fit_intercept=False).fit(logit[:, [label]], target[:, label])
        assert found.temperatures[label] == pytest.approx(1 / fit.coef_[0, 0], rel=1e-3)
    together = fit_calibration(target[:, :1], probability[:, :1], "temperature", exclusive=False)
    assert together.temperatures == pytest.approx(found.temperatures[:1])
    np.testing.assert_allclose(together.apply(probability[:, :1]), sigmoid(logit[:, :1] / together.temperatures))


def test_one_temperature_for_a_multiclass_model():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (4000, 3))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = np.eye(3)[(share.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)]
    sharp = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    found = fit_calibration(target, sharp, "temperature_per_label", exclusive=True)
    np.testing.assert_allclose(found.temperatures, 2.0, rtol=0.08)
    np.testing.assert_allclose(found.apply(sharp).sum(axis=1), 1)
    np.testing.assert_allclose(found._replace(temperatures=np.full(3, 2.0)).apply(sharp), share, atol=1e-5)


def test_unknown_labels_do_not_count_and_a_perfect_model_ends_at_the_bound():
    target, probability = overconfident([2.0])
    more = np.concatenate([target, np.full((500, 1), np.nan)]), np.concatenate([probability, np.full((500, 1), 0.99)])
    both = [
        fit_calibration(*pair, "temperature", exclusive=False).temperatures for pair in ((target, probability), more)
    ]
    assert both[0] == pytest.approx(both[1])
    assert (
        fit_calibration(np.full((3, 2), np.nan), np.full((3, 2), 0.2), "temperature", exclusive=False).temperatures[0]
        == 1
    )
    perfect = fit_calibration(np.array([[1.0], [0]]), np.array([[0.7], [0.2]]), "temperature", exclusive=False)
    assert perfect.temperatures[0] == pytest.approx(BOUNDS[0], rel=1e-3)
    assert np.isfinite(perfect.apply(np.array([[0.0], [1.0]]))).all()


def test_none_is_no_calibration():
    assert fit_calibration(*overconfident([2.0], n=10), "none", exclusive=False) is None
