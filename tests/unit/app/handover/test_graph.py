"""Nodes that are added one by one do what they say."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from ecglfm.app.handover.graph import IR, OPSET, Graph


def test_columns_lengths_and_constants():
    graph = Graph("g")
    backwards = graph.cut("x", graph.length("x", 1), -10, -2)
    graph.add("Mul", backwards, graph.float(0.5), named=["half"])
    graph.add("Range", graph.constant(0), graph.scalar(graph.length("x", 0)), graph.constant(1), named=["rows"])
    first, second = graph.add("Split", "x", [1, 2], outputs=2, axis=0)
    graph.add("Add", first, graph.cast(graph.cast(second, "INT64"), "DOUBLE"), named=["sums"])
    whole = graph.close(
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["rows", "columns"])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in
         (("half", TensorProto.DOUBLE), ("rows", TensorProto.INT64), ("sums", TensorProto.DOUBLE))],
    )  # fmt: skip
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    half, rows, sums = session.run(["half", "rows", "sums"], {"x": np.arange(12.0).reshape(3, 4)})
    assert half.tolist() == [[1.5, 0.5], [3.5, 2.5], [5.5, 4.5]]
    assert rows.tolist() == [0, 1, 2]
    assert sums.tolist() == [[4, 6, 8, 10], [8, 10, 12, 14]]
