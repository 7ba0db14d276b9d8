"""Writes an ONNX graph node by node: what `preprocessing` is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

OPSET, IR = 17, 8  # of 2022: what an older runtime reads, too


class Graph:
    """A graph in the making; values are known by their names.

    Parameters
    ----------
    name : str
        Begins every name in it, so that a graph within another has names of its own.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, value: Any, dtype: type = np.int64) -> str:
        """A number or an array that is part of the graph."""
        from onnx import numpy_helper

        name = f"{self._name}.c{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value, dtype), name)
        return name

    def add(
        self,
        operator: str,
        *inputs: str | int | Sequence[int],
        outputs: int = 1,
        named: Sequence[str] = (),
        **more: Any,
    ) -> Any:
        """A node.

        Parameters
        ----------
        operator : str
        *inputs : str, int or sequence of int
            Names of values, or integers that become constants.
        outputs : int
            How many it has.
        named : sequence of str
            Their names, where they are those of the graph's own outputs.
        **more
            Attributes.

        Returns
        -------
        str or list of str
            Names of the outputs; a list where there are several.
        """
        from onnx import helper

        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        made = list(named) or [f"{self._name}.{operator}{len(self._nodes)}.{k}" for k in range(outputs)]
        self._nodes.append(helper.make_node(operator, names, made, **more))
        return made[0] if len(made) == 1 else made

    def float(self, value: Any) -> str:
        """A constant in double precision."""
        return self.constant(value, np.float64)

    def cast(self, value: str, dtype: str, **more: Any) -> str:
        """The same numbers in another of ONNX's types, such as `DOUBLE`; the rest as in `add`."""
        from onnx import TensorProto

        return str(self.add("Cast", value, to=int(getattr(TensorProto, dtype)), **more))

    def length(self, value: str, axis: int) -> str:
        """Length along an axis, as an array of one integer."""
        return self.add("Gather", self.add("Shape", value), [axis])

    def scalar(self, value: str) -> str:
        """An array of one number as the number."""
        return self.add("Squeeze", value, [0])

    def cut(self, value: str, start: str | int, stop: str | int, step: int = 1) -> str:
        """Columns of an array (rows, columns), as `value[:, start:stop:step]`."""
        ends = [each if isinstance(each, str) else [each] for each in (start, stop)]
        return self.add("Slice", value, *ends, [1], [step])

    def close(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.GraphProto:
        """The whole graph, between values that `onnx.helper.make_tensor_value_info` describes."""
        from onnx import helper

        return helper.make_graph(self._nodes, self._name, inputs, outputs, list(self._constants.values()))
