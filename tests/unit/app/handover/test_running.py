"""From what is said of windows to what is said of a recording, by sums by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from ecglfm.app.handover.contents import BundledModel, Tolerance
from ecglfm.app.handover.example import Example
from ecglfm.app.handover.graph import IR, OPSET, Graph
from ecglfm.app.handover.running import compare, run_graphs
from ecglfm.config import UserError

#: What a graph says of three windows of two labels, whatever the recording.
SAID = np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])


def graphs(folder: Path, output: str) -> None:
    """`preprocess.onnx` hands on what it gets as one window, `model.onnx` says `SAID`."""
    graph, shape = Graph("p"), [12, "n"]
    graph.add("Cast", graph.add("Unsqueeze", "signal", [0]), to=TensorProto.FLOAT, named=["windows"])
    whole = graph.close(
        [helper.make_tensor_value_info("signal", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, [1, *shape])],
    )
    asked = Graph("m")
    asked.add("Identity", asked.constant(SAID, np.float32), named=[output])
    other = asked.close(
        [helper.make_tensor_value_info("signal", TensorProto.FLOAT, [1, *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [3, 2])],
    )
    for name, each in (("preprocess", whole), ("model", other)):
        model = helper.make_model(each, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def logistic(p: float, temperature: float) -> float:
    return 1 / (1 + math.exp(-math.log(p / (1 - p)) / temperature))


CASES = [
    ("multilabel", "mean", None, [0.5, 0.5]),
    ("multilabel", "max", [2.0, 0.5], [logistic(0.9, 2.0), logistic(0.8, 0.5)]),
    ("multilabel", "median", [1.0, 1.0], [0.4, 0.6]),
    ("multiclass", "max", None, [0.9 / 1.7, 0.8 / 1.7]),
    ("multiclass", "max", [2.0, 2.0], [math.sqrt(0.9) / (math.sqrt(0.9) + math.sqrt(0.8)), math.sqrt(0.8) / (math.sqrt(0.9) + math.sqrt(0.8))]),
    ("multiclass", "mean", [0.5, 0.5], [0.5, 0.5]),
    ("regression", "max", None, [0.9, 0.8]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "aggregate", "temperature", "expected"), CASES)
def test_a_recording_by_its_windows(
    tmp_path: Path, kind: str, aggregate: str, temperature: list[float] | None, expected: list[float]
):
    model = BundledModel(kind=kind, aggregate=aggregate, label_names=["a", "b"], temperature=temperature)
    graphs(tmp_path, "predictions" if kind == "regression" else "probabilities")
    signal = np.arange(24.0).reshape(12, 2)
    windows, said = run_graphs(tmp_path, signal, model)
    np.testing.assert_array_equal(windows, signal[None])
    np.testing.assert_allclose(said, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": np.array([0.5, 0.5002])}, "outputs by 2.0e-04, 0.0001 allowed"),
        ({"outputs": np.array([0.5, np.nan])}, "outputs by nan"),
        ({"outputs": np.array([0.5])}, r"outputs \(2,\) of the test vector, not .* and \(1,\)"),
        ({"windows": np.full((1, 12, 2), 0.0011, np.float32)}, "windows by 1.1e-03 mV, 0.001 allowed"),
    ],
)
def test_what_differs_is_refused(tmp_path: Path, change: dict, message: str):
    model = BundledModel(kind="multilabel", aggregate="mean", label_names=["a", "b"])
    graphs(tmp_path, "probabilities")
    whole = Example(np.zeros((12, 2)), np.full((1, 12, 2), 0.001, np.float32), np.array([0.5, 0.50009]))
    assert compare(tmp_path, whole, model, Tolerance()) == pytest.approx((0.001, 9e-5), rel=1e-3)
    with pytest.raises(UserError, match=message):
        compare(tmp_path, whole._replace(**change), model, Tolerance())


def test_windows_in_another_unit_may_differ_by_what_the_bundle_says(tmp_path: Path):
    model = BundledModel(kind="multilabel", aggregate="mean", label_names=["a", "b"])
    graphs(tmp_path, "probabilities")
    whole = Example(np.zeros((12, 2)), np.full((1, 12, 2), 0.05, np.float32), np.array([0.5, 0.5]))
    assert compare(tmp_path, whole, model, Tolerance(windows=0.05, unit="units")).windows == pytest.approx(0.05)
    with pytest.raises(UserError, match=r"windows by 5\.0e-02 units, 0\.04 allowed"):
        compare(tmp_path, whole, model, Tolerance(windows=0.04, unit="units"))
