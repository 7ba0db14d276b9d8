"""Signal steps against analytic signals, hand-worked gaps and SciPy's frequency responses."""

from fractions import Fraction

import numpy as np
import pytest

from ecglfm.data.signals import filters as steps


def sine(frequency, fs, seconds=10.0, amplitude=1000.0):
    time = np.arange(round(seconds * fs)) / fs
    return (amplitude * np.sin(2 * np.pi * frequency * time))[None]


@pytest.mark.parametrize(
    ("fs", "target"), [(400, 500), (1000, 500), (500, 100), (257, 500), (1000 / 3, 500), (128.5, 250)]
)
def test_resampled_sine_is_the_analytic_sine_at_the_new_rate(fs, target):
    out = steps.resample(sine(7.0, fs), fs, target=target)
    expected = sine(7.0, target, seconds=out.shape[1] / target)
    inner = slice(target // 2, -target)  # away from the edges
    assert np.abs(out - expected)[0, inner].max() < 3.0  # of 1000 uV


def test_resampling_400_to_500_hz_makes_4096_samples_5120():
    assert steps.resample(np.zeros((12, 4096), np.int16), 400, target=500).shape == (12, 5120)


def test_the_length_of_a_second_stays_right_within_a_millionth():
    for fs in (500.1, 499.5, 999.8, 250.1, 1000.3, 1000 / 3, 128.0001, 257.0):
        assert abs(steps.ratio(fs, 500) * fs / 500 - 1) <= 1e-6
    assert steps.ratio(500.1, 500) == Fraction(5000, 5001)
    assert steps.ratio(500.0001, 500) == 1  # off by less
    rates = np.random.default_rng(0).uniform(20, 20_000, 500)
    assert max(abs(float(steps.ratio(fs, 500)) * fs / 500 - 1) for fs in [*rates, 500.02, 499.97]) <= 1e-4
    assert steps.resample(np.zeros((1, 50_010)), 500.1, target=500).shape == (1, 50_000)


def test_same_rate_is_the_very_same_array():
    signal = np.arange(24, dtype=np.int16).reshape(2, 12)
    assert steps.resample(signal, 500.0, target=500) is signal


def test_what_the_new_rate_cannot_hold_is_filtered_out_not_folded_back():
    # 180 Hz at 500 Hz would appear at 20 Hz after taking every fifth sample.
    out = steps.resample(sine(180.0, 500), 500, target=100)
    assert np.sqrt(np.mean(out[0, 50:-50] ** 2)) < 707 / 300  # 50 dB down
    assert np.sqrt(np.mean(sine(180.0, 500)[0, ::5] ** 2)) > 700  # the fold that was avoided


def test_300_hz_at_1000_hz_vanishes_at_500_hz_and_10_hz_keeps_its_amplitude():
    # 300 Hz is beyond 250 Hz, half of the new rate; taking every second sample would show it at 200 Hz.
    out = steps.resample(sine(300.0, 1000) + sine(10.0, 1000), 1000, target=500)[0, 500:-500]
    phase = 2 * np.pi * np.arange(len(out)) / 500
    assert abs(2 * np.mean(out * np.exp(10j * phase))) == pytest.approx(1000, rel=1e-3)
    assert abs(2 * np.mean(out * np.exp(200j * phase))) < 1000 / 300


@pytest.mark.parametrize("fs", [100, 257, 360, 400, 1000])
def test_10_hz_keeps_its_amplitude_from_any_rate(fs):
    out = steps.resample(sine(10.0, fs), fs, target=500)[0, 500:-500]
    phase = 2 * np.pi * np.arange(len(out)) / 500
    assert abs(2 * np.mean(out * np.exp(10j * phase))) == pytest.approx(1000, rel=2e-3)


def test_an_offset_does_not_ring_at_the_edges():
    out = steps.resample(np.full((1, 1000), 5000.0), 500, target=360)
    np.testing.assert_allclose(out, 5000.0, atol=1.0)  # zeros beyond the ends would give 2500


@pytest.mark.parametrize(("frequency", "gain"), [(0.05, 0.0), (0.5, 0.5), (10.0, 1.0), (40.0, 0.5), (120.0, 0.0)])
def test_bandpass_gain(frequency, gain):
    # Forwards and backwards the Butterworth gain at a cut-off is 1/sqrt(2) twice: one half.
    out = steps.bandpass(sine(frequency, 500, seconds=60), 500, low=0.5, high=40.0, order=3)
    inner = out[0, 10_000:-10_000]
    assert np.sqrt(2 * np.mean(inner**2)) / 1000 == pytest.approx(gain, abs=0.02)


def test_bandpass_has_no_delay():
    out = steps.bandpass(sine(10.0, 500, seconds=20), 500, low=0.5, high=100.0, order=3)
    np.testing.assert_allclose(out[0, 2500:-2500], sine(10.0, 500, seconds=20)[0, 2500:-2500], atol=5.0)


def test_notch_takes_mains_and_leaves_the_rest():
    mains, heart = sine(50.0, 500, seconds=20), sine(10.0, 500, seconds=20)
    out = steps.notch(mains + heart, 500, frequency=50.0, quality=30.0)
    assert np.abs(out - heart)[0, 2500:-2500].max() < 5.0


def test_short_gap_is_the_straight_line_and_an_edge_takes_its_neighbour():
    nan = np.nan
    signal = np.array([[nan, 10.0, nan, nan, 40.0], [1.0, 2.0, 3.0, 4.0, nan]])
    filled = steps.fill_missing(signal, 10.0, max_gap_seconds=0.2)
    assert filled.tolist() == [[10, 10, 20, 30, 40], [1, 2, 3, 4, 4]]
    assert np.isnan(signal[0, 0])  # the argument is left as it was


def test_gap_longer_than_the_limit_is_zero():
    signal = np.full((2, 20), 7.0)
    signal[0, 4:6] = np.nan  # 0.2 s: at the limit
    signal[0, 10:13] = np.nan  # 0.3 s
    signal[1] = np.nan
    filled = steps.fill_missing(signal, 10.0, max_gap_seconds=0.2)
    assert filled[0].tolist() == [7.0] * 10 + [0.0] * 3 + [7.0] * 7
    assert not filled[1].any()


def test_integers_have_no_gaps():
    signal = np.zeros((2, 5), np.int16)
    assert steps.fill_missing(signal, 500, max_gap_seconds=0.2) is signal


def test_runs_by_hand():
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]], bool)
    assert [found.tolist() for found in steps.runs(mask)] == [[0, 0, 2, 2], [0, 3, 0, 2], [2, 4, 1, 4]]
