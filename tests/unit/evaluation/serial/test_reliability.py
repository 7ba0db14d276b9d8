"""Intraclass correlations: a published table, sums by hand, planted variance components."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f as f_distribution

from ecglfm.evaluation.serial.reliability import reliability

CHOICE = {"resamples": 1000, "confidence": 0.95, "seed": 0}


def planted(icc: float, counts: np.ndarray, dims: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of patients with so many recordings each: variance 1, of which the share `icc` is between patients."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(len(counts)), counts)
    between = rng.normal(0, np.sqrt(icc), (len(counts), dims))[patients]
    return 7.0 + between + rng.normal(0, np.sqrt(1 - icc), (len(patients), dims)), patients


def test_the_table_of_shrout_and_fleiss():
    """Six targets, four judges (1979, table 2): ICC(1,1) is .17."""
    judged = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    found = reliability(judged.reshape(-1, 1), np.repeat(np.arange(6), 4), **CHOICE)
    assert found.icc[0] == pytest.approx(0.1657, abs=5e-5)
    assert found.within[0] ** 2 == pytest.approx(6.2639, abs=5e-5)  # their WMS is 6.26


def test_unequal_numbers_by_hand():
    """A 1 3; B 5 5 8; one recording of C, which is left out. MSB = 19.2, MSW = 8 / 3, n0 = 5 - 13 / 5 = 2.4."""
    values = np.array([[1.0], [100.0], [5.0], [3.0], [5.0], [8.0]])
    found = reliability(values, np.array(["A", "C", "B", "A", "B", "B"]), **CHOICE)
    assert (found.patients, found.recordings) == (2, 5)
    assert found.within[0] ** 2 == pytest.approx(8 / 3)
    assert found.icc[0] == pytest.approx((19.2 - 8 / 3) / (19.2 + 1.4 * 8 / 3))


@pytest.mark.parametrize("icc", [0.5, 0.8])
def test_planted_components_lie_in_the_interval(icc: float):
    """In about 95 of 100 values, of unequal numbers of recordings; each of 200 values is a study of its own."""
    counts = np.random.default_rng(1).integers(2, 6, 60)
    values, patients = planted(icc, counts, 200, seed=2)
    found = reliability(values, patients, **CHOICE)
    assert found.icc.mean() == pytest.approx(icc, abs=0.02)
    held = ((found.ci_low < icc) & (icc < found.ci_high)).mean()
    assert 0.90 <= held <= 0.99
    assert found.median[1] < icc < found.median[2]
    assert found.within.mean() == pytest.approx(np.sqrt(1 - icc), abs=0.02)


def test_the_interval_is_about_that_of_the_f_distribution():
    """McGraw and Wong's, exact for normal values and equal numbers."""
    values, patients = planted(0.7, np.full(80, 2), 100, seed=3)
    found = reliability(values, patients, **CHOICE)
    ratio = (1 + found.icc) / (1 - found.icc)
    low, high = (ratio / f_distribution.ppf(q, 79, 80) for q in (0.975, 0.025))
    for ours, exact in ((found.ci_low, low), (found.ci_high, high)):
        assert np.median(ours) == pytest.approx(np.median((exact - 1) / (exact + 1)), abs=0.02)


def test_people_who_are_all_alike_and_people_who_never_change():
    noise = np.random.default_rng(4).normal(size=(400, 50))
    patients = np.repeat(np.arange(200), 2)
    assert reliability(noise, patients, **CHOICE).icc.mean() == pytest.approx(0, abs=0.03)
    constant = np.repeat(np.random.default_rng(5).normal(size=(200, 1)), 2, axis=0)
    found = reliability(constant, patients, **CHOICE)
    assert found.icc[0] == 1.0
    assert np.isnan(found.ci_low[0])  # no variance within anybody: nothing to say how sure
    assert np.isnan(reliability(np.ones((4, 1)), np.array([0, 0, 1, 1]), **CHOICE).icc[0])


def test_too_few_patients_have_no_interval():
    values, patients = planted(0.8, np.full(4, 3), 2, seed=6)
    found = reliability(values, patients, **CHOICE, min_patients=5)
    assert np.isfinite(found.icc).all()
    assert np.isnan([*found.ci_low, *found.ci_high, *found.median[1:]]).all()


def test_neither_order_nor_a_shift_changes_anything():
    values, patients = planted(0.6, np.array([2, 3, 4] * 10), 3, seed=7)
    order = np.random.default_rng(8).permutation(len(values))
    first, second = reliability(values, patients, **CHOICE), reliability(values[order] + 1e6, patients[order], **CHOICE)
    np.testing.assert_allclose(first.icc, second.icc, atol=1e-7)
    np.testing.assert_allclose(first.ci_low, second.ci_low, atol=1e-7)
