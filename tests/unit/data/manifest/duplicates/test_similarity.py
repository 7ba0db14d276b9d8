"""Correlation at the best lag, against NumPy's at every lag."""

import numpy as np
import pytest
import wfdb

from ecglfm.data.manifest.duplicates.similarity import alike_throughout, best_lags, correlation, similarity
from tests.unit.data.recordings_in_memory import beating, drifting


def numpys(a, b):
    return np.corrcoef((a - a.mean(axis=0)).ravel(), (b - b.mean(axis=0)).ravel())[0, 1]


def test_correlation_is_numpys_over_all_leads():
    a, b = drifting(2)
    assert correlation(a, b) == pytest.approx(numpys(a, b), abs=1e-12)
    assert correlation(a, a) == 1.0
    assert correlation(a, -a) == -1.0


def test_correlation_of_what_does_not_move_is_zero():
    a = drifting(1)[0]
    assert correlation(a, np.full_like(a, 5)) == 0.0
    assert correlation(np.zeros_like(a), np.zeros_like(a)) == 0.0
    assert best_lags(a.astype(float), np.zeros(a.shape), overlap=100, at_least=0.01) == []


@pytest.mark.parametrize(("n", "m", "overlap"), [(60, 60, 20), (50, 80, 30), (80, 50, 50)])
def test_best_lag_is_the_best_of_all_lags_tried_one_by_one(n, m, overlap):
    rng = np.random.default_rng(n)
    x, y = rng.normal(3, 1, (n, 4)), rng.normal(-2, 1, (m, 4))
    values = {}
    for lag in range(overlap - n, m - overlap + 1):
        begin, end = max(0, -lag), min(n, m - lag)
        assert end - begin >= overlap
        values[lag] = numpys(x[begin:end], y[begin + lag : end + lag])
    around = {lag: [values.get(lag + step, -1.0) for step in (-1, 1)] for lag in values}
    peaks = sorted((lag for lag in values if values[lag] > max(around[lag])), key=values.get, reverse=True)
    found = best_lags(x, y, overlap=overlap, at_least=-1.0)
    assert [lag for lag, _ in found] == peaks[:5]
    assert [value for _, value in found] == pytest.approx([values[lag] for lag in peaks[:5]], abs=1e-9)
    above = (values[peaks[0]] + values[peaks[1]]) / 2
    assert [lag for lag, _ in best_lags(x, y, overlap=overlap, at_least=above)] == peaks[:1]


@pytest.mark.parametrize("shift", [0, 1, 2, 37, 1203, 2500])
@pytest.mark.parametrize("fs", [500, 360])
def test_shifted_copy_has_correlation_one_either_way(shift, fs):
    signal = beating(0, n_samples=5400, rate=fs)
    assert similarity(signal, signal[shift:], fs, at_least=0.98) == 1.0
    assert similarity(signal[shift:], signal, fs, at_least=0.98) == 1.0
    cut = signal[shift : shift + 5 * fs]
    assert similarity(cut, signal, fs, at_least=0.98) == 1.0


def test_less_than_five_seconds_in_common_is_not_enough():
    signal = beating(0)
    assert similarity(signal[:3750], signal[1250:], 500, at_least=0.98) == 1.0  # 5 s in common
    assert similarity(signal[:3000], signal[2000:], 500, at_least=0.98) < 0.98  # 2 s


def test_a_second_of_likeness_is_not_enough():
    signal = beating(0)
    assert similarity(signal, signal[:500], 500, at_least=0.98) == 0.0


def settling(signal):
    """Electrodes that settle within the first seconds, alike in all leads: 25 mV, time constant 0.8 s."""
    return np.rint(signal + 25_000 * np.exp(-np.arange(len(signal)) / 400.0)[:, None]).astype(np.int16)


def touched(signal):
    """A 20 mV artefact of 40 ms at 0.5 s."""
    signal = signal.copy()
    signal[250:270] += 20_000
    return signal


def flat_with_a_jump(signal):
    return np.repeat(np.where(np.arange(len(signal)) < 2000, 0, 800).astype(np.int16)[:, None], 12, axis=1)


@pytest.mark.parametrize("spoil", [settling, touched])
def test_a_moment_of_likeness_makes_no_copies(spoil):
    a, b = spoil(beating(1)), spoil(beating(2))
    assert correlation(a, b) > 0.98
    assert similarity(a, b, 500, at_least=0.98) == 0.0
    assert similarity(a, a[3:], 500, at_least=0.98) == 1.0  # what is a copy stays one


def humming(signal):
    """Mains hum of 10 mV in five leads, whose electrodes are off."""
    hum = 10_000 * np.sin(2 * np.pi * 50 / 500 * np.arange(len(signal)))
    signal = signal.copy()
    signal[:, 7:] = np.rint(hum)[:, None]
    return signal


def test_leads_that_hum_alike_make_no_copies():
    a, b = humming(beating(1)), humming(beating(2))
    assert correlation(a, b) > 0.99
    assert alike_throughout(a, b, 500) < 0.8
    assert similarity(a, b, 500, at_least=0.98) == 0.0
    assert similarity(a, humming(beating(1)[3:]), 500, at_least=0.9) > 0.9


def test_a_copy_without_baseline_wander_is_one():
    signal = beating(1)
    time = np.arange(len(signal)) / 500
    wandering = np.rint(signal + 200 * np.sin(2 * np.pi * 0.2 * time)[:, None]).astype(np.int16)
    assert correlation(signal, wandering) < 0.95
    assert similarity(signal, wandering[333:], 500, at_least=0.98) > 0.99


def test_an_excerpt_of_a_regular_rhythm_is_compared_at_its_own_beat(real_data):
    # At the coarse rate, a beat more or less looks better, for it hits the samples' grid.
    v1 = wfdb.rdsamp(str(real_data / "ptb-xl/records500/00000/00137_hr"))[0][:, 6:7]
    v1 = np.rint(1000 * v1).astype(np.int16)
    assert similarity(v1, v1[333:], 500, at_least=0.98) == pytest.approx(1.0, abs=1e-6)


def test_one_jump_in_flat_recordings_makes_no_copies():
    a = flat_with_a_jump(beating(1))
    b = a.copy()
    b[3000, 2] += 1
    assert correlation(a, b) > 0.999
    assert similarity(a, b, 500, at_least=0.98) == 0.0


def test_a_copy_that_is_flat_for_most_of_its_time_is_one():
    signal = beating(1)
    signal[2500:] = 0
    copy = (5 * np.rint(signal / 5)).astype(np.int16)
    assert similarity(signal, copy, 500, at_least=0.98) > 0.99


def test_other_numbers_of_leads_are_no_copies():
    signal = beating(0)
    assert similarity(signal, signal[:, :8], 500, at_least=0.98) == 0.0
