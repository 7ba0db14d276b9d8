"""Errors of quantities and correlations against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from ecglfm.evaluation.metrics.quantity_metrics import quantity_metrics


def expected(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    return {
        "mae": mean_absolute_error(target, prediction),
        "rmse": root_mean_squared_error(target, prediction),
        "r2": r2_score(target, prediction),
        "pearson": pearsonr(target, prediction)[0],
    }


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_equal_to_scikit_learn_under_any_weights(offset: float):
    rng = np.random.default_rng(0)
    target = offset + rng.normal(60, 15, 80).round()
    prediction = 0.5 * target + 0.5 * offset + 30 + rng.normal(0, 8, 80)
    weight_nr = rng.integers(0, 4, (80, 6)).astype(float)
    values = quantity_metrics(target, prediction, weight_nr)
    for r in range(6):
        rows = np.repeat(np.arange(80), weight_nr[:, r].astype(int))
        one = {name: value[r] for name, value in values.items()}
        assert one == pytest.approx(expected(target[rows], prediction[rows]), rel=1e-6)


def test_what_does_not_vary_has_no_correlation_and_nobody_no_error() -> None:
    found = quantity_metrics(
        np.array([1.0, 1, 4]), np.array([2.0, 2, 2]), np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0.0]])
    )
    np.testing.assert_allclose(found["mae"], [4 / 3, 1, np.nan])
    np.testing.assert_allclose(found["rmse"], [2**0.5, 1, np.nan])
    np.testing.assert_allclose(found["r2"], [0, np.nan, np.nan])  # the mean of 1, 1, 4 is what is said
    assert np.isnan(found["pearson"]).all()
