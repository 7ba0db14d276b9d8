"""Normal scores of ranks, by hand."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from ecglfm.discovery.features.normal import rank_inverse_normal


def test_scores_by_hand():
    """Four values: (1 - 3/8) / (4 + 1/4), …; their order is what counts."""
    expected = norm.ppf(np.array([0.625, 1.625, 2.625, 3.625]) / 4.25)
    np.testing.assert_allclose(rank_inverse_normal(np.array([-7.0, 0.0, 0.1, 1e6])), expected, rtol=1e-12)
    np.testing.assert_allclose(rank_inverse_normal(np.array([1e6, -7.0, 0.1, 0.0])), expected[[3, 0, 2, 1]], rtol=1e-12)


def test_equal_values_have_equal_scores():
    """1, 2, 2, 9: the two in the middle have rank 2.5, which is the median: 0."""
    found = rank_inverse_normal(np.array([2.0, 9.0, 2.0, 1.0]))
    low, high = norm.ppf(0.625 / 4.25), norm.ppf(3.625 / 4.25)
    np.testing.assert_allclose(found, [0.0, high, 0.0, low], atol=1e-12)


def test_what_is_missing_has_no_rank():
    found = rank_inverse_normal(np.array([np.nan, 3.0, 1.0]))
    np.testing.assert_allclose(found, [np.nan, norm.ppf(1.625 / 2.25), norm.ppf(0.625 / 2.25)], rtol=1e-12)
