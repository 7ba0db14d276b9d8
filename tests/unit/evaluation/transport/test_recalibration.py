"""Recalibration: sums by hand, scikit-learn's regression, and lines that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from ecglfm.evaluation.transport.recalibration import (
    Recalibration,
    fit_intercept,
    fit_line,
    fit_recalibration,
)

RNG = np.random.default_rng(0)
SCORES = RNG.normal(-1, 1.5, 400)
TARGET = (RNG.uniform(size=400) < expit(0.7 + 0.6 * SCORES)).astype(float)
EACH = np.arange(400).astype(str)  # every record a patient


def test_intercept_by_hand() -> None:
    """3 of 10 where one half was said: log odds of 0.3; where 0.3 was said: 0."""
    target = np.repeat([1.0, 0.0], [3, 7])
    for said, expected in ((0.5, logit(0.3)), (0.3, 0.0), (0.9, logit(0.3) - logit(0.9))):
        found = fit_intercept(target, np.full(10, logit(said)), np.ones((10, 1)))
        assert found[0] == pytest.approx(expected, abs=1e-9)


def test_line_is_scikit_learns_under_every_weighting() -> None:
    weight_nr = RNG.integers(0, 4, (400, 5)).astype(float)
    a_r, b_r = fit_line(TARGET, SCORES, weight_nr)
    for column, (a, b) in enumerate(zip(a_r, b_r, strict=True)):
        theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        theirs.fit(SCORES[:, None], TARGET, sample_weight=weight_nr[:, column])
        assert (a, b) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-5)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-2.0, 0.5), (1.5, 3.0), (6.0, 0.2)])
def test_planted_lines_are_found(a: float, b: float) -> None:
    """Each score counts as a positive with the planted probability, as a negative with the rest: no chance is in it."""
    p = expit(a + b * SCORES)
    target, scores = np.repeat([1.0, 0.0], 400), np.tile(SCORES, 2)
    found = fit_line(target, scores, np.concatenate([p, 1 - p])[:, None])
    assert [float(one[0]) for one in found] == pytest.approx([a, b], abs=1e-7)
    shift = fit_intercept(target, b * scores, np.concatenate([p, 1 - p])[:, None])
    assert shift[0] == pytest.approx(a, abs=1e-7)


def test_what_has_no_likeliest_line_is_nan() -> None:
    target, scores = np.array([0.0, 0, 1, 1]), np.array([-2.0, -1, 1, 2])
    weights = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0]], float)  # parted; no positive; likewise
    a_r, b_r = fit_line(target, scores, weights)
    assert np.isnan(a_r).all()
    assert np.isnan(b_r).all()
    assert np.isfinite(fit_intercept(target, scores, weights)).tolist() == [True, False, False]
    wrong_way = fit_line(1 - target, scores, weights[:, :1])
    assert np.isnan(wrong_way[1]).all()


def test_recalibration_of_a_label_keeps_the_order() -> None:
    said = expit(SCORES)
    target = TARGET.copy()
    target[:50] = np.nan
    found = fit_recalibration(target, said, EACH, min_patients=5)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(SCORES[50:, None], TARGET[50:])
    assert found.fitted == "intercept and slope"
    assert (found.intercept, found.slope) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-5)
    after = found.apply(said)
    np.testing.assert_array_equal(np.argsort(after, kind="stable"), np.argsort(said, kind="stable"))
    assert after[50:].mean() == pytest.approx(TARGET[50:].mean(), abs=1e-9)  # a likeliest line gives the right mean


def test_few_records_tell_fewer_numbers() -> None:
    said, target = np.array([0.2, 0.3, 0.6, 0.4, 0.7]), np.array([0.0, 0, 1, 0, 0])
    patients = np.array(list("abcde"))
    few = fit_recalibration(target, said, patients, min_patients=2)
    assert (few.fitted, few.slope) == ("intercept", 1.0)
    assert few.apply(said).mean() == pytest.approx(0.2, abs=1e-9)
    assert fit_recalibration(target, said, patients, min_patients=1).fitted == "intercept and slope"
    parted = fit_recalibration(np.array([0.0, 0, 1, 0, 1]), said, patients, min_patients=1)
    assert parted.fitted == "intercept"  # 0.6 and 0.7 above all others: no slope is the likeliest
    wrong_way = fit_recalibration(np.array([1.0, 1, 0, 1, 1]), said, patients, min_patients=1)
    assert wrong_way.fitted == "intercept"  # a slope below 0 would turn the order round
    assert fit_recalibration(np.zeros(5), said, patients, min_patients=1) == Recalibration()
    one_patient = fit_recalibration(target, said, np.array(list("aabbb")), min_patients=2)
    assert one_patient.fitted == "intercept"
