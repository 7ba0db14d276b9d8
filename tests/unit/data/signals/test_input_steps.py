"""Steps of an input contract against sines, numbers by hand and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import signal as dsp

from ecglfm.config.input_steps import RecordStep, WindowStep
from ecglfm.data.signals.input_steps import apply_step, length_after


def made(signal: Any, step: str, *, hz: int = 500, leads: tuple[str, ...] = (), **keys: Any) -> np.ndarray:
    """What a step makes of a signal of `hz`, which stays as it is; its length is what it is said to be."""
    kind: Any = WindowStep if step == "decimate" else RecordStep
    section = TypeAdapter(kind).validate_python({"step": step} | keys)
    x_lt = np.array(signal, float)
    before = x_lt.copy()
    out = apply_step(section, x_lt, hz, leads)
    np.testing.assert_array_equal(x_lt, before)
    assert out.shape == (len(x_lt), length_after(section, x_lt.shape[1], hz))
    assert out.dtype == np.float64
    return out


def sines(*frequencies: float, rate: int = 500, seconds: float = 10.0) -> np.ndarray:
    """A lead per frequency."""
    return np.sin(2 * np.pi * np.array(frequencies)[:, None] * np.arange(round(seconds * rate)) / rate)


def gains(x_lt: np.ndarray) -> list[float]:
    """Amplitude of each lead's sine, away from its ends."""
    quarter = x_lt.shape[1] // 4
    return [round(float(gain), 3) for gain in np.sqrt(2) * x_lt[:, quarter:-quarter].std(axis=1)]


@pytest.mark.parametrize(
    ("keys", "tolerance"),
    [({}, 1e-3), ({"ends": "zeros"}, 1e-3), ({"method": "fourier"}, 1e-9), ({"method": "every"}, 1e-9)],
)
def test_a_resampled_sine_is_the_sine_at_the_new_rate(keys: dict[str, Any], tolerance: float) -> None:
    out = made(sines(3.0, 7.0), "resample", rate=250, **keys)
    assert out.shape == (2, 2500)
    np.testing.assert_allclose(out[:, 250:-250], sines(3.0, 7.0, rate=250)[:, 250:-250], atol=tolerance)


def test_the_same_rate_is_an_exact_no_op() -> None:
    x_lt = np.random.default_rng(0).standard_normal((2, 100))
    for method in ("polyphase", "fourier", "linear", "every"):
        np.testing.assert_array_equal(made(x_lt, "resample", rate=500, method=method), x_lt)


@pytest.mark.parametrize("samples", [2, 3, 7, 499, 1001, 4999])
@pytest.mark.parametrize(("hz", "rate"), [(500, 250), (1000, 250), (500, 240), (257, 400), (500, 100)])
def test_lengths_of_any_rates(samples: int, hz: int, rate: int) -> None:
    """`made` holds each length to what it is said to be; here to what it must be."""
    x_lt, exact = np.arange(2.0 * samples).reshape(2, samples), samples * rate / hz
    lengths = [
        made(x_lt, "resample", hz=hz, rate=rate, method=method).shape[1]
        for method in ("polyphase", "fourier", "linear")
    ]
    assert lengths == [np.ceil(exact), max(1, np.floor(exact)), max(1, np.floor(exact))]
    if hz % rate == 0:
        assert made(x_lt, "resample", hz=hz, rate=rate, method="every").shape[1] == np.ceil(exact)


def test_resampling_by_lines_and_by_leaving_out() -> None:
    line = made([[0.0, 2.0, 4.0, 6.0], [1.0, 1.0, 0.0, 0.0]], "resample", hz=100, rate=200, method="linear")
    np.testing.assert_allclose(line[0], np.linspace(0, 6, 8))  # the first and the last are in their places
    np.testing.assert_allclose(line[1], [1, 1, 1, 5 / 7, 2 / 7, 0, 0, 0], atol=1e-12)  # from sample 1 to 2: 7/3 steps
    assert made([[5.0, 1.0, 4.0]], "resample", hz=100, rate=50, method="every").tolist() == [[5.0, 4.0]]


def test_what_is_beyond_the_ends_of_a_resampled_lead() -> None:
    ones = np.ones((1, 400))
    line, zeros = (made(ones, "resample", rate=250, ends=ends)[0] for ends in ("line", "zeros"))
    np.testing.assert_allclose(line, 1, atol=1e-3)
    np.testing.assert_allclose(zeros, dsp.resample_poly(ones[0], 1, 2), atol=1e-12)
    assert zeros[0] == pytest.approx(0.75, abs=0.02)  # half of a symmetric filter, and half of its middle again


@pytest.mark.parametrize("joined", [True, False])
def test_decimation_is_that_of_scipy(joined: bool) -> None:
    x_lt = np.random.default_rng(0).standard_normal((3, 503)) + np.array([[0.0], [5.0], [-5.0]])
    out = made(x_lt, "decimate", factor=5, joined=joined)
    whole = x_lt[:, :500]  # 503 is no multiple of 5
    by_itself = dsp.decimate(whole, 5, axis=1)
    expected = dsp.decimate(whole.reshape(-1), 5).reshape(3, 100) if joined else by_itself
    np.testing.assert_allclose(out, expected, atol=1e-12)
    assert (abs(out - by_itself).max() > 1) == joined  # joined, a lead rings where the next begins at another level
    assert made(x_lt[:, :3], "decimate", factor=5, joined=joined).shape == (3, 0)


@pytest.mark.parametrize("form", ["sos", "ba"])
def test_butterworth_gains(form: str) -> None:
    # At a cut-off it is 1/sqrt(2), twice: one half.
    x_lt = sines(0.05, 1.0, 10.0, 40.0, 150.0, seconds=60)
    keys = {"order": 3, "form": form}
    assert gains(made(x_lt, "butterworth", low=1.0, high=40.0, **keys)) == [0.0, 0.5, 1.0, 0.5, 0.0]
    assert gains(made(x_lt, "butterworth", low=1.0, **keys)) == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert gains(made(x_lt, "butterworth", high=40.0, **keys)) == [1.0, 1.0, 1.0, 0.5, 0.0]


def test_butterworth_forms_are_those_of_scipy() -> None:
    x_lt = np.random.default_rng(0).standard_normal((2, 1000))
    for low, high, kind in ((0.67, 40.0, "bandpass"), (0.67, None, "highpass"), (None, 40.0, "lowpass")):
        cut_off = [each for each in (low, high) if each]
        cut_off = cut_off if kind == "bandpass" else cut_off[0]
        b, a = dsp.butter(4, cut_off, btype=kind, fs=500)
        sections = dsp.butter(4, cut_off, btype=kind, fs=500, output="sos")
        ba = made(x_lt, "butterworth", low=low, high=high, order=4, form="ba")
        np.testing.assert_array_equal(ba, dsp.filtfilt(b, a, x_lt))
        sos = made(x_lt, "butterworth", low=low, high=high, order=4)
        np.testing.assert_array_equal(sos, dsp.sosfiltfilt(sections, x_lt))


def test_notch_and_band_pass_of_finite_length() -> None:
    x_lt = sines(0.5, 10.0, 50.0, 60.0)
    assert gains(made(x_lt, "notch", frequency=50.0, quality=30.0))[1:3] == [1.0, 0.0]
    b, a = dsp.iirnotch(50.0, 30.0, fs=500)
    np.testing.assert_allclose(made(x_lt, "notch"), dsp.filtfilt(b, a, x_lt), atol=1e-9)
    # The window method halves an amplitude at a cut-off, and here twice.
    out = made(x_lt, "fir", low=5.0, high=50.0, taps=301)
    assert gains(out) == [0.0, pytest.approx(1, abs=0.005), pytest.approx(0.25, abs=0.005), 0.0]
    taps = dsp.firwin(301, (5.0, 50.0), pass_zero=False, fs=500)
    np.testing.assert_array_equal(out, dsp.filtfilt(taps, 1.0, x_lt))


@pytest.mark.parametrize(
    "step",
    [
        {"step": "butterworth", "low": 0.67, "order": 5},
        {"step": "butterworth", "high": 40, "order": 5, "form": "ba"},
        {"step": "notch"},
        {"step": "fir", "low": 1.0, "high": 40.0, "taps": 151},
        {"step": "decimate", "factor": 2},
        {"step": "median_baseline", "seconds": [0.6]},
    ],
)
@pytest.mark.parametrize("samples", [1, 2, 3, 20])
def test_a_recording_shorter_than_the_filters_edges_is_filtered_all_the_same(
    step: dict[str, Any], samples: int
) -> None:
    assert np.isfinite(made(np.ones((2, samples)), **step)).all()


def test_median_baseline_by_hand() -> None:
    # 5 samples at 4 Hz are one second, and one; zeros count beyond the ends.
    x = [[3.0, 9.0, 1.0, 5.0, 7.0, 2.0]]
    zeros = made(x, "median_baseline", hz=4, seconds=[1.0])
    assert (np.array(x) - zeros).tolist() == [[1.0, 3.0, 5.0, 5.0, 2.0, 2.0]]
    nearest = made(x, "median_baseline", hz=4, seconds=[1.0], edges="nearest")
    assert (np.array(x) - nearest).tolist() == [[3.0, 3.0, 5.0, 5.0, 2.0, 2.0]]


def test_medians_one_of_the_other_are_those_of_medfilt() -> None:
    x = np.random.default_rng(0).standard_normal(2500).cumsum()
    expected = x - dsp.medfilt(dsp.medfilt(x, 51), 151)
    np.testing.assert_array_equal(made([x], "median_baseline", hz=250, seconds=[0.2, 0.6])[0], expected)
    even = made([x], "median_baseline", hz=255, seconds=[0.2])[0]  # 51 and one are even: 53
    np.testing.assert_array_equal(even, x - dsp.medfilt(x, 53))


def test_standardized_by_hand() -> None:
    x = [[1.0, 3.0, 1.0, 3.0], [10.0, 10.0, 10.0, 10.0], [0.1, 0.1, 0.1, 0.1]]
    lead = made(x, "standardize")
    assert lead.tolist() == [[-1.0, 1.0, -1.0, 1.0], [0.0] * 4, [0.0] * 4]
    assert made(x, "standardize", constant=7.0).tolist()[1:] == [[7.0] * 4, [7.0] * 4]
    assert made(x, "standardize", epsilon=1.0).tolist()[0] == [-0.5, 0.5, -0.5, 0.5]
    every = made([[1.0, 3.0], [5.0, 7.0]], "standardize", over="all")
    np.testing.assert_allclose(every, np.array([[-3.0, -1.0], [1.0, 3.0]]) / np.sqrt(5))
    assert made(np.ones((2, 3)), "standardize", over="all").tolist() == [[0.0] * 3] * 2
    # A mean that is not exact leaves a deviation of 1e-17, which is none.
    assert not made(np.full((1, 4999), 0.1), "standardize").any()


def test_range_by_hand() -> None:
    x = [[1.0, 3.0, 5.0], [2.0, 2.0, 2.0]]
    keys = {"epsilon": 1e-12}
    np.testing.assert_allclose(made(x, "min_max", **keys), [[0, 0.5, 1], [0, 0, 0]])
    np.testing.assert_allclose(made(x, "min_max", low=-1, **keys), [[-1, 0, 1], [-1, -1, -1]], atol=1e-9)
    np.testing.assert_allclose(made(x, "min_max", over="all", **keys), [[0, 0.5, 1], [0.25] * 3])
    assert made([[0.0, 1.0]], "min_max", epsilon=1.0).tolist() == [[0.0, 0.5]]


def test_what_a_high_pass_leaves_of_a_lead_that_is_off_is_no_signal() -> None:
    """Half a millivolt all along: rounding (of 1e-13; SciPy 1.18 leaves none), which over its deviation would be waves."""
    rng = np.random.default_rng(0)
    left = made(np.stack([np.full(5000, 0.5), rng.normal(0, 0.3, 5000)]), "butterworth", low=0.5, order=2)
    assert np.ptp(left[0]) < 1e-11
    left[0] += rng.normal(0, 1e-13, 5000)
    out = made(left, "standardize", constant=7.0)
    np.testing.assert_array_equal(out[0], 7.0)
    assert out[1].std() == pytest.approx(1)


def test_constants_scale_and_padding_by_hand() -> None:
    keys = {"lower": [-1, 0], "upper": [1, 10], "mean": [0.5, 2], "deviation": [0.5, 4]}
    out = made([[-3.0, 0.5, 2.0], [-3.0, 6.0, 20.0]], "constants", **keys)
    assert out.tolist() == [[-3.0, 0.0, 1.0], [-0.5, 1.0, 2.0]]
    assert made([[0.061, 0.0123]], "scale", per_millivolt=1000.0).tolist() == [[61.0, pytest.approx(12.3)]]
    assert made([[0.0015, 0.0025, 0.0027]], "scale", per_millivolt=1000.0, round=True).tolist() == [[2.0, 2.0, 3.0]]
    x = [[1.0, 2.0]]
    assert made(x, "pad", hz=1, seconds=5).tolist() == [[1.0, 2.0, 0.0, 0.0, 0.0]]
    assert made(x, "pad", hz=1, seconds=5, where="both").tolist() == [[0.0, 1.0, 2.0, 0.0, 0.0]]
    assert made(x, "pad", hz=1, seconds=1).tolist() == x


def test_limb_leads_by_hand() -> None:
    leads = ("II", "V1", "aVF", "I", "aVL", "aVR", "III")
    x = np.zeros((7, 1))
    x[0], x[1], x[3] = 5.0, 9.0, 2.0
    out = made(x, "limb_leads", leads=leads)[:, 0]
    assert dict(zip(leads, out.tolist(), strict=True)) == {
        "I": 2.0, "II": 5.0, "III": 3.0, "aVR": -3.5, "aVL": -0.5, "aVF": 4.0, "V1": 9.0,
    }  # fmt: skip
    x[3] = 0.0  # I is absent, and so are sums with it
    assert made(x, "limb_leads", leads=leads)[:, 0].tolist() == [5.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_muse_integers_survive_microvolts() -> None:
    """4.88 uV stored as whole microvolts come back as the integers that they were."""
    units = np.arange(-6000.0, 6001.0)
    stored = np.rint(units * 4.88)
    assert made([stored / 1000], "scale", per_millivolt=1 / 0.00488, round=True)[0].tolist() == units.tolist()
