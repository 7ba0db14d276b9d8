"""Predictions of quantities: their summary, and where metrics are not defined."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr
from scipy.stats import t as student
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from ecglfm.evaluation.metrics.bootstrap import PatientWeights
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.regression import RegressionPredictions


def expected(target: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    return {
        "mae": mean_absolute_error(target, prediction),
        "rmse": root_mean_squared_error(target, prediction),
        "r2": r2_score(target, prediction),
        "pearson": pearsonr(target, prediction)[0],
    }


def test_summary_leaves_out_the_unknown_and_says_what_is_undefined():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(50, 4))
    predicted = truth + rng.normal(size=(50, 4))
    truth[:10, 0], truth[:, 1], truth[:, 2], predicted[:, 3] = np.nan, np.nan, 7.0, 1.0
    patients = np.repeat(np.arange(25), 2).astype(str)
    data = RegressionPredictions(["age", "none", "same", "flat"], truth, predicted, patients)
    summary = summarize(data, resamples=60, confidence=0.9, seed=3, min_patients=1)
    labels = summary["labels"]
    one = expected(truth[10:, 0], predicted[10:, 0])
    assert {name: entry["value"] for name, entry in labels["age"].items()} == pytest.approx(one)
    drawn = PatientWeights(patients, 3)(np.arange(60))[10:]
    maes = (np.abs(truth[10:, 0] - predicted[10:, 0]) @ drawn) / drawn.sum(axis=0)
    # 20 patients have an age: Student's interval of the logarithm, by hand
    margin = np.exp(student.ppf(0.95, 19) * np.log(maes).std(ddof=1) * np.sqrt(20 / 19))
    ends = (labels["age"]["mae"]["ci_low"], labels["age"]["mae"]["ci_high"])
    assert ends == pytest.approx((one["mae"] / margin, one["mae"] * margin))
    assert labels["none"]["mae"] == {
        "value": None, "ci_low": None, "ci_high": None, "reason": "no test record with a known label"
    }  # fmt: skip
    assert labels["same"]["mae"]["value"] is not None
    assert labels["same"]["r2"]["reason"] == "all known values of the test records are equal"
    assert labels["flat"]["pearson"]["reason"] == "all predictions are equal"
    assert "micro" not in summary
    assert data.describe()["n"] == {"known": {"age": 40, "none": 0, "same": 50, "flat": 50}}
