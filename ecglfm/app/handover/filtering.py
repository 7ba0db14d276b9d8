"""Filters and resampling in an ONNX graph: SciPy's, in double precision.

Shapes: r rows (leads), t samples, b samples of a block, s numbers of a filter's state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal as dsp

from ecglfm.app.handover.graph import Graph
from ecglfm.config import UserError
from ecglfm.data.signals import extension, ratio

if TYPE_CHECKING:
    import onnx

#: Samples that a filter takes in one step: one matrix product instead of so many small ones.
BLOCK = 128
#: Numbers in the table of a resampling filter: beyond them the two rates have too little in common.
LARGEST_TABLE = 4_000_000
#: The end of an axis, for `Graph.cut`.
LAST = int(np.iinfo(np.int64).max)


def resample(graph: Graph, x_rt: str, fs: float, target: float, *, line: bool = True) -> str:
    """Polyphase resampling; SciPy's `resample_poly`, which goes on along a line beyond the ends, or with zeros.

    An output sample m = q up + p is the sum over j of h[half + p down - j up] x[q down + j]: every `up` of them are the
    product of one stretch of the input with a table.

    Raises
    ------
    UserError
        The two rates have too little in common.
    """
    factor = ratio(fs, target)
    up, down = factor.numerator, factor.denominator
    if factor == 1:
        return x_rt
    half = 10 * max(up, down)
    first, last = -(half // up), ((up - 1) * down + half) // up
    if (last - first + 1) * up > LARGEST_TABLE:
        raise UserError(f"from {fs:g} to {target:g} Hz is a step of {up}/{down}, too large a filter for a graph")
    h = up * dsp.firwin(2 * half + 1, 1.0 / max(up, down), window=("kaiser", 5.0))
    table = np.zeros((last - first + 1, up))
    for phase in range(up):
        tap = half + phase * down - np.arange(first, last + 1) * up
        inside = (tap >= 0) & (tap < len(h))
        table[inside, phase] = h[tap[inside]]
    length = graph.length(x_rt, 1)
    made = graph.add("Div", graph.add("Add", graph.add("Mul", length, [up]), [down - 1]), [down])
    beyond = _along_the_line if line else _with_zeros
    return _stretches(graph, lambda at: beyond(graph, x_rt, at), table, first, down, made)


def _stretches(graph: Graph, taken: Callable[[str], str], table: np.ndarray, first: int, step: int, made: str) -> str:
    """Every `step` samples the product of a stretch with a table (samples of the stretch, outputs of it): (r, made).

    `taken` gives samples at positions, in the shape of those.
    """
    outputs = table.shape[1]
    count = graph.add("Div", graph.add("Add", made, [outputs - 1]), [outputs])
    starts = graph.add("Range", graph.constant(0), graph.scalar(count), graph.constant(1))
    starts = graph.add("Unsqueeze", graph.add("Mul", starts, [step]), [1])
    at = graph.add("Add", starts, graph.constant([np.arange(first, first + len(table))]))  # (stretches, samples)
    product = graph.add("MatMul", taken(at), graph.float(table))  # (r, stretches, outputs)
    rows = graph.length(product, 0)
    return graph.cut(graph.add("Reshape", product, graph.add("Concat", rows, [-1], axis=0)), 0, made)


def _along_the_line(graph: Graph, x_rt: str, at: str) -> str:
    """Samples at some positions; beyond its ends a lead goes on along the line through its first and last sample."""
    last = graph.add("Sub", graph.length(x_rt, 1), [1])
    inside = graph.add("Max", graph.add("Min", at, last), [0])
    beyond = graph.cast(graph.add("Sub", at, inside), "DOUBLE")
    ends = [graph.add("Gather", x_rt, graph.constant([[end]]), axis=1) for end in (0, -1)]  # (r, 1, 1)
    slope = graph.add("Div", graph.add("Sub", ends[1], ends[0]), graph.cast(last, "DOUBLE"))
    return graph.add("Add", graph.add("Gather", x_rt, inside, axis=1), graph.add("Mul", slope, beyond))


def _with_zeros(graph: Graph, x_rt: str, at: str) -> str:
    """Samples at some positions; zeros beyond the ends."""
    inside = graph.add("Max", graph.add("Min", at, graph.add("Sub", graph.length(x_rt, 1), [1])), [0])
    there = graph.cast(graph.add("Equal", at, inside), "DOUBLE")
    return graph.add("Mul", graph.add("Gather", x_rt, inside, axis=1), there)


def sections_without_delay(graph: Graph, x_rt: str, sections: np.ndarray, *, shorten: bool = False) -> str:
    """A recursive filter without delay; SciPy's `sosfiltfilt`.

    Fails, as SciPy does, where the recording is not longer than its extension, or shortens that.
    """
    edge = extension(sections)
    return _forwards_and_backwards(graph, x_rt, lambda y_rt: _filtered(graph, y_rt, sections), edge, shorten=shorten)


def taps_without_delay(graph: Graph, x_rt: str, taps: np.ndarray) -> str:
    """A filter of finite length without delay; SciPy's `filtfilt`, with a shorter extension where there is no more."""
    behind = len(taps) - 1
    table = np.zeros((BLOCK + behind, BLOCK))
    for output in range(BLOCK):
        table[output : output + len(taps), output] = taps[::-1]

    def once(y_rt: str) -> str:
        """As if the first sample had always been there."""
        length = graph.length(y_rt, 1)
        last = graph.add("Sub", length, [1])

        def held(at: str) -> str:
            return graph.add("Gather", y_rt, graph.add("Max", graph.add("Min", at, last), [0]), axis=1)

        return _stretches(graph, held, table, -behind, BLOCK, length)

    return _forwards_and_backwards(graph, x_rt, once, 3 * len(taps), shorten=True)


def _forwards_and_backwards(graph: Graph, x_rt: str, once: Callable[[str], str], edge: int, *, shorten: bool) -> str:
    """Twice through a filter that begins settled, with SciPy's odd extension of the ends by `edge` samples."""
    length = graph.length(x_rt, 1)
    extended, near = graph.constant([edge]), graph.constant(np.arange(edge))
    if shorten:
        extended = graph.add("Min", extended, graph.add("Sub", length, [1]))
        near = graph.add("Range", graph.constant(0), graph.scalar(extended), graph.constant(1))
    mirrored = []
    for end, positions in (
        (0, graph.add("Sub", extended, near)),
        (-1, graph.add("Sub", graph.add("Sub", length, [2]), near)),
    ):
        at_end, other = graph.add("Gather", x_rt, [end], axis=1), graph.add("Gather", x_rt, positions, axis=1)
        mirrored.append(graph.add("Sub", graph.add("Mul", at_end, graph.float(2.0)), other))
    y_rt = graph.add("Concat", mirrored[0], x_rt, mirrored[1], axis=1)
    for _ in range(2):  # forwards, then backwards
        y_rt = graph.cut(once(y_rt), -1, -LAST, -1)
    return graph.cut(y_rt, extended, graph.add("Add", length, extended))


def _filtered(graph: Graph, x_rt: str, sections: np.ndarray) -> str:
    """A recursive filter that starts as if the first sample had always been there; SciPy's `sosfilt`.

    The filter is linear in its state and its input, so that a block's output and its last state are products of both
    with tables: what SciPy gives for each number of the state, and for each sample, that alone is 1.
    """
    states = 2 * len(sections)
    unit_states = np.eye(states).reshape(states, len(sections), 2).transpose(1, 0, 2)
    state_output, state_next = dsp.sosfilt(sections, np.zeros((states, BLOCK)), zi=unit_states)
    input_output, input_next = dsp.sosfilt(sections, np.eye(BLOCK), zi=np.zeros((len(sections), BLOCK, 2)))
    state_next, input_next = (each.transpose(1, 0, 2).reshape(-1, states) for each in (state_next, input_next))

    length, rows = graph.length(x_rt, 1), graph.length(x_rt, 0)
    blocks = graph.add("Div", graph.add("Add", length, [BLOCK - 1]), [BLOCK])
    lacking = graph.add("Sub", graph.add("Mul", blocks, [BLOCK]), length)
    padded = graph.add("Pad", x_rt, graph.add("Concat", [0, 0, 0], lacking, axis=0), graph.float(0.0))
    x_rnb = graph.add("Reshape", padded, graph.add("Concat", rows, blocks, [BLOCK], axis=0))
    settled = graph.float(dsp.sosfilt_zi(sections).reshape(1, states))
    start_rs = graph.add("Mul", graph.add("Gather", x_rt, [0], axis=1), settled)
    body = _step(state_output, state_next, input_output, input_next)
    _, y_rnb = graph.add(
        "Scan", start_rs, x_rnb, outputs=2, body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1]
    )
    return graph.cut(graph.add("Reshape", y_rnb, graph.add("Concat", rows, [-1], axis=0)), 0, length)


def _step(
    state_output: np.ndarray, state_next: np.ndarray, input_output: np.ndarray, input_next: np.ndarray
) -> onnx.GraphProto:
    """One block of `_filtered`: from state (r, s) and samples (r, b) to the next state and the outputs."""
    from onnx import TensorProto, helper

    step = Graph("step")
    outputs = []
    for name, of_state, of_input in (("next", state_next, input_next), ("y", state_output, input_output)):
        parts = [step.add("MatMul", each, step.float(table)) for each, table in (("state", of_state), ("x", of_input))]
        outputs.append(step.add("Add", *parts, named=[name]))
    values = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", size])
        for name, size in (("state", len(state_next)), ("x", BLOCK), ("next", len(state_next)), ("y", BLOCK))
    ]
    return step.close(values[:2], values[2:])
