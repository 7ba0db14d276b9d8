"""Parts of the error of a difference against formulas by hand, and how often equal encoders are called different."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp, ttest_ind

from ecglfm.evaluation.comparison.difference import Spread, holm, margin, p_value, patient_spreads, training_spread


def test_a_mean_over_patients_is_the_t_test() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    terms = (values - values.mean()) / 12
    (spread,) = patient_spreads(terms[None], np.zeros((1, 12), int))
    assert (spread.variance, spread.freedom) == pytest.approx((values.var(ddof=1) / 12, 11))
    assert p_value(values.mean(), [spread]) == pytest.approx(ttest_1samp(values, 0).pvalue)
    assert margin([spread], 0.95) == pytest.approx(t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12))


def test_classes_are_parts_of_their_own() -> None:
    classes = np.r_[np.ones(5), np.zeros(20), -np.ones(3)].astype(int)
    terms = np.r_[np.full(5, 0.2), np.full(20, 0.1), np.zeros(3)]
    has, others = patient_spreads(terms[None], classes[None])
    assert (has.variance, has.freedom) == pytest.approx((5 * 0.04 * 5 / 4, 4))
    assert (others.variance, others.freedom) == pytest.approx((20 * 0.01 * 20 / 19, 19))
    twice = patient_spreads(np.stack([terms, terms]), np.stack([classes, classes]))  # the same label twice: no surer
    for one, two in zip((has, others), twice, strict=True):
        assert (two.variance, two.freedom) == pytest.approx((one.variance, one.freedom))


def test_trainings_alone_are_welchs_test() -> None:
    first, second = np.array([0.80, 0.82, 0.85]), np.array([0.78, 0.70])
    spread = training_spread([first, second])
    assert spread is not None
    wanted = ttest_ind(first, second, equal_var=False)
    assert spread.freedom == pytest.approx(wanted.df)
    assert p_value(first.mean() - second.mean(), [spread]) == pytest.approx(wanted.pvalue)
    assert training_spread([first, second[:1]]) is None


def test_p_is_the_level_at_which_the_interval_ends_at_zero() -> None:
    spreads = [Spread(4e-4, 4.0), Spread(1e-4, 200.0), Spread(9e-4, 3.2)]
    p = p_value(0.2, spreads)
    assert margin(spreads, 1 - p) == pytest.approx(0.2)
    assert p_value(0.0, spreads) == 1
    assert np.isnan(p_value(0.1, [Spread(0.0, 3.0)]))
    assert p_value(1e3, spreads[1:2]) == 1e-15


def test_holm_by_hand() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; none below one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])
    assert len(holm([])) == 0
