"""Intervals against values from the literature and by hand, and how often they hold a planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.intervals import (
    SCALES,
    calibration_error_interval,
    mean_interval,
    quantile,
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


def test_a_correlation_has_fishers_interval_where_resamples_agree() -> None:
    # Fisher's standard error is 1 / sqrt(n - 3); resamples that vary so, and 200 patients
    scaled = np.array([-1.0, 1.0]) / np.sqrt(2) / np.sqrt(197)
    low, high = scaled_interval(0.6, np.tanh(np.arctanh(0.6) + scaled), SCALES["pearson"], 200, 0.95)
    assert (low, high) == pytest.approx((0.502, 0.682), abs=2e-3)
    assert scaled_interval(1.0, np.ones(5), SCALES["pearson"], 200, 0.95) is None


def test_intervals_of_one_patient_and_of_a_value_at_the_end() -> None:
    # Wilson's of one of one: 1 / (1 + z^2); nothing is known beyond the formula
    z = 1.959964
    assert score_interval(1.0, 0.0, (1,), 0.95) == pytest.approx((1 / (1 + z**2), 1.0), abs=1e-6)
    assert quantile(0.95) == pytest.approx(z, abs=1e-6)
    assert score_interval(0.5, 0.1, (3, 0), 0.95) is None


def test_the_ends_of_a_share_near_nothing_are_found_to_the_last_digit() -> None:
    share, n, z2 = 1e-6, 1000, quantile(0.95) ** 2
    high = (n * share + z2 / 2 + np.sqrt(z2 * n * share * (1 - share) + z2**2 / 4)) / (n + z2)
    low = n * share**2 / ((n + z2) * high)  # of Wilson's quadratic equation the product of its roots
    assert score_interval(share, 0.0, (n,), 0.95) == pytest.approx((low, high), rel=1e-4, abs=0)


def test_students_interval_of_a_few_patients_by_hand() -> None:
    # logarithms -1, 0, 1 around 2: deviation 1, of 3 patients sqrt(3 / 2), Student's quantile at 2 degrees 4.3027
    found = scaled_interval(2.0, np.exp([-1.0, 0.0, 1.0]), SCALES["mae"], 3, 0.95)
    margin = 4.302653 * np.sqrt(1.5)
    assert found == pytest.approx((2 * np.exp(-margin), 2 * np.exp(margin)), rel=1e-5)
    # of two patients: 12.7062, sqrt(2); of one none, nor where one resample is left or the value is at the end
    found = scaled_interval(1.0, np.exp([-0.1, 0.0, 0.1]), SCALES["rmse"], 2, 0.95)
    assert found[1] == pytest.approx(np.exp(12.706205 * np.sqrt(2) * 0.1), rel=1e-5)
    assert scaled_interval(2.0, np.exp([-1.0, 1.0]), SCALES["mae"], 1, 0.95) is None
    with np.errstate(all="raise"):
        assert scaled_interval(2.0, np.array([0.0, 1.0]), SCALES["mae"], 3, 0.95) is None
        assert scaled_interval(0.0, np.array([1.0, 2.0]), SCALES["mae"], 3, 0.95) is None
        assert scaled_interval(1.0, np.array([0.5, 0.6]), SCALES["pearson"], 3, 0.95) is None
        assert scaled_interval(0.5, np.array([0.5, 0.6, 1.0, 2.0]), SCALES["pearson"], 3, 0.95) is not None


def test_a_mean_of_labels_with_other_levels_and_other_numbers_of_resamples() -> None:
    # deviations 0.1, -0.1 around 0.5 and 0.9: each label is centred on its own mean, and what is undefined is left out
    resampled = np.array([[0.6, 0.4, np.nan, np.nan], [1.0, 0.8, np.nan, np.nan]])
    ends = np.array([0.5, 0.9])
    low, high = mean_interval(ends, ends - 0.5, ends + 0.5, resampled, np.array([2, 2]), 0.1)
    assert (low, high) == pytest.approx((0.2, 1.2))  # margins of 0.5 that move together
    # without margins of their own: z sqrt(0.02 x 2 / 1 / (2 - 1)) = 0.1 x 0.2, held by the labels' own ends
    low, high = mean_interval(ends, ends - 1e-9, ends + 1e-9, resampled, np.array([2, 2]), 0.1)
    assert (low, high) == pytest.approx((0.7, 0.7), abs=1e-8)
    narrow = np.array([1e-9, 0.5])
    low, high = mean_interval(ends, ends - narrow, ends + narrow, resampled, np.array([2, 2]), 2.0)
    assert (low, high) == pytest.approx((0.45, 0.95))  # 0.25 of the ends is less than 2 x 0.2
    wide = mean_interval(ends, ends - 5, ends + 5, resampled[:, :2] * 10, np.array([2, 2]), 4.0)
    still = np.array([[0.5, 0.5], [1.0, 0.8]])  # a label that no resample changes has no error, and goes with nobody
    low, high = mean_interval(ends, ends - narrow, ends + narrow, still, np.array([2, 2]), 2.0)
    assert (low, high) == pytest.approx((0.45, 0.95))
    assert wide == pytest.approx((-4.3, 5.7))  # 4 standard errors of 2 are more than the labels' own ends allow


def test_calibration_errors_of_two_labels_by_hand() -> None:
    # a label's error is the sum over its bins, and the labels' is the mean: (0.3 + 0.1) / 2 without any noise
    gaps = np.array([[0.2, -0.1], [0.1, 0.0]])
    assert calibration_error_interval(gaps, np.zeros((2, 2, 5)), 0.9) == pytest.approx((0.2, 0.2, 0.2))
    assert calibration_error_interval(np.zeros((1, 2)), np.full((1, 2, 3), 0.1), 0.9) == (0, 0, 0)


def test_ends_of_a_calibration_error_are_quantiles_and_may_be_far() -> None:
    # |0.1 f + noise| with noise 0.1 (u - 1/2), u = 0, 0.01, …, 1: its q-quantile is 0.1 (f + q - 1/2) while that is
    # above the noise; it is 0.1 at f = 1 - (q - 1/2)
    noise = 0.1 * (np.linspace(0, 1, 101) - 0.5)[None, None]
    found = calibration_error_interval(np.array([[0.1]]), noise, 0.9)
    assert found == pytest.approx((0.1, 0.055, 0.145), abs=1e-6)
    # noise that is always against the gap: the true one is 0.1 + 0.9, ten times the one found
    far = calibration_error_interval(np.array([[0.1]]), np.full((1, 1, 3), -0.09), 0.9)
    assert far == pytest.approx((0.19,) * 3)
    further = calibration_error_interval(np.array([[0.01]]), np.full((1, 1, 3), -0.009 * 7), 0.9)
    assert further == (0, 0, 0)  # the noise alone is more than what was found
