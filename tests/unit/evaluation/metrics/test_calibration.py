"""Temperatures that were planted are found again; scikit-learn's logistic regression is another way to them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecglfm.evaluation.metrics.calibration import BOUNDS, Calibration, fit_calibration


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


def test_the_likeliest_temperature_by_hand():
    # 3 of 4 records of probability 0.9 are true: calibrated they have 0.75, whose log odds are half those of 0.9
    target, probability = np.array([[1.0], [1], [1], [0]]), np.full((4, 1), 0.9)
    for method in ("temperature", "temperature_per_label"):
        found = fit_calibration(target, probability, method, exclusive=False)
        assert found.exclusive is False
        assert found.temperatures == pytest.approx([np.log(9) / np.log(3)], abs=1e-5)
        assert found.apply(probability[:1])[0, 0] == pytest.approx(0.75, abs=1e-5)


def test_the_likeliest_temperature_of_classes_by_hand():
    # 2 of 3 records are of the class that gets 0.8, one of the next: of odds 8 : 1 : 1 to the power 1/T the likeliest
    # has 8^(1/T) / (8^(1/T) + 2) = 2/3, so 8^(1/T) = 4 and T = 3/2
    target, told = np.eye(3)[[0, 0, 1]], np.tile([0.8, 0.1, 0.1], (3, 1))
    found = fit_calibration(target, told, "temperature", exclusive=True)
    assert found.exclusive is True
    assert found.temperatures == pytest.approx([1.5] * 3, abs=1e-5)
    assert found.apply(told[:1])[0] == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=1e-5)


def test_certain_classes_and_small_temperatures_stay_finite():
    # log odds of 16 over a temperature of 0.05 are 322: exp of it is near the end of what a float holds, of twice it not
    told = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    sharp = Calibration(np.full(3, 0.02), True).apply(told)
    np.testing.assert_allclose(sharp, told, atol=1e-12)
    assert Calibration(np.ones(1), False).apply(np.array([[0.0], [1.0]]))[:, 0] == pytest.approx([1e-7, 1 - 1e-7])


def test_a_certain_model_that_errs_has_a_temperature():
    target, probability = np.array([[1.0], [1], [0], [1]]), np.array([[1.0], [1], [1], [0]])
    with np.errstate(all="raise"):
        found = fit_calibration(target, probability, "temperature", exclusive=False)
    assert found.temperatures == pytest.approx(BOUNDS[1:], rel=1e-3)  # half of what it is certain of is wrong
