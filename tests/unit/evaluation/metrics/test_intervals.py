"""Intervals against values from the literature and by hand, and how often they hold a planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.intervals import (
    FISHER,
    calibration_error_interval,
    mean_interval,
    scaled_interval,
    score_interval,
)


@pytest.mark.parametrize(
    ("positive", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(positive: int, of: int, low: float, high: float) -> None:
    # Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3
    share = positive / of
    found = score_interval(share, share * (1 - share) / of, (of,), 0.95)
    assert found == pytest.approx((low, high), abs=5e-5)
    assert score_interval(1 - share, share * (1 - share) / of, (of,), 0.95) == pytest.approx(
        (1 - high, 1 - low), abs=5e-5
    )


@pytest.mark.parametrize(("area", "m", "n"), [(0.8, 5, 295), (0.95, 3, 40), (1.0, 5, 295), (0.0, 2, 9), (0.5, 30, 30)])
def test_an_area_has_newcombes_interval(area: float, m: int, n: int) -> None:
    """All areas t with |found - t| <= z sqrt(V(t)), V of method 5, as R's auRoc computes it."""
    t, star = np.linspace(0, 1, 200001), (m + n) / 2 - 1
    variance = t * (1 - t) * (1 + star * (1 - t) / (2 - t) + star * t / (1 + t)) / (m * n)
    held = t[np.abs(area - t) <= 1.959964 * np.sqrt(variance)]
    # nothing is known of the variance but the formula
    assert score_interval(area, 0.0, (m, n), 0.95) == pytest.approx((held.min(), held.max()), abs=1e-5)


def test_what_resamples_say_of_the_variance_counts_the_more_the_more_patients_there_are() -> None:
    widths = []
    for patients in (5, 500):
        plain = 0.5 * 0.5 / patients
        one, four = (score_interval(0.5, times * plain, (patients,), 0.95) for times in (1, 4))
        widths.append((four[1] - four[0]) / (one[1] - one[0]))
    # a variance four times as large: believed by half among 5 patients, and by nearly all among 500, of twice the width
    assert widths[0] < 1.4
    assert widths[1] == pytest.approx(2, abs=0.03)


def test_nobody_called_has_no_interval() -> None:
    assert score_interval(0.5, 0.1, (0,), 0.95) is None


def test_a_mean_of_labels() -> None:
    values, low, high = np.array([0.5, 0.9]), np.array([0.4, 0.6]), np.array([0.6, 0.94])
    one, other = 0.01 * np.array([1.0, -1.0, 1.0, -1.0]), 0.01 * np.array([1.0, 1.0, -1.0, -1.0])
    many = np.array([1000, 1000])
    # by hand: independent labels add squares, labels that move together add margins
    apart = mean_interval(values, low, high, np.stack([one, other]), many, 1.96)
    assert apart == pytest.approx((0.7 - np.hypot(0.1, 0.3) / 2, 0.7 + np.hypot(0.1, 0.04) / 2))
    assert mean_interval(values, low, high, np.stack([one, one]), many, 1.96) == pytest.approx((0.5, 0.77))
    assert mean_interval(values[:1], low[:1], high[:1], one[None], many[:1], 1.96) == pytest.approx((0.4, 0.6))
    # resamples that vary by more than the upper ends allow: by 0.03^2 4 / 3, of two patients twice that
    apart = mean_interval(values, low, high, 3 * np.stack([one, other]), np.array([2, 2]), 1.96)
    assert apart[1] == pytest.approx(0.7 + 1.96 * np.sqrt(2 * 2 * 0.0009 * 4 / 3) / 2)


def test_calibration_error_of_one_gap_by_hand() -> None:
    # one bin with a gap of 0.1 and noise of -0.02, 0, 0.02: the sum |0.1 f + noise| has the median 0.1 f
    gaps, noise = np.array([[0.1]]), np.array([[[-0.02, 0.0, 0.02]]])
    value, low, high = calibration_error_interval(gaps, noise, 0.999999)
    assert (value, low, high) == pytest.approx((0.1, 0.08, 0.12), abs=1e-6)
    # calibrated probabilities would often show as much: nothing of it is sure
    value, low, high = calibration_error_interval(gaps, 10 * noise, 0.95)
    assert (value, low) == (0, 0)
    assert high > 0


def test_no_calibration_error_is_above_one() -> None:
    # a gap of 0.6 that noise of -0.5 may hide is 1.1 as the quantile of it: more than probabilities can be wrong by
    gaps, noise = np.array([[0.6]]), np.array([[[-0.5, 0.0, 0.5]]])
    assert calibration_error_interval(gaps, noise, 0.999999) == pytest.approx((0.6, 0.1, 1.0), abs=1e-6)


def test_a_correlation_has_fishers_interval_where_resamples_agree() -> None:
    # Fisher's standard error is 1 / sqrt(n - 3); resamples that vary so, and 200 patients
    scaled = np.array([-1.0, 1.0]) / np.sqrt(2) / np.sqrt(197)
    low, high = scaled_interval(0.6, np.tanh(np.arctanh(0.6) + scaled), FISHER, 200, 0.95)
    assert (low, high) == pytest.approx((0.502, 0.682), abs=2e-3)
    assert scaled_interval(1.0, np.ones(5), FISHER, 200, 0.95) is None
