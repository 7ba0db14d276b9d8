"""Bootstrap intervals: patients are the unit, lacking classes are redrawn, coverage is as promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from ecglfm.evaluation.metrics import bootstrap
from ecglfm.evaluation.metrics.bootstrap import (
    PatientWeights,
    interval,
    mean_defined,
    paired_bootstrap,
    point_values,
    resampled_gaps,
    resampled_pooled,
    resampled_values,
)
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.entries import summarize
from ecglfm.evaluation.metrics.intervals import score_interval

AUROC = 0


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


def drawn(count: int, seed: int, resample: int, attempt: int) -> np.ndarray:
    """How often each of so many patients is drawn."""
    draws = np.random.default_rng([seed, resample, attempt]).integers(count, size=count)
    return np.bincount(draws, minlength=count).astype(float)


def test_a_resample_is_redrawn_until_each_group_is_in_it(monkeypatch: pytest.MonkeyPatch):
    weights, needed = PatientWeights(np.array(["b", "a"]), seed=4), np.eye(2, dtype=bool)
    resamples = np.arange(30, 70)
    first = weights(resamples)
    np.testing.assert_array_equal(first, np.stack([drawn(2, 4, r, 0)[::-1] for r in resamples], axis=1))
    before = first.copy()
    found = weights.redrawn(needed, first, resamples)
    np.testing.assert_array_equal(first, before)
    for column, resample in enumerate(resamples):
        attempts = (drawn(2, 4, resample, attempt)[::-1] for attempt in range(200))
        np.testing.assert_array_equal(found[:, column], next(one for one in attempts if one.all()))
    assert weights.redrawn(needed, found, resamples) is found
    assert weights.redrawn(np.array([[True, True], [False, False]]), first, resamples) is first  # nothing to hope for
    monkeypatch.setattr(bootstrap, "_ATTEMPTS", 2)  # one redrawing: about half still lack a class
    once = weights.redrawn(needed, first, resamples)
    for column, resample in enumerate(resamples):
        np.testing.assert_array_equal(once[:, column], drawn(2, 4, resample, int(not before[:, column].all()))[::-1])


@pytest.mark.parametrize(("size", "patients"), [(10, 3), (8, 300), (30, 0)])
def test_a_block_takes_the_bytes_that_it_may_and_is_eight_resamples_at_least(monkeypatch, size: int, patients: int):
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 8 * 30)
    blocks = list(PatientWeights(np.arange(patients).astype(str), 0).blocks(25))
    expected = [list(range(25))[start : start + size] for start in range(0, 25, size)]
    assert [block.tolist() for block in blocks] == expected


class Sums:
    """Stands for predictions: weights of records by name."""

    names, metrics, patients = ("x", "y"), ("last", "first"), np.array(["a", "b", "c"])

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        return {"first": weight_nr[0] + 10 * label, "last": weight_nr[2] + 10 * label}

    def needed(self, label: int) -> np.ndarray:
        return np.array([[label == 0, True, True]])

    def pooled(self, weight_nr: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        return {"micro": {"second": weight_nr[1]}, "overall": {"first": weight_nr[0], "last": weight_nr[2]}}

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        return {"ece": weight_nr[:2] + (-1 if label is None else label), "other": weight_nr[1:]}


def test_blocks_are_joined_in_the_order_of_the_resamples(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 8 * 3 * 9)  # 20 resamples are 9, 9 and 2
    weight = np.stack([drawn(3, 6, r, 0) for r in range(20)], axis=1)
    data = Sums()
    pooled = resampled_pooled(data, 20, 6)
    assert {section: list(metrics) for section, metrics in pooled.items()} == {
        "micro": ["second"],
        "overall": ["first", "last"],
    }
    np.testing.assert_array_equal(pooled["micro"]["second"], weight[1])
    np.testing.assert_array_equal(pooled["overall"]["first"], weight[0])
    np.testing.assert_array_equal(pooled["overall"]["last"], weight[2])
    gaps = resampled_gaps(data, [1, None], 20, 6)
    np.testing.assert_array_equal([one["ece"] for one in gaps], [weight[:2] + 1, weight[:2] - 1])
    np.testing.assert_array_equal([one["other"] for one in gaps], [weight[1:], weight[1:]])
    np.testing.assert_array_equal(resampled_pooled(data, 2, 6)["micro"]["second"], weight[1, :2])  # one block
    np.testing.assert_array_equal(resampled_gaps(data, [0], 2, 6)[0]["ece"], weight[:2, :2])
    np.testing.assert_array_equal(point_values(data), [[1, 1], [11, 11]])
    values = resampled_values(data, 20, 6)
    assert values.shape == (2, 2, 20)
    np.testing.assert_array_equal(values[0], weight[[2, 0]])
    redrawn = weight.copy()
    for r in np.flatnonzero((weight[1:] == 0).all(axis=0)):
        redrawn[:, r] = next(one for a in range(1, 200) if (one := drawn(3, 6, int(r), a))[1:].any())
    np.testing.assert_array_equal(values[1], redrawn[[2, 0]] + 10)


def test_a_mean_is_of_what_is_defined():
    np.testing.assert_array_equal(mean_defined(np.array([[1, np.nan, np.nan], [3, 5, np.nan]])), [2, 5, np.nan])


def test_an_interval_needs_half_of_the_resamples_and_one():
    assert interval(np.array([2.0, np.nan]), 0.9) == (2, 2)
    assert interval(np.array([2.0, np.nan, np.nan]), 0.9) == (None, None)
    assert interval(np.array([]), 0.9) == (None, None)
    ends = interval(np.arange(11.0), 0.8)
    assert ends == pytest.approx((1, 9))
    assert [type(end) for end in ends] == [float, float]


def by_hand(probabilities: list[float], targets: list[float], other: list[float]) -> Predictions:
    """Label `x`, and `y`, all of whose records are of one class or unknown."""
    said = np.array(probabilities)
    patients = np.arange(len(said)).astype(str)
    truth = np.array([targets, other], dtype=float).T
    return Predictions(["x", "y"], truth, np.stack([said, said], axis=1), np.full(truth.shape, 0.5), patients)


def test_a_paired_difference_by_hand():
    targets, other = [1, 0, 1, 0, 1, 0], [0, 0, np.nan, 0, 0, 0]
    # of the nine pairs the first has all right, the second six; of label y there is no AUROC
    first = by_hand([0.9, 0.1, 0.8, 0.2, 0.7, 0.3], targets, other)
    second = by_hand([0.9, 0.1, 0.25, 0.2, 0.15, 0.3], targets, other)
    found = paired_bootstrap(first, second, resamples=50, confidence=0.8, seed=3)
    assert list(found) == ["value", "ci_low", "ci_high", "first", "second"]
    assert [found[key] for key in ("value", "first", "second")] == pytest.approx([3 / 9, 1, 6 / 9])
    areas = resampled_values(second, 50, seed=3)[0, AUROC]
    ends = np.quantile(1 - areas, [0.1, 0.9])
    assert [found["ci_low"], found["ci_high"]] == pytest.approx(ends.tolist())
    # Brier scores are of both labels; (0.01 + 0.01 + 0.04 + 0.04 + 0.09 + 0.09) / 6 of x
    brier = paired_bootstrap(first, second, metric="brier", resamples=20, confidence=0.8, seed=3)
    known = np.array([0.9, 0.1, 0.2, 0.7, 0.3])
    assert brier["first"] == pytest.approx((0.28 / 6 + (known**2).mean()) / 2)
    differences = np.diff(
        [resampled_values(data, 20, seed=3)[:, first.metrics.index("brier")] for data in (second, first)], axis=0
    )[0]
    ends = np.quantile(differences.mean(axis=0), [0.1, 0.9])
    assert [brier["ci_low"], brier["ci_high"]] == pytest.approx(ends.tolist())


def test_a_paired_difference_of_what_is_mostly_undefined_has_no_interval():
    # each calls one record, another one: a PPV of both in (1 - 1 / e)^2 = 40 % of the resamples
    truth = [1, 0] * 20
    one, two = ([0.9 if row == called else 0.1 for row in range(40)] for called in (0, 2))
    found = paired_bootstrap(
        by_hand(one, truth, truth), by_hand(two, truth, truth), metric="ppv", resamples=60, confidence=0.9, seed=0
    )
    assert (found["value"], found["first"], found["second"]) == (0, 1, 1)
    assert np.isnan(found["ci_low"])
    assert np.isnan(found["ci_high"])


def test_what_cannot_be_paired_is_said():
    data = by_hand([0.9, 0.1, 0.8], [1, 0, 1], [0, 1, 1])
    said = r"^paired_bootstrap: the two sets of predictions are not of the same records and labels$"
    for other in (
        replace(data, names=["x", "z"]),
        replace(data, patients=np.array(["0", "1", "3"])),
        replace(data, targets=data.targets[::-1]),
    ):
        with pytest.raises(ValueError, match=said):
            paired_bootstrap(data, other, resamples=5, confidence=0.9, seed=0)
    none = by_hand([0.9, 0.1, 0.8], [1, 1, 1], [0, 0, 0])
    with pytest.raises(ValueError, match=r"^paired_bootstrap: auroc is defined for no label$"):
        paired_bootstrap(none, none, resamples=5, confidence=0.9, seed=0)
    # a label that only one of them can be judged by is in neither value
    lone = by_hand([0.9, 0.1, 0.8], [1, 0, 1], [0, 0, 0])
    silent = replace(lone, probabilities=np.full((3, 2), 0.1))
    for two in ((lone, silent), (silent, lone)):
        with pytest.raises(ValueError, match=r"^paired_bootstrap: ppv is defined for no label$"):
            paired_bootstrap(*two, metric="ppv", resamples=5, confidence=0.9, seed=0)
