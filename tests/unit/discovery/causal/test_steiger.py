"""Direction: shares by hand, and liability against the formula's own example."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ecglfm.discovery.causal.steiger import explained, of_liability, steiger


def test_the_share_that_a_variant_explains_is_that_of_its_regression() -> None:
    generator = np.random.default_rng(0)
    dosage = generator.integers(0, 3, 500).astype(float)
    value = 0.3 * dosage + generator.normal(size=500)
    r = np.corrcoef(dosage, value)[0, 1]
    beta = r * value.std() / dosage.std()
    error = np.sqrt((1 - r**2) * value.var() / dosage.var() / 498)
    assert explained(np.array([beta]), np.array([error]), np.array([500]))[0] == pytest.approx(r**2, rel=1e-9)


def test_a_disease_counts_by_liability() -> None:
    """A variant that explains 1 % of liability of a disease of 5 %, in a cohort and with as many controls as cases."""
    generator = np.random.default_rng(1)
    score = generator.normal(size=400_000)
    sick = 0.1 * score + np.sqrt(0.99) * generator.normal(size=len(score)) > norm.isf(0.05)
    chosen = np.append(np.flatnonzero(sick), np.flatnonzero(~sick)[: sick.sum()])
    for rows, share in ((np.arange(len(score)), 0.05), (chosen, 0.5)):
        r2 = np.corrcoef(score[rows], sick[rows])[0, 1] ** 2
        assert of_liability(np.array([r2]), case_share=share, prevalence=0.05)[0] == pytest.approx(0.01, abs=0.0012)


def test_which_way() -> None:
    found = steiger(np.array([0.02, 0.02]), np.array([0.0025, 0.0075]), exposure_n=1003, outcome_n=1003)
    assert found[:3] == (pytest.approx(0.04), pytest.approx(0.01), True)
    z = (np.arctanh(0.2) - np.arctanh(0.1)) / np.sqrt(2 / 1000)
    assert found.p_value == pytest.approx(2 * norm.sf(z))
    assert not steiger(np.array([0.01]), np.array([0.04]), exposure_n=1003, outcome_n=1003).forward
