"""Genomic inflation and the number of tests, on values that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ecglfm.discovery.association.inflation import corrected_threshold, effective_number, genomic_inflation


def test_uniform_p_have_lambda_one_and_chi_squares_scale_it() -> None:
    p = (np.arange(100_001) + 0.5) / 100_001
    assert genomic_inflation(p) == pytest.approx(1, abs=1e-3)
    assert genomic_inflation(stats.chi2.sf(1.3 * stats.chi2.isf(p, 1), 1)) == pytest.approx(1.3, abs=2e-3)
    assert genomic_inflation(np.append(p, [np.nan] * 50)) == pytest.approx(1, abs=1e-3)
    assert np.isnan(genomic_inflation(np.array([np.nan])))


def test_effective_number_of_independent_equal_and_paired_traits() -> None:
    basis = np.linalg.qr(np.column_stack([np.ones(64), np.random.default_rng(0).standard_normal((64, 6))]))[0][:, 1:]
    assert effective_number(basis) == pytest.approx(6)
    assert effective_number(np.repeat(basis[:, :1], 5, axis=1)) == pytest.approx(1)
    # of two with r = .6 the eigenvalues are 1.6 and .4: 1 + .6, and .4
    pair = np.column_stack([basis[:, 0], 0.6 * basis[:, 0] + 0.8 * basis[:, 1]])
    assert effective_number(pair) == pytest.approx(2)
    # of three with r = .6 they are 2.2, .4, .4: 1 + .2, .4, .4
    shared = np.sqrt(0.6) * basis[:, :1] + np.sqrt(0.4) * basis[:, 1:4]
    assert effective_number(shared) == pytest.approx(2)
    assert effective_number(basis[:, :1]) == pytest.approx(1)
    # a trait that half of the people have, and the same of everybody, are one; with an independent one two
    half = np.where(np.arange(64) % 2, basis[:, 0], np.nan)
    assert effective_number(np.column_stack([half, basis[:, 0]])) == pytest.approx(1)
    never = np.where(np.arange(64) % 2, np.nan, basis[:, 1])
    assert effective_number(np.column_stack([half, never])) == pytest.approx(2)


def test_the_threshold_is_divided() -> None:
    assert corrected_threshold(20) == pytest.approx(2.5e-9)
    assert corrected_threshold(0) == 5e-8
