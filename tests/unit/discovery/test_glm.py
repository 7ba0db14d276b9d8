"""Regressions beside covariates: which of these take part, and coefficients by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.discovery.glm import adjusting, fit_first


def test_what_does_not_vary_or_is_a_sum_of_others_takes_no_part() -> None:
    generator = np.random.default_rng(0)
    age, sex = generator.normal(60, 10, 400), generator.integers(0, 2, 400).astype(float)
    sources = np.eye(3)[generator.integers(0, 3, 400)]  # of which the last is one less the others
    constant = np.full(400, 0.1)  # whose standard deviation is not quite 0
    found = adjusting(np.column_stack([age, constant, sex, age**2, sources, age - 3 * sex]))
    expected = [np.ones(400)] + [(x - x.mean()) / x.std() for x in (age, sex, age**2, sources[:, 0], sources[:, 1])]
    assert found == pytest.approx(np.column_stack(expected))
    assert adjusting(np.empty((5, 0))).tolist() == [[1.0]] * 5


def test_a_two_by_two_table_gives_its_log_odds_ratio() -> None:
    x = np.repeat([1.0, 0.0], 100)
    sick = np.concatenate([np.repeat([1.0, 0.0], (30, 70)), np.repeat([1.0, 0.0], (10, 90))])
    found = fit_first(sick, np.column_stack([x, np.ones(200)]), binary=True)
    assert found is not None
    assert found[:2] == pytest.approx((np.log(30 / 70 * 9), np.sqrt(1 / 30 + 1 / 70 + 1 / 10 + 1 / 90)))
    line = fit_first(sick, np.column_stack([x, np.ones(200)]), binary=False)
    assert line is not None
    assert line.beta == pytest.approx(0.2)


def test_separated_people_have_no_fit() -> None:
    x = np.repeat([1.0, 0.0], 50)
    assert fit_first(x.copy(), np.column_stack([x, np.ones(100)]), binary=True) is None
