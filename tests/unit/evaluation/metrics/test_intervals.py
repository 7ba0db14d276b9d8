"""Intervals against values from the literature and by hand, and how often they hold a planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.intervals import (
    SCALES,
    calibration_error_interval,
    mean_interval,
    scaled_interval,
    score_interval,
)
from ecglfm.evaluation.metrics.regression import RegressionPredictions

SETTINGS = {"resamples": 200, "confidence": 0.95, "seed": 0, "min_patients": 5}


@pytest.mark.parametrize(
    ("positive", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(positive: int, of: int, low: float, high: float) -> None:
    # Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3
    share = positive / of
    found = score_interval(share, share * (1 - share) / of, (of,), 0.95)
    assert found == pytest.approx((low, high), abs=5e-5)
    assert score_interval(1 - share, share * (1 - share) / of, (of,), 0.95) == pytest.approx(
        (1 - high, 1 - low), abs=5e-5
    )


@pytest.mark.parametrize(("area", "m", "n"), [(0.8, 5, 295), (0.95, 3, 40), (1.0, 5, 295), (0.0, 2, 9), (0.5, 30, 30)])
def test_an_area_has_newcombes_interval(area: float, m: int, n: int) -> None:
    """All areas t with |found - t| <= z sqrt(V(t)), V of method 5, as R's auRoc computes it."""
    t, star = np.linspace(0, 1, 200001), (m + n) / 2 - 1
    variance = t * (1 - t) * (1 + star * (1 - t) / (2 - t) + star * t / (1 + t)) / (m * n)
    held = t[np.abs(area - t) <= 1.959964 * np.sqrt(variance)]
    # nothing is known of the variance but the formula
    assert score_interval(area, 0.0, (m, n), 0.95) == pytest.approx((held.min(), held.max()), abs=1e-5)


def test_what_resamples_say_of_the_variance_counts_the_more_the_more_patients_there_are() -> None:
    widths = []
    for patients in (5, 500):
        plain = 0.5 * 0.5 / patients
        one, four = (score_interval(0.5, times * plain, (patients,), 0.95) for times in (1, 4))
        widths.append((four[1] - four[0]) / (one[1] - one[0]))
    # a variance four times as large: believed by half among 5 patients, and by nearly all among 500, of twice the width
    assert widths[0] < 1.4
    assert widths[1] == pytest.approx(2, abs=0.03)


def test_nobody_called_has_no_interval() -> None:
    assert score_interval(0.5, 0.1, (0,), 0.95) is None


def test_a_mean_of_labels() -> None:
    values, low, high = np.array([0.5, 0.9]), np.array([0.4, 0.6]), np.array([0.6, 0.94])
    one, other = 0.01 * np.array([1.0, -1.0, 1.0, -1.0]), 0.01 * np.array([1.0, 1.0, -1.0, -1.0])
    many = np.array([1000, 1000])
    # by hand: independent labels add squares, labels that move together add margins
    apart = mean_interval(values, low, high, np.stack([one, other]), many, 1.96)
    assert apart == pytest.approx((0.7 - np.hypot(0.1, 0.3) / 2, 0.7 + np.hypot(0.1, 0.04) / 2))
    assert mean_interval(values, low, high, np.stack([one, one]), many, 1.96) == pytest.approx((0.5, 0.77))
    assert mean_interval(values[:1], low[:1], high[:1], one[None], many[:1], 1.96) == pytest.approx((0.4, 0.6))
    # resamples that vary by more than the upper ends allow: by 0.03^2 4 / 3, of two patients twice that
    apart = mean_interval(values, low, high, 3 * np.stack([one, other]), np.array([2, 2]), 1.96)
    assert apart[1] == pytest.approx(0.7 + 1.96 * np.sqrt(2 * 2 * 0.0009 * 4 / 3) / 2)


def test_calibration_error_of_one_gap_by_hand() -> None:
    # one bin with a gap of 0.1 and noise of -0.02, 0, 0.02: the sum |0.1 f + noise| has the median 0.1 f
    gaps, noise = np.array([[0.1]]), np.array([[[-0.02, 0.0, 0.02]]])
    value, low, high = calibration_error_interval(gaps, noise, 0.999999)
    assert (value, low, high) == pytest.approx((0.1, 0.08, 0.12), abs=1e-6)
    # calibrated probabilities would often show as much: nothing of it is sure
    value, low, high = calibration_error_interval(gaps, 10 * noise, 0.95)
    assert (value, low) == (0, 0)
    assert high > 0


def test_a_perfect_area_of_few_is_not_certain_and_labels_of_fewer_have_no_interval() -> None:
    target = np.zeros((60, 3))
    for label, positives in enumerate((6, 4, 30)):
        target[:positives, label] = 1
    scores = np.clip(target * 0.6 + np.linspace(0.01, 0.3, 60)[:, None], 0, 1)
    data = Predictions(["six", "four", "thirty"], target, scores, np.full((60, 3), 0.5), np.arange(60).astype(str))
    summary = summarize(data, **SETTINGS)
    six, four = (summary["labels"][name]["auroc"] for name in ("six", "four"))
    assert (six["value"], six["ci_high"]) == (1, 1)
    assert 0.6 < six["ci_low"] < 0.85  # a percentile of resamples would be 1
    assert four == {
        "value": 1.0,
        "ci_low": None,
        "ci_high": None,
        "reason": "too few: 4 positive patients, 5 are wanted",
    }
    for metric in ("auroc", "ppv", "ece"):
        assert summary["macro"][metric]["labels"] == ["six", "thirty"]
    nothing = summarize(data, **(SETTINGS | {"min_patients": 31}))["macro"]["auroc"]
    assert nothing == {
        "value": None, "ci_low": None, "ci_high": None, "labels": [],
        "reason": "too few: no label has the 31 patients that it needs",
    }  # fmt: skip


def test_a_calibration_error_lies_in_its_interval_and_is_small_where_there_is_none() -> None:
    rng, values = np.random.default_rng(0), []
    for seed in range(20):
        p = rng.beta(1, 3, 300)
        target = (rng.random(300) < p).astype(float)
        data = Predictions(["x"], target[:, None], p[:, None], np.full((300, 1), 0.5), np.arange(300).astype(str))
        for section in (summarize(data, **SETTINGS | {"seed": seed})[part] for part in ("macro", "micro")):
            entry = section["ece"]
            assert entry["ci_low"] <= entry["value"] <= entry["ci_high"]
            assert entry["ci_low"] < 0.02
        values.append(entry["value"])
    assert np.mean(values) < 0.02  # the plain sum of gaps is 0.06


def of_quantities(patients: int, seed: int, correlation: float = 0.5) -> RegressionPredictions:
    """Predictions that follow the truth as well as is said, one recording a patient."""
    rng = np.random.default_rng(seed)
    truth, noise = rng.normal(size=(2, patients, 1))
    told = correlation**2 * truth + correlation * np.sqrt(1 - correlation**2) * noise
    return RegressionPredictions(["x"], truth, told, np.arange(patients).astype(str))


def test_errors_and_correlations_of_ten_patients_hold_the_truth() -> None:
    # percentiles of resamples hold it in 82 to 88 %; 95 % is wanted, fewer than 87 of 100 has a chance of 0.1 %
    truth = {"mae": np.sqrt(0.75 * 2 / np.pi), "rmse": np.sqrt(0.75), "r2": 0.25, "pearson": 0.5}
    held = dict.fromkeys(truth, 0)
    for seed in range(100):
        entries = summarize(of_quantities(10, seed), **SETTINGS | {"resamples": 100})["labels"]["x"]
        for name, value in truth.items():
            held[name] += entries[name]["ci_low"] <= value <= entries[name]["ci_high"]
    assert min(held.values()) >= 87


def test_a_correlation_has_fishers_interval_where_resamples_agree() -> None:
    # Fisher's standard error is 1 / sqrt(n - 3); resamples that vary so, and 200 patients
    scaled = np.array([-1.0, 1.0]) / np.sqrt(2) / np.sqrt(197)
    low, high = scaled_interval(0.6, np.tanh(np.arctanh(0.6) + scaled), SCALES["pearson"], 200, 0.95)
    assert (low, high) == pytest.approx((0.502, 0.682), abs=2e-3)
    assert scaled_interval(1.0, np.ones(5), SCALES["pearson"], 200, 0.95) is None


def test_quantities_of_too_few_patients_have_no_interval() -> None:
    entry = summarize(of_quantities(4, 0), **SETTINGS)
    few = entry["labels"]["x"]["mae"]
    assert (few["ci_low"], few["reason"]) == (None, "too few: 4 patients whose truth is known, 5 are wanted")
    assert entry["macro"]["mae"]["reason"] == "too few: no label has the 5 patients that it needs"
