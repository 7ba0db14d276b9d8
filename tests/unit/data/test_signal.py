"""Signal steps against analytic signals, hand-worked gaps and SciPy's frequency responses."""

import numpy as np
import pytest

from ecglfm.data import signal as steps


def sine(frequency, fs, seconds=10.0, amplitude=1000.0):
    time = np.arange(round(seconds * fs)) / fs
    return (amplitude * np.sin(2 * np.pi * frequency * time))[:, None]


@pytest.mark.parametrize(
    ("fs", "target"), [(400, 500), (1000, 500), (500, 100), (257, 500), (1000 / 3, 500), (128.5, 250)]
)
def test_resampled_sine_is_the_analytic_sine_at_the_new_rate(fs, target):
    out = steps.resample(sine(7.0, fs), fs, target=target)
    expected = sine(7.0, target, seconds=len(out) / target)
    inner = slice(target // 2, -target)  # away from the edges
    assert np.abs(out - expected)[inner].max() < 3.0  # of 1000 uV


def test_resampling_400_to_500_hz_makes_4096_samples_5120():
    assert steps.resample(np.zeros((4096, 12), np.int16), 400, target=500).shape == (5120, 12)


def test_same_rate_is_the_very_same_array():
    signal = np.arange(24, dtype=np.int16).reshape(12, 2)
    assert steps.resample(signal, 500.0, target=500) is signal


def test_what_the_new_rate_cannot_hold_is_filtered_out_not_folded_back():
    # 180 Hz at 500 Hz would appear at 20 Hz after taking every fifth sample.
    out = steps.resample(sine(180.0, 500), 500, target=100)
    assert np.sqrt(np.mean(out[50:-50] ** 2)) < 707 / 300  # 50 dB down
    assert np.sqrt(np.mean(sine(180.0, 500)[::5] ** 2)) > 700  # the fold that was avoided


def test_an_offset_does_not_ring_at_the_edges():
    out = steps.resample(np.full((1000, 1), 5000.0), 500, target=360)
    np.testing.assert_allclose(out, 5000.0, atol=1.0)  # zeros beyond the ends would give 2500


@pytest.mark.parametrize(("frequency", "gain"), [(0.05, 0.0), (0.5, 0.5), (10.0, 1.0), (40.0, 0.5), (120.0, 0.0)])
def test_bandpass_gain(frequency, gain):
    # Forwards and backwards the Butterworth gain at a cut-off is 1/sqrt(2) twice: one half.
    out = steps.bandpass(sine(frequency, 500, seconds=60), 500, low=0.5, high=40.0, order=3)
    inner = out[10_000:-10_000]
    assert np.sqrt(2 * np.mean(inner**2)) / 1000 == pytest.approx(gain, abs=0.02)


def test_bandpass_has_no_delay():
    out = steps.bandpass(sine(10.0, 500, seconds=20), 500, low=0.5, high=100.0, order=3)
    np.testing.assert_allclose(out[2500:-2500], sine(10.0, 500, seconds=20)[2500:-2500], atol=5.0)


def test_notch_takes_mains_and_leaves_the_rest():
    mains, heart = sine(50.0, 500, seconds=20), sine(10.0, 500, seconds=20)
    out = steps.notch(mains + heart, 500, frequency=50.0, quality=30.0)
    assert np.abs(out - heart)[2500:-2500].max() < 5.0


def test_short_gap_is_the_straight_line_and_an_edge_takes_its_neighbour():
    nan = np.nan
    signal = np.array([[nan, 1.0], [10.0, 2.0], [nan, 3.0], [nan, 4.0], [40.0, nan]])
    filled, zeroed = steps.fill_missing(signal, 10.0, max_gap_seconds=0.2)
    assert zeroed == 0
    assert filled.tolist() == [[10, 1], [10, 2], [20, 3], [30, 4], [40, 4]]
    assert np.isnan(signal[0, 0])  # the argument is left as it was


def test_gap_longer_than_the_limit_is_zero_and_counted():
    signal = np.full((20, 2), 7.0)
    signal[4:6, 0] = np.nan  # 0.2 s: at the limit
    signal[10:13, 0] = np.nan  # 0.3 s
    signal[:, 1] = np.nan
    filled, zeroed = steps.fill_missing(signal, 10.0, max_gap_seconds=0.2)
    assert zeroed == 3 + 20
    assert filled[:, 0].tolist() == [7.0] * 10 + [0.0] * 3 + [7.0] * 7
    assert not filled[:, 1].any()


def test_integers_have_no_gaps():
    signal = np.zeros((5, 2), np.int16)
    assert steps.fill_missing(signal, 500, max_gap_seconds=0.2) == (signal, 0)


def test_flat_is_under_ten_microvolts_peak_to_peak():
    signal = np.zeros((100, 4), np.float64)
    signal[::2, 0] = 9.0
    signal[::2, 1] = 10.0
    signal[:, 3] = np.nan
    assert steps.flat_leads(*steps.extremes(signal)).tolist() == [True, False, True, True]


def test_extremes_leave_missing_samples_apart():
    low, high = steps.extremes(np.array([[np.nan, np.nan], [3.0, np.nan], [-8.0, np.nan]]))
    np.testing.assert_array_equal([low, high], [[-8.0, np.nan], [3.0, np.nan]])


def test_extremes_at_the_ends_of_int16_do_not_overflow():
    signal = np.array([[-32767], [32767]], np.int16)
    assert steps.flat_leads(*steps.extremes(signal)).tolist() == [False]


def test_clipping_is_counted_from_ten_milliseconds_on():
    signal = np.tile(np.arange(100)[:, None] * 10.0, (5, 3))  # a saw tooth: its extremes last one sample
    signal[100:104, 0] = 5000.0  # 8 ms at 500 Hz
    signal[100:105, 1] = 5000.0  # 10 ms
    signal[200:207, 1] = -5000.0
    signal[:, 2] = 3.0  # flat: not clipped
    low, high = steps.extremes(signal)
    assert steps.clipped_samples(signal, 500, low=low, high=high) == 5 + 7


def test_einthoven_residual_by_hand():
    two = np.array([100.0, -100.0, 100.0, -100.0])
    assert steps.einthoven_residual(0.25 * two, two, 0.75 * two) == 0.0
    assert steps.einthoven_residual(0.25 * two, two, 0.25 * two) == pytest.approx(0.5)
    assert steps.einthoven_residual(two, two, two * np.nan) != steps.einthoven_residual(two, two, two)
    assert np.isnan(steps.einthoven_residual(two, 0 * two, two))
