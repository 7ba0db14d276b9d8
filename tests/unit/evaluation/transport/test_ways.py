"""Ways to use a model on patients whose prevalence and calibration were planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.metrics import Predictions, log_odds
from ecglfm.evaluation.transport.prevalence import shifted
from ecglfm.evaluation.transport.ways import (
    calibration_lines,
    prevalences,
    rows_of,
    with_local,
    with_prior,
)
from ecglfm.training.finetuning import Rule, choose_threshold

CONFIG = EvaluateConfig(bootstrap=40, confidence=0.9)
HOME, HERE, COUNT = 0.1, 0.4, 4000
RULE = Rule("youden", min_positives=0)


def planted(seed: int, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """Truth with prevalence HERE, and the probability that is right where it is HOME: scores N(0, 1) and N(2, 1)."""
    rng = np.random.default_rng(seed)
    target = (rng.uniform(size=count) < HERE).astype(float)
    score = rng.normal(2 * target, 1)
    return target, expit(logit(HOME) + 2 * score - 2)  # likelihood ratio exp(2 s - 2)


def predictions(seed: int = 0, *, distort: bool = False, count: int = COUNT) -> Predictions:
    """Label A as planted (twice too sure of itself, where distorted); B is unknown but to ten records."""
    target, said = planted(seed, count)
    said = expit(1 + 2 * logit(said)) if distort else said
    other = np.where(np.arange(count) < 10, 0.0, np.nan)
    patients = np.array([f"p{i // 2}" for i in range(count)])
    thresholds = np.tile([0.3, 0.6], (count, 1))
    return Predictions(["A", "B"], np.stack([target, other], 1), np.stack([said, said], 1), thresholds, patients)


def auroc(data: Predictions) -> float:
    return float(roc_auc_score(data.targets[:, 0], data.probabilities[:, 0]))


def test_a_prevalence_shift_is_told_and_mended_without_labels() -> None:
    data = predictions()
    found = prevalences(data, {"A": HOME, "B": None}, CONFIG)
    share = data.targets[:, 0].mean()
    assert found["A"]["here"]["value"] == pytest.approx(share)
    assert found["A"]["here"]["ci_low"] < share < found["A"]["here"]["ci_high"]
    assert found["A"]["told"]["ci_low"] < share < found["A"]["told"]["ci_high"]
    assert found["A"]["told"]["value"] == pytest.approx(HERE, abs=0.02)
    assert found["B"]["here"]["value"] == 0
    assert found["B"]["told"] == {"value": None, "ci_low": None, "ci_high": None, "reason": "the prevalence at home is not known"}  # fmt: skip
    way = with_prior(data, {"A": HOME}, {"A": HERE})
    np.testing.assert_allclose(
        way.predictions.probabilities[:, 0], shifted(data.probabilities[:, 0], home=HOME, here=HERE)
    )
    np.testing.assert_array_equal(way.predictions.probabilities[:, 1], data.probabilities[:, 1])
    assert auroc(way.predictions) == auroc(data)
    before, after = (measure(one, CONFIG)["labels"]["A"] for one in (data, way.predictions))
    assert before["ece"]["value"] > 0.1
    assert after["ece"]["value"] < 0.02
    assert after["sensitivity"]["value"] > before["sensitivity"]["value"]  # the old threshold, on higher odds
    lines = calibration_lines(way.predictions, CONFIG, resamples=40)["A"]
    assert lines["intercept"]["ci_low"] < 0 < lines["intercept"]["ci_high"]


@pytest.mark.parametrize("told", [0.0, 1.0, 2.0**-51, 1 - 2.0**-51])
def test_nothing_is_shifted_to_everybody_or_nobody(told: float) -> None:
    """All probabilities would be 1, or 0: no order would be left, and the page says that no row changes it."""
    data = predictions()
    way = with_prior(data, {"A": HOME}, {"A": told})
    np.testing.assert_array_equal(way.predictions.probabilities, data.probabilities)
    assert way.about["labels"]["A"] == {"home": HOME, "here": told}


def test_calibration_lines_are_scikit_learns() -> None:
    data = predictions(distort=True)
    scores, target = log_odds(data.probabilities[:, 0]), data.targets[:, 0]
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(scores[:, None], target)
    found = calibration_lines(data, CONFIG, resamples=40)
    assert found["A"]["slope"]["value"] == pytest.approx(theirs.coef_[0, 0], abs=1e-5)
    assert found["A"]["slope"]["ci_low"] < 0.5 < found["A"]["slope"]["ci_high"]  # as planted
    intercept = found["A"]["intercept"]["value"]
    assert expit(intercept + scores).mean() == pytest.approx(target.mean(), abs=1e-9)
    assert found["B"]["slope"]["value"] is None
    assert calibration_lines(data, CONFIG, resamples=0)["A"]["slope"]["ci_low"] is None


def test_local_records_mend_what_was_distorted() -> None:
    data, local = predictions(distort=True), predictions(1, distort=True, count=500)
    way = with_local(data, local, RULE, size=500, min_patients=5)
    about = way.about["labels"]["A"]
    assert (way.name, way.about["local"], way.about["n"]) == ("local_500", 500, {"records": 500, "patients": 250})
    assert about["fitted"] == "intercept and slope"
    assert about["slope"] == pytest.approx(0.5, abs=0.1)  # half of what was doubled
    assert auroc(way.predictions) == pytest.approx(auroc(data), abs=1e-12)
    before, after = (measure(one, CONFIG)["labels"]["A"]["ece"] for one in (data, way.predictions))
    assert before["value"] > 0.05
    assert after["value"] < 0.04


def test_thresholds_are_chosen_on_local_records_alone() -> None:
    data, local = predictions(distort=True), predictions(1, distort=True, count=500)
    way = with_local(data, local, RULE, size=500, min_patients=5)
    raw = choose_threshold(local.targets[:, 0], local.probabilities[:, 0], local.patients, RULE, resamples=0)
    # Youden's choice does not see the scale: the decisions on local records are those of the raw probabilities.
    chosen = way.predictions.thresholds[0, 0]
    about = way.about["labels"]["A"]
    after = expit(about["intercept"] + about["slope"] * logit(local.probabilities[:, 0]))
    np.testing.assert_array_equal(after >= chosen, local.probabilities[:, 0] >= raw.value)
    flipped = rows_of(data, np.arange(COUNT) < 100)
    other = with_local(flipped, local, RULE, size=500, min_patients=5)
    assert other.predictions.thresholds[0, 0] == chosen  # whatever the test is
    assert len(other.predictions.patients) == 100


def test_a_label_of_one_class_stays_as_it_is() -> None:
    data, local = predictions(), predictions(1, count=500)
    way = with_local(data, local, RULE, size=500, min_patients=5)
    about = way.about["labels"]["B"]
    assert (about["fitted"], about["threshold_rule"], about["positive_patients"], about["negative_patients"]) == (
        "nothing", "kept", 0, 5,
    )  # fmt: skip
    np.testing.assert_array_equal(way.predictions.probabilities[:, 1], data.probabilities[:, 1])
    assert set(way.predictions.thresholds[:, 1]) == {0.6}


HOME_K, HERE_K = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
PLACES = np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])  # of the classes: scores N(place, 1)


def classes(seed: int = 0, *, distort: bool = False, count: int = COUNT) -> Predictions:
    """Three classes with shares HERE_K, and the probabilities that are right where they are HOME_K.

    Distorted they are softmax(2 log p + (1, 0, -1)): half of that slope mends them.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, count, p=HERE_K)
    x = PLACES[truth] + rng.normal(size=(count, 2))
    said = softmax(np.log(HOME_K) - 0.5 * ((x[:, None] - PLACES) ** 2).sum(axis=2), axis=1)
    said = softmax(2 * np.log(said) + [1, 0, -1], axis=1) if distort else said
    patients = np.array([f"p{i // 2}" for i in range(count)])
    return Predictions(["A", "B", "C"], np.eye(3)[truth], said, np.full((count, 3), 0.4), patients)


def test_classes_are_shifted_together() -> None:
    data, home = classes(), dict(zip("ABC", HOME_K.tolist(), strict=True))
    found = prevalences(data, home, CONFIG, exclusive=True)
    told = np.array([found[name]["told"]["value"] for name in "ABC"])
    np.testing.assert_allclose(told, HERE_K, atol=0.03)
    assert told.sum() == pytest.approx(1, abs=1e-9)
    assert all(found[name]["told"]["ci_low"] < here < found[name]["told"]["ci_high"] for name, here in zip("ABC", HERE_K, strict=True))  # fmt: skip
    after = with_prior(data, home, dict(zip("ABC", HERE_K, strict=True)), exclusive=True).predictions.probabilities
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-12)
    # Bayes by hand, of the first record.
    by_hand = data.probabilities[0] * HERE_K / HOME_K
    np.testing.assert_allclose(after[0], by_hand / by_hand.sum())
    np.testing.assert_allclose(after.mean(axis=0), data.targets.mean(axis=0), atol=0.015)
    without = with_prior(data, home, {"A": 0.2, "B": None, "C": 0.5}, exclusive=True)
    np.testing.assert_array_equal(without.predictions.probabilities, data.probabilities)


def test_classes_are_recalibrated_together() -> None:
    data, local = classes(distort=True), classes(1, distort=True, count=2000)
    way = with_local(data, local, RULE, size=2000, min_patients=5, exclusive=True)
    about = [way.about["labels"][name] for name in "ABC"]
    assert {one["fitted"] for one in about} == {"intercept and slope"}
    # log p here = log p home + log(HERE / HOME) + c, and what was said is 2 log p home + (1, 0, -1) + c.
    expected = np.log(HERE_K / HOME_K) - [0.5, 0, -0.5]
    np.testing.assert_allclose([one["slope"] for one in about], 0.5, atol=0.05)
    np.testing.assert_allclose([one["intercept"] for one in about], expected - expected.mean(), atol=0.15)
    after = way.predictions.probabilities
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(after.mean(axis=0), data.targets.mean(axis=0), atol=0.03)
    few = with_local(data, rows_of(local, np.arange(2000) < 40), RULE, size=40, min_patients=30, exclusive=True)
    assert {(one["fitted"], one["slope"]) for one in few.about["labels"].values()} == {("intercept", 1.0)}
    lacking = with_local(data, rows_of(local, local.targets[:, 2] == 0), RULE, size=9, min_patients=5, exclusive=True)
    np.testing.assert_array_equal(lacking.predictions.probabilities, data.probabilities)
