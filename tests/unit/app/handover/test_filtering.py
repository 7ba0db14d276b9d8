"""Filters and resampling of a graph against SciPy's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from scipy import signal as dsp

from ecglfm.app.handover.filtering import BLOCK, resample, sections_without_delay, taps_without_delay
from ecglfm.app.handover.graph import IR, OPSET, Graph
from ecglfm.config import UserError

SECTIONS = dsp.butter(3, (0.67, 40.0), btype="bandpass", fs=500, output="sos")
#: Not the same backwards.
TAPS = dsp.firwin(151, (0.5, 40.0), pass_zero=False, fs=500) * np.linspace(0.5, 1.5, 151)


def run(make: Callable[[Graph], str], *signals: np.ndarray) -> list[np.ndarray]:
    """What a graph makes of each signal (rows, samples)."""
    graph = Graph("g")
    graph.add("Identity", make(graph), named=["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", f"{name}_samples"]) for name in "xy"]
    whole = graph.close(values[:1], values[1:])
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, {"x": signal})[0] for signal in signals]


def walks(*lengths: int) -> list[np.ndarray]:
    """Far from 0 at their ends; shorter and longer than a block and than the filters' edges."""
    rng = np.random.default_rng(0)
    return [3.0 + np.cumsum(rng.standard_normal((2, length)), axis=1) for length in lengths]


@pytest.mark.parametrize("line", [True, False])
@pytest.mark.parametrize("target", [240, 400, 1000])
def test_resampled_as_by_scipy(line: bool, target: int) -> None:
    signals = walks(2, 57, BLOCK, 1001)
    padtype = "line" if line else "constant"
    up, down = target // 20, 25
    for signal, found in zip(
        signals, run(lambda graph: resample(graph, "x", 500, target, line=line), *signals), strict=True
    ):
        np.testing.assert_allclose(found, dsp.resample_poly(signal, up, down, axis=1, padtype=padtype), atol=1e-10)


def test_rates_that_have_too_little_in_common() -> None:
    with pytest.raises(UserError, match=r"^from 500\.1 to 500 Hz is a step of 5000/5001, too large a filter for a"):
        resample(Graph("g"), "x", 500.1, 500)


def test_recursive_filters_as_by_scipy() -> None:
    signals = walks(22, BLOCK, 777)
    for signal, found in zip(
        signals, run(lambda graph: sections_without_delay(graph, "x", SECTIONS), *signals), strict=True
    ):
        np.testing.assert_allclose(found, dsp.sosfiltfilt(SECTIONS, signal), atol=1e-9)


def test_edges_of_a_short_recording_are_shortened_where_that_is_asked_for() -> None:
    (short,) = walks(21)  # the edge of three sections
    with pytest.raises(Exception, match="indices element out of data bounds"):
        run(lambda graph: sections_without_delay(graph, "x", SECTIONS), short)
    (found,) = run(lambda graph: sections_without_delay(graph, "x", SECTIONS, shorten=True), short)
    np.testing.assert_allclose(found, dsp.sosfiltfilt(SECTIONS, short, padlen=20), atol=1e-9)


def test_filters_of_finite_length_as_by_scipy() -> None:
    signals = walks(1, 2, BLOCK, 300, 454, 2000)
    for signal, found in zip(signals, run(lambda graph: taps_without_delay(graph, "x", TAPS), *signals), strict=True):
        edge = min(3 * len(TAPS), signal.shape[1] - 1)
        np.testing.assert_allclose(found, dsp.filtfilt(TAPS, 1.0, signal, padlen=edge), atol=1e-10)
