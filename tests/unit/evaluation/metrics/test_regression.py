"""Errors of quantities against scikit-learn and scipy, and where they are not defined."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from scipy.stats import t as student
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics.bootstrap import PatientWeights
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.regression import RegressionPredictions, regression_metrics


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
    values = regression_metrics(target, prediction, weight_nr)
    for r in range(6):
        rows = np.repeat(np.arange(80), weight_nr[:, r].astype(int))
        one = {name: value[r] for name, value in values.items()}
        assert one == pytest.approx(expected(target[rows], prediction[rows]), rel=1e-6)


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


def test_weightings_of_one_record_and_of_none():
    # errors of 0.5 and 2; halves count, and of no weight at all there is no error
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = regression_metrics(np.array([1.0, 4]), np.array([1.5, 2]), np.array([[0.5, 0, 0, 1], [0, 0, 1, 1]]))
    nan = np.nan
    np.testing.assert_allclose(values["mae"], [0.5, nan, 2, 1.25])
    np.testing.assert_allclose(values["rmse"], [0.5, nan, 2, np.sqrt(4.25 / 2)])
    # the mean 2.5 is 1.5 away from both: 1 - 4.25 / 4.5; two points lie on a line
    np.testing.assert_allclose(values["r2"], [nan, nan, nan, 1 - 4.25 / 4.5])
    np.testing.assert_allclose(values["pearson"], [nan, nan, nan, 1])
    one = regression_metrics(np.array([3.0]), np.array([5.0]), np.ones((1, 1)))
    assert (one["mae"][0], one["rmse"][0]) == (2, 2)
    none = regression_metrics(np.zeros(0), np.zeros(0), np.ones((0, 3)))
    assert [value.shape for value in none.values()] == [(3,)] * 4


def test_a_correlation_is_never_beyond_one():
    for seed in range(20):  # rounding alone gives 1.0000000000000002
        truth = np.random.default_rng(seed).normal(size=7)
        up, down = (regression_metrics(truth, told, np.ones((7, 1)))["pearson"][0] for told in (3 * truth, -3 * truth))
        assert up <= 1
        assert down >= -1
        assert (up, down) == pytest.approx((1, -1))


def test_deviations_are_known_in_any_unit():
    # the same heights in kilometres: their variance, 1e-12, is no rounding
    truth = np.array([1.0, 2, 4]) * 1e-6
    values = regression_metrics(truth, truth[::-1].copy(), np.ones((3, 1)))
    assert values["r2"][0] == pytest.approx(r2_score([1, 2, 4], [4, 2, 1]))


def test_no_group_of_records_is_needed_and_what_else_is_undefined_is_called_so():
    data = RegressionPredictions(["x"], np.array([[1.0], [2]]), np.array([[1.0], [2]]), np.array(["a", "b"]))
    assert (data.needed(0).shape, data.needed(0).dtype) == ((0, 2), np.dtype(bool))
    assert [data.reason(metric, 0) for metric in ("r2", "pearson")] == ["undefined", "all predictions are equal"]


def test_the_test_split_of_a_table_is_read():
    table = pd.DataFrame(
        {"split": ["train", "test", "test"], "patient_id": ["a", "b", "c"],
         "true.x": [1.0, 2, 4], "pred.x": [9.0, 3, 4], "true.y": [5.0, 6, 7], "pred.y": [8.0, 7, 6]}
    )  # fmt: skip
    kind = KINDS["regression"]
    table = table.rename(
        columns=lambda name: name.replace("true.", f"{kind.truth[0]}.").replace("pred.", f"{kind.output}.")
    )
    data, more = RegressionPredictions.read(table, kind, ["y", "x"], EvaluateConfig())
    assert (data.names, data.patients.tolist(), more) == (["y", "x"], ["b", "c"], {})
    assert data.patients.dtype.kind == "U"
    assert data.targets.tolist() == [[6, 2], [7, 4]]
    assert data.predictions.tolist() == [[7, 3], [6, 4]]
    # errors of 1 and 0: their mean is 1/2, from which each is 1/2 away, of two records
    value, parts = data.influence(1)["mae"]
    assert (value, parts.tolist()) == (0.5, [0.25, -0.25])
    # the mean of train is 2: errors 0 and 2 of the test records, whose own mean is 3
    said = RegressionPredictions.constant(np.array([1.0, 3]), np.array([2.0, 4]))
    assert said == pytest.approx({"mae": 1, "rmse": np.sqrt(2), "r2": 1 - 4 / 2})
