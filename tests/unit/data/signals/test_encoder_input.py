"""What an encoder reads, made of prepared signals: leads, units, lengths, windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import signal as dsp

from ecglfm.config import InputConfig, PreprocessConfig, UserError, parse
from ecglfm.config.input_steps import RecordStep
from ecglfm.data.signals import EncoderInput
from ecglfm.data.signals.encoder_input import reach
from ecglfm.data.signals.input_steps import apply_step


def contract(*record: dict[str, Any], window: Any = (), leads: Any = ("I", "II"), rate: int = 500) -> InputConfig:
    content = {"leads": list(leads), "sampling_rate": rate, "window_seconds": 1, "record": list(record)}
    return parse(InputConfig, content | {"window": list(window)}, "e.yaml")


def prepared(samples: int = 1000, leads: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(-3000, 3000, (samples, leads)).astype(np.int16)


def test_without_a_step_it_is_millivolts_of_its_leads() -> None:
    signal = prepared()
    given = EncoderInput(contract(leads=["V1", "I"]), PreprocessConfig())
    out = given.record(signal)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, (signal[:, [6, 0]] / 1000.0).astype(np.float32))
    np.testing.assert_array_equal(given.window(out[:500]), out[:500])
    assert (given.factor, given.length(1000), given.shortest) == (1, 1000, 2)


def test_leads_that_signals_lack_are_computed_from_two_of_the_limbs() -> None:
    signal = np.array([[1000, 40, 3000], [-500, 40, 2000]], np.int16)  # III, V1, aVF
    given = EncoderInput(contract(leads=["II", "I", "V1", "III"]), PreprocessConfig(leads=["III", "V1", "aVF"]))
    # aVF = (II + III) / 2, so that II = 2 aVF - III; I = II - III
    np.testing.assert_allclose(given.record(signal), [[5.0, 4.0, 0.04, 1.0], [4.5, 5.0, 0.04, -0.5]])
    signal[:, 2] = 0  # an absent lead gives no other
    np.testing.assert_allclose(given.record(signal), [[0, 0, 0.04, 1.0], [0, 0, 0.04, -0.5]])


def test_steps_of_the_record_see_it_all_and_steps_of_a_window_its_samples() -> None:
    signal = prepared()
    standard = {"step": "standardize"}
    whole = EncoderInput(contract(standard), PreprocessConfig(leads=["I", "II"])).record(signal[:, :2])
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-6)
    assert abs(whole[:500].mean(axis=0)).max() > 1e-3
    each = EncoderInput(contract(window=[standard]), PreprocessConfig(leads=["I", "II"]))
    mv = each.record(signal[:, :2])
    np.testing.assert_array_equal(mv, (signal[:, :2] / 1000.0).astype(np.float32))
    window = each.window(mv[:500])
    np.testing.assert_allclose(window.mean(axis=0), 0, atol=1e-6)
    assert window.dtype == np.float32


def test_steps_are_made_in_their_order_at_the_rate_that_they_stand_at() -> None:
    signal = prepared()
    steps = [{"step": "notch"}, {"step": "resample", "rate": 250, "method": "every"}, {"step": "notch"}]
    out = EncoderInput(contract(*steps, leads=["V6"], rate=250), PreprocessConfig()).record(signal)
    x = dsp.filtfilt(*dsp.iirnotch(50, 30, fs=500), signal[:, 11] / 1000)[::2]
    np.testing.assert_allclose(out[:, 0], dsp.filtfilt(*dsp.iirnotch(50, 30, fs=250), x), atol=1e-6)


STEPS = [
    ([{"step": "resample", "rate": 250, "method": "fourier"}], []),
    ([{"step": "resample", "rate": 400}, {"step": "pad", "seconds": 0.5, "where": "both"}], []),
    ([{"step": "resample", "rate": 500, "method": "linear"}], [{"step": "decimate", "factor": 5, "joined": True}]),
    ([], [{"step": "decimate", "factor": 2}, {"step": "decimate", "factor": 5}]),
]


@pytest.mark.parametrize(("record", "window"), STEPS)
@pytest.mark.parametrize("project", [250, 500, 1000])
def test_the_length_is_known_without_reading(record: list[Any], window: list[Any], project: int) -> None:
    factor = int(np.prod([step["factor"] for step in window]))
    rate = next((step["rate"] for step in record), project)
    config = contract(*record, window=window, rate=rate // factor)
    given = EncoderInput(config, PreprocessConfig(sampling_rate=project))
    assert given.factor == factor
    for samples in {given.shortest, 29, 99, 100, 101, 997, 1000}:
        read = given.record(prepared(samples))
        assert given.length(samples) == len(read) // factor == len(given.window(read)) > 0
    assert given.shortest == 2 or given.length(given.shortest - 1) == 0


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"^input\.leads: V1 is not in preprocess\.leads, nor computed"):
        EncoderInput(contract(leads=["V1"]), PreprocessConfig(leads=["I", "II"]))
    with pytest.raises(UserError, match=r"^preprocess\.notch: input begins with signals that no filter has seen"):
        EncoderInput(contract(), PreprocessConfig.model_validate({"notch": {}}))
    with pytest.raises(UserError, match=r"^input: 500 Hz are wanted, and preprocess\.sampling_rate is 250 Hz"):
        EncoderInput(contract(), PreprocessConfig(sampling_rate=250))


@pytest.mark.parametrize(
    ("step", "mend"),
    [
        ({"step": "butterworth", "low": 0.5, "high": 40, "order": 8, "form": "ba"}, "write `form: sos`, or higher"),
        ({"step": "butterworth", "low": 0.05, "order": 5, "form": "ba"}, "write `form: sos`, or higher"),
        ({"step": "butterworth", "low": 1e-12, "order": 8}, "double precision: higher"),
        ({"step": "notch", "frequency": 1e-9}, "double precision: higher"),
    ],
)
def test_a_filter_that_would_grow_without_end_is_refused(step: dict[str, Any], mend: str) -> None:
    """SciPy finds no state to begin with, or gives numbers of 1e253 for those of half a millivolt."""
    with pytest.raises(UserError, match=rf"^input\.record\.0: {step['step']}: a filter so narrow at 500 Hz .*{mend}"):
        EncoderInput(contract(step), PreprocessConfig())
    if step.get("form") == "ba":
        EncoderInput(contract(step | {"form": "sos"}), PreprocessConfig())


@pytest.mark.parametrize(
    ("step", "keys", "seconds"),
    [
        ("fir", {"low": 1, "high": 40, "taps": 101}, 0.202),
        ("median_baseline", {"seconds": [0.2, 0.6]}, 0.804),
        ("resample", {"rate": 250}, 0.04),
        ("resample", {"rate": 2000}, 0.02),
        ("resample", {"rate": 500, "method": "fourier"}, 0.0),
        ("resample", {"rate": 250, "method": "fourier"}, np.inf),
        ("resample", {"rate": 250, "method": "linear"}, np.inf),
        ("standardize", {}, np.inf),
        ("min_max", {}, np.inf),
        ("scale", {"per_millivolt": 2}, 0.0),
        ("limb_leads", {}, 0.0),
    ],
)
def test_how_far_a_step_reaches(step: str, keys: dict[str, Any], seconds: float) -> None:
    section: Any = TypeAdapter(RecordStep).validate_python({"step": step} | keys)
    assert reach(section, 500) == pytest.approx(seconds)


def test_where_rates_have_no_small_ratio_samples_drift_and_all_are_needed() -> None:
    section: Any = TypeAdapter(RecordStep).validate_python({"step": "resample", "rate": 10_000})
    assert (reach(section, 20_000), reach(section, 19_999)) == (0.001, np.inf)


@pytest.mark.parametrize(
    ("step", "keys"),
    [
        ("butterworth", {"low": 0.5, "high": 40, "order": 3}),
        ("butterworth", {"low": 0.67, "order": 1, "form": "ba"}),
        ("butterworth", {"high": 125, "order": 1}),
        ("notch", {"frequency": 50}),
    ],
)
def test_an_impulse_is_heard_no_further_than_a_filter_reaches(step: str, keys: dict[str, Any]) -> None:
    section: Any = TypeAdapter(RecordStep).validate_python({"step": step} | keys)
    samples = int(np.ceil(reach(section, 500) * 500))
    impulse = np.zeros((1, 4 * samples + 101))
    impulse[0, 2 * samples + 50] = 1.0
    (heard,) = np.flatnonzero(abs(apply_step(section, impulse, 500, ["I"])[0]) > 2e-6)[None]
    assert len(heard) > 0
    assert abs(heard - 2 * samples - 50).max() <= samples
