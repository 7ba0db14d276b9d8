"""Bootstrap intervals: patients are the unit, lacking classes are redrawn, coverage is as promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from ecglfm.evaluation.metrics import bootstrap
from ecglfm.evaluation.metrics.bootstrap import PatientWeights, interval, paired_bootstrap, resampled_values
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.intervals import score_interval
from ecglfm.evaluation.metrics.label import CLASS_METRICS

AUROC = CLASS_METRICS.index("auroc")


def make(n: int = 120, labels: int = 2, seed: int = 0, separation: float = 1.0) -> Predictions:
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, labels)) < 0.4).astype(float)
    score = rng.normal(size=(n, labels)) + separation * targets
    names = [f"l{i}" for i in range(labels)]
    return Predictions(names, targets, 1 / (1 + np.exp(-score)), np.full((n, labels), 0.5), np.arange(n).astype(str))


def test_weights_count_patients_not_records():
    patients = np.array(["b", "a", "b", "c", "b"])
    weight_nr = PatientWeights(patients, seed=3)(np.arange(200))
    np.testing.assert_array_equal(weight_nr[0], weight_nr[2])
    np.testing.assert_array_equal(weight_nr[0], weight_nr[4])
    # three patients are drawn each time, so b, a and c together count three
    np.testing.assert_array_equal(weight_nr[[0, 1, 3]].sum(axis=0), 3)
    assert weight_nr[0].mean() == pytest.approx(1, abs=0.2)


def test_a_resample_is_scored_as_the_resampled_records_are():
    data = make(n=80)
    patients = np.repeat(np.arange(40), 2).astype(str)
    data = replace(data, patients=patients)
    values = resampled_values(data, 20, seed=1)
    weight_nr = PatientWeights(patients, seed=1)(np.arange(20))
    for r in range(20):
        rows = np.repeat(np.arange(80), weight_nr[:, r].astype(int))
        expected = roc_auc_score(data.targets[rows, 1], data.probabilities[rows, 1])
        assert values[1, AUROC, r] == pytest.approx(expected)


def test_a_lacking_class_is_redrawn():
    # one positive among 20 patients is missing from 36 % of the resamples; it scores above all negatives
    targets = np.zeros((20, 1))
    targets[0] = 1
    data = Predictions(
        ["rare"], targets, np.linspace(0.9, 0.1, 20)[:, None], np.full((20, 1), 0.5), np.arange(20).astype(str)
    )
    assert (PatientWeights(data.patients, 0)(np.arange(300))[0] == 0).sum() > 80
    values = resampled_values(data, 300, seed=0)[0, AUROC]
    np.testing.assert_array_equal(values, 1.0)


def test_blocks_and_other_labels_change_nothing(monkeypatch: pytest.MonkeyPatch):
    data = make(n=30, labels=3)
    data.targets[:, 0] = 0
    data.targets[4, 0] = 1  # redrawn in a third of the resamples, before the others are looked at
    whole = resampled_values(data, 50, seed=5)
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 30 * 8 * 7)
    for label in range(3):
        one = slice(label, label + 1)
        alone = replace(
            data,
            names=data.names[one],
            targets=data.targets[:, one],
            probabilities=data.probabilities[:, one],
            thresholds=data.thresholds[:, one],
        )
        np.testing.assert_allclose(whole[one], resampled_values(alone, 50, seed=5), rtol=1e-12)


def test_summary_has_the_shape_of_metrics_json():
    data = make(labels=3)
    data.targets[:, 1] = 0  # never positive
    data.targets[:40, 2] = np.nan  # not known in a source
    summary = summarize(data, resamples=200, confidence=0.95, seed=0, min_patients=1)
    assert summary["labels"]["l1"]["auroc"] == {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "reason": "no positive test record",
    }
    assert summary["labels"]["l1"]["specificity"]["value"] is not None
    known = [roc_auc_score(data.targets[start:, i], data.probabilities[start:, i]) for i, start in ((0, 0), (2, 40))]
    assert summary["labels"]["l2"]["auroc"]["value"] == pytest.approx(known[1])
    assert summary["macro"]["auroc"]["value"] == pytest.approx(np.mean(known))
    for entry in (summary["labels"]["l0"]["auroc"], summary["macro"]["auroc"], summary["macro"]["f1"]):
        assert entry["ci_low"] < entry["value"] < entry["ci_high"]
    again = summarize(data, resamples=200, confidence=0.95, seed=0, min_patients=1)
    assert again == summary
    assert summarize(data, resamples=200, confidence=0.95, seed=1, min_patients=1)["macro"] != summary["macro"]


def test_micro_is_of_all_pairs_of_record_and_label():
    data = make(n=90, labels=3)
    data.targets[:30, 1] = np.nan
    patients = np.repeat(np.arange(45), 2).astype(str)
    data = replace(data, patients=patients, thresholds=np.tile([0.3, 0.5, 0.7], (90, 1)))
    entry = summarize(data, resamples=40, confidence=0.9, seed=2, min_patients=1)["micro"]
    known = ~np.isnan(data.targets)
    called = data.probabilities >= data.thresholds
    assert entry["auroc"]["value"] == pytest.approx(roc_auc_score(data.targets[known], data.probabilities[known]))
    assert entry["f1"]["value"] == pytest.approx(f1_score(data.targets[known], called[known]))
    # the interval: by the variance of the same of the records as they were drawn
    weight_nr = PatientWeights(patients, seed=2)(np.arange(40)).astype(int)
    drawn = [np.repeat(np.arange(90), weight_nr[:, r]) for r in range(40)]
    areas = [roc_auc_score(data.targets[i][known[i]], data.probabilities[i][known[i]]) for i in drawn]
    ends = score_interval(entry["auroc"]["value"], np.var(areas, ddof=1), (45,), 0.9)
    assert (entry["auroc"]["ci_low"], entry["auroc"]["ci_high"]) == pytest.approx(ends)


def test_multiclass_is_also_judged_by_its_most_probable_class():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 200)
    logits = rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[truth]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    data = Predictions(
        ["a", "b", "c"],
        np.eye(3)[truth],
        probability,
        np.full((200, 3), 0.4),
        np.arange(200).astype(str),
        exclusive=True,
    )
    overall = summarize(data, resamples=50, confidence=0.9, seed=0, min_patients=1)["overall"]
    best = probability.argmax(axis=1)
    assert overall["accuracy"]["value"] == pytest.approx(accuracy_score(truth, best))
    assert overall["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(truth, best))
    assert overall["accuracy"]["ci_low"] < overall["accuracy"]["value"] < overall["accuracy"]["ci_high"]


def test_interval_is_the_percentile_and_needs_most_resamples():
    values = np.arange(101.0)
    assert interval(values, 0.9) == pytest.approx((5, 95))
    assert interval(np.append(values, np.nan), 0.9) == pytest.approx((5, 95))
    assert interval(np.append(values, np.full(200, np.nan)), 0.9) == (None, None)


def test_repeated_recordings_do_not_narrow_the_interval():
    data = make(n=100, labels=1)
    tenfold = Predictions(
        data.names,
        np.repeat(data.targets, 10, axis=0),
        np.repeat(data.probabilities, 10, axis=0),
        np.repeat(data.thresholds, 10, axis=0),
        np.repeat(data.patients, 10),
    )
    once, ten = (
        summarize(d, resamples=300, confidence=0.95, seed=0, min_patients=1)["macro"]["auroc"] for d in (data, tenfold)
    )
    assert ten.pop("labels") == once.pop("labels") == ["l0"]
    assert ten == pytest.approx(once)


def test_coverage():
    # scores are N(0,1) and N(1,1): the true AUROC is Phi(1 / sqrt 2) = 0.7602
    held = 0
    for seed in range(100):
        entry = summarize(make(n=100, labels=1, seed=seed), resamples=200, confidence=0.9, seed=seed, min_patients=1)[
            "macro"
        ]["auroc"]
        held += entry["ci_low"] <= 0.7602 <= entry["ci_high"]
    assert 82 <= held <= 97  # 90 expected


def test_paired_difference():
    good = make(separation=2.0)
    noise = np.random.default_rng(9).normal(scale=0.02, size=good.probabilities.shape)
    alike = replace(good, probabilities=good.probabilities + noise)
    result = paired_bootstrap(good, alike, resamples=200, confidence=0.95, seed=0)
    assert result["ci_low"] < 0 < result["ci_high"]
    alone = summarize(good, resamples=200, confidence=0.95, seed=0, min_patients=1)["macro"]["auroc"]
    # pairing is the point: the difference is far better known than either value
    assert result["ci_high"] - result["ci_low"] < 0.2 * (alone["ci_high"] - alone["ci_low"])
    chance = replace(good, probabilities=np.random.default_rng(1).random(good.probabilities.shape))
    result = paired_bootstrap(good, chance, resamples=200, confidence=0.95, seed=0)
    assert result["value"] == pytest.approx(result["first"] - result["second"])
    assert result["ci_low"] > 0.2


def test_paired_difference_needs_the_same_records():
    with pytest.raises(ValueError, match="same records"):
        paired_bootstrap(make(n=120), make(n=119), resamples=10, confidence=0.95, seed=0)
