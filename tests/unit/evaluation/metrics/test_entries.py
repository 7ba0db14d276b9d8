"""The numbers of metrics.json: values, intervals, and what has none."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.catalogue import all_metrics
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import entry_of, summarize
from ecglfm.evaluation.metrics.intervals import score_interval
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.regression import RegressionPredictions

SETTINGS = {"resamples": 200, "confidence": 0.95, "seed": 0, "min_patients": 5}

METRICS = all_metrics()


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


def test_quantities_of_too_few_patients_have_no_interval() -> None:
    entry = summarize(of_quantities(4, 0), **SETTINGS)
    few = entry["labels"]["x"]["mae"]
    assert (few["ci_low"], few["reason"]) == (None, "too few: 4 patients whose truth is known, 5 are wanted")
    assert entry["macro"]["mae"]["reason"] == "too few: no label has the 5 patients that it needs"


def test_an_average_precision_reaches_down_by_twice_what_resamples_have_more() -> None:
    """Found 0.5; resamples 0.6 on average: 0.2 lower than the interval of a proportion."""
    resampled = np.linspace(0.5, 0.7, 101)
    plain = entry_of(METRICS["auroc"], 0.5, resampled, (10, 90), 0.95)
    reaching = entry_of(METRICS["auprc"], 0.5, resampled, (10, 90), 0.95)
    assert reaching["ci_high"] == plain["ci_high"]
    assert reaching["ci_low"] == pytest.approx(max(0.0, plain["ci_low"] - 0.2), abs=1e-6)


def test_percentiles_where_nothing_is_known_of_the_patients() -> None:
    resampled = np.append(np.linspace(0, 1, 101), np.nan)
    entry = entry_of(METRICS["challenge_metric"], 0.5, resampled, None, 0.9)
    assert entry == {"value": 0.5, "ci_low": 0.05, "ci_high": 0.95}
    none = entry_of(METRICS["auroc"], 0.5, np.full(3, np.nan), (5, 5), 0.95)
    assert (none["value"], none["ci_low"], none["ci_high"]) == (0.5, None, None)
    assert none["reason"]


def test_a_metric_that_may_be_negative_and_has_no_scale_has_percentiles() -> None:
    """As a share of patients it would have no width below 0."""
    resampled = np.linspace(-0.5, 0.1, 601)
    metric = Metric(name="kappa", title="Kappa", of=np.asarray, range=(-1.0, 1.0))
    found = entry_of(metric, -0.2, resampled, (50,), 0.95)
    assert found == {"value": -0.2, "ci_low": pytest.approx(-0.485), "ci_high": pytest.approx(0.085)}


def test_rounding_below_0_is_still_an_area() -> None:
    """Resamples of -4e-16, as an AUC over time has them, had made its interval percentiles."""
    resampled = np.linspace(-4e-16, 0.4, 201)
    found = entry_of(METRICS["td_auc"], 0.2, resampled, (10, 90), 0.95)
    wanted = score_interval(0.2, float(resampled.var(ddof=1)), (10, 90), 0.95)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(wanted)


def test_a_macro_value_is_the_mean_over_the_labels_that_count() -> None:
    """The third label has one positive patient in two recordings: a value, but no part in the mean."""
    target = np.zeros((40, 3))
    target[::2, 0] = target[:10, 1] = target[:2, 2] = 1
    score = np.linspace(0.9, 0.1, 40)[:, None].repeat(3, axis=1)
    patients = np.array(["p0", "p0", *(f"p{number}" for number in range(2, 40))])
    data = Predictions(["half", "first", "one"], target, score, np.full((40, 3), 0.5), patients)
    found = summarize(data, resamples=20, confidence=0.95, seed=0, min_patients=2)
    values = {name: found["labels"][name]["auroc"]["value"] for name in data.names}
    assert values["half"] == pytest.approx((20 * 21 / 2) / 400)  # the k-th of 20 positives is above 21 - k negatives
    assert (values["first"], values["one"]) == (1.0, 1.0)
    assert found["macro"]["auroc"]["labels"] == ["half", "first"]
    assert found["macro"]["auroc"]["value"] == pytest.approx((values["half"] + 1) / 2)
    assert found["labels"]["one"]["auroc"]["reason"] == "too few: 1 positive patient, 2 are wanted"
    alone = summarize(data, resamples=20, confidence=0.95, seed=0, min_patients=30)
    assert alone["macro"]["auroc"]["value"] is None
    assert alone["macro"]["auroc"]["reason"] == "too few: no label has the 30 patients that it needs"
