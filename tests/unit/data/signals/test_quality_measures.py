"""Measures of quality against planted faults whose size is known."""

import numpy as np
import pytest
import threadpoolctl

from ecglfm.data.signals import quality_measures

FS = 500


def ecg(fs=FS, seconds=10.0, noise=3.0, seed=0):
    """A beat of 1 mV every 0.8 s in three leads of 1.0, 0.6 and -0.4 mV, over white noise; microvolts, (3, n)."""
    time = np.arange(round(seconds * fs)) / fs
    beat = 1000 * np.exp(-(((time % 0.8 - 0.4) / 0.015) ** 2))
    return np.outer([1.0, 0.6, -0.4], beat) + np.random.default_rng(seed).normal(0, noise, (3, len(time)))


def hum(frequency, amplitude, fs=FS, seconds=10.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * fs)) / fs + 0.7)


def integers(signal):
    return np.rint(signal).astype(np.int16)


def test_a_lead_moves_from_ten_microvolts_on():
    signal = np.zeros((4, 100))
    signal[0, ::2] = 9.0
    signal[1, ::2] = 10.0
    signal[3] = np.nan
    assert quality_measures.blocks(signal, 100).moving.tolist() == [False, True, False, False]


def test_extremes_of_blocks_leave_missing_samples_apart():
    signal = np.arange(10.0)[None].repeat(2, axis=0)
    signal[0, 4:8] = np.nan
    found = quality_measures.blocks(signal, 20.0)  # 0.2 s are 4 samples
    np.testing.assert_array_equal(found.low, [[0, np.nan, 8], [0, 4, 8]])
    np.testing.assert_array_equal(found.high, [[3, np.nan, 9], [3, 7, 9]])
    assert found.bounds.tolist() == [0, 4, 8, 10]


def test_extremes_at_the_ends_of_int16_do_not_overflow():
    assert quality_measures.blocks(np.array([[-32767, 32767]], np.int16), 500).moving.tolist() == [True]


def test_long_gap_is_the_longest_run_beyond_the_limit():
    missing = np.zeros((3, 1000), bool)
    missing[0, 100:150] = missing[2, 900:] = True
    assert quality_measures.long_gap(missing, 500.0, 0.1) == (2, 0.2)
    assert quality_measures.long_gap(missing, 500.0, 0.2) == (None, 0.0)
    assert quality_measures.long_gap(~missing | True, 500.0, 0.2) == (0, 2.0)


@pytest.mark.parametrize("rail", [0.0, 5000.0])
def test_lead_off_is_the_stretch_in_which_a_lead_stands_still(rail):
    signal = integers(ecg())
    signal[1, 1000:2750] = rail  # 2.0 s to 5.5 s: 17 whole blocks of 0.2 s
    row, seconds = quality_measures.lead_off(quality_measures.blocks(signal, FS))
    assert (row, seconds) == (1, pytest.approx(3.4))


def test_lead_off_is_not_a_flat_lead_nor_a_gap():
    signal = ecg()
    signal[0] = 3.0
    signal[2, 1000:3000] = np.nan
    row, seconds = quality_measures.lead_off(quality_measures.blocks(signal, FS))
    assert (row, seconds) == (None, 0.0)


def test_clipping_is_counted_from_ten_milliseconds_on():
    signal = np.tile(np.arange(100) * 10.0, (3, 5))  # a saw tooth: its extremes last one sample
    signal[0, 100:104] = 5000.0  # 8 ms at 500 Hz
    signal[1, 103:108] = 5000.0  # 10 ms
    signal[1, 201:208] = -5000.0
    signal[2] = 3.0  # flat: not clipped
    for found in (signal, integers(signal), np.where(np.arange(500) == 300, np.nan, signal)):
        assert quality_measures.clipped_samples(found, 500, quality_measures.blocks(found, 500)) == 5 + 7


def test_amplitude_is_the_median_over_time_and_leads_in_millivolts():
    signal = ecg(noise=0)
    assert quality_measures.amplitude(quality_measures.blocks(signal, FS)) == pytest.approx(0.6, rel=1e-3)
    signal[:, 700] = signal[:, 3000] = 30_000  # two spikes of 30 mV
    assert quality_measures.amplitude(quality_measures.blocks(signal, FS)) == pytest.approx(0.6, rel=1e-3)
    assert quality_measures.amplitude(quality_measures.blocks(1000 * signal, FS)) == pytest.approx(600, rel=1e-3)
    assert quality_measures.amplitude(quality_measures.blocks(0 * signal, FS)) == 0.0
    assert np.isnan(quality_measures.amplitude(quality_measures.blocks(np.nan * signal, FS)))


@pytest.mark.parametrize("fs", [160, 257, 360, 1000 / 3, 400, 500, 1000])
@pytest.mark.parametrize("frequency", [50.0, 60.0])
def test_mains_hum_is_found_with_its_amplitude_and_frequency(fs, frequency):
    signal = ecg(fs)
    signal[1] += hum(frequency * 1.001, 40.0, fs)  # mains are never exact
    place, found = quality_measures.mains_noise(signal, fs)
    assert (place.row, found) == (1, frequency)
    assert place.value == pytest.approx(40.0, rel=0.03)


def test_mains_hum_is_not_the_heart_nor_white_noise():
    # A beat of 1 mV that is 10 ms wide has 10 uV at 50 Hz, and nearly as much to both sides.
    time = np.arange(5000) / FS
    sharp = 1000 * np.exp(-(((time % 0.8 - 0.4) / 0.006) ** 2))[None]
    assert quality_measures.mains_noise(sharp, FS)[0].value < 5.0
    assert quality_measures.mains_noise(ecg(noise=50), FS)[0].value < 10.0


def test_mains_hum_leaves_seconds_with_gaps_out():
    signal = ecg()
    signal[2] += hum(60.0, 40.0)
    signal[0] = np.nan
    signal[2, 1100:1300] = np.nan
    place, frequency = quality_measures.mains_noise(signal, FS)
    assert (place.row, place.value, frequency) == (2, pytest.approx(40.0, rel=0.03), 60.0)


@pytest.mark.parametrize(("fs", "seconds"), [(100, 10.0), (500, 0.9)])
def test_mains_hum_is_unknown_where_the_rate_or_the_length_does_not_show_it(fs, seconds):
    place, frequency = quality_measures.mains_noise(ecg(fs, seconds), fs)
    assert place.row is None
    assert np.isnan([place.value, frequency]).all()


def test_at_125_hz_only_50_hz_is_measured():
    signal = ecg(125)
    signal[0] += hum(50.0, 40.0, 125)
    place, frequency = quality_measures.mains_noise(signal, 125)
    assert (place.row, place.value, frequency) == (0, pytest.approx(40.0, rel=0.03), 50.0)


def test_number_of_threads_does_not_change_a_bit():
    rng = np.random.default_rng(0)
    signals = [integers(rng.normal(0, 8000, (12, 30_000)).clip(-32767, 32767)) for _ in range(10)]

    def all_of(signal):
        residual = quality_measures.einthoven_residual(*signal[:3])
        return quality_measures.mains_noise(signal, 1000), quality_measures.swapped_leads(*signal[:3], 1000), residual

    found = {}
    for threads in (1, 2, 4):  # whatever OMP_NUM_THREADS says
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            # NumPy's and SciPy's, if they have one each.
            numbers = {
                library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
            }
            assert numbers == {threads}
            found[threads] = [all_of(signal) for signal in signals]
    assert found[1] == found[2] == found[4]


def test_einthoven_residual_by_hand():
    two = np.array([100.0, -100.0, 100.0, -100.0])
    assert quality_measures.einthoven_residual(0.25 * two, two, 0.75 * two) == 0.0
    assert quality_measures.einthoven_residual(0.25 * two, two, 0.25 * two) == pytest.approx(0.5)
    gap = np.array([0.0, 0.0, np.nan, 0.0])
    assert quality_measures.einthoven_residual(0.25 * two, two, 0.25 * two + gap) == pytest.approx(0.5)
    assert np.isnan(quality_measures.einthoven_residual(two, 0 * two, two))


def test_offsets_of_the_electrodes_neither_break_nor_hide_einthovens_law():
    two = np.array([100.0, -100.0, 100.0, -100.0])
    assert quality_measures.einthoven_residual(0.25 * two + 40, two - 3000, 0.75 * two + 200) == 0.0
    assert quality_measures.einthoven_residual(-0.25 * two, two + 3000, 0.75 * two + 3000) == pytest.approx(
        0.5
    )  # I inverted
    gap = np.array([0.0, np.nan, 0.0, np.nan])  # what is left of II stands still at 2100
    assert np.isnan(quality_measures.einthoven_residual(two, two + 2000 + gap, two))


def test_swapped_electrodes_of_one_dipole():
    # One source seen by every lead: correlations are +-1, so evidence is -2 (aVR alone runs against V6) or 2.
    beat = ecg(noise=0)[0]
    i, ii, v6 = 0.8 * beat, 1.0 * beat, 0.9 * beat
    iii = ii - i
    assert quality_measures.swapped_leads(i, ii, v6, FS)[0] == pytest.approx(-2)
    assert quality_measures.swapped_leads(-i, iii, v6, FS) == (pytest.approx(2), "arms")
    assert quality_measures.swapped_leads(-iii, -ii, v6, FS) == (pytest.approx(2), "right arm and left leg")
    gap = np.where(np.arange(len(beat)) < 2000, np.nan, 0.0)
    assert quality_measures.swapped_leads(-i + gap, iii, v6, FS) == (pytest.approx(2), "arms")
    assert np.isnan(quality_measures.swapped_leads(i, ii, 0 * v6, FS)[0])
