"""The preprocessing of `ecglfm.data.signals.prepare` as an ONNX graph, from the samples of one recording to windows.

The same steps in the same order and in double precision: microvolts, short gaps, rate, filters, windows. What it does
not do is judge: quality tests and leads that have to be derived stay with whoever feeds it.

Shapes: l leads, t samples, w windows, b samples of a block, s numbers of a filter's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import signal as dsp

from ecglfm import __version__
from ecglfm.app.handover.graph import IR, OPSET, Graph
from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.signals import RATES, bandpass_sections, check_filters, notch_sections, ratio
from ecglfm.records import LIMIT_UV

if TYPE_CHECKING:
    import onnx

#: Samples that a recursive filter takes in one step: one matrix product instead of so many small ones.
BLOCK = 128
#: Numbers in the table of a resampling filter: beyond them the two rates have too little in common.
LARGEST_TABLE = 4_000_000
_LAST = np.iinfo(np.int64).max


def make_preprocessing(config: PreprocessConfig, *, rate: float, crop_samples: int) -> onnx.ModelProto:
    """The graph.

    Parameters
    ----------
    config : PreprocessConfig
        Of the encoder that reads its output.
    rate : float
        Of the recordings, Hz.
    crop_samples : int
        Samples of a window.

    Returns
    -------
    ModelProto
        From `signal`, float64 (12, samples): millivolts in the order of `ecglfm.config.LEADS`, NaN where a sample or a
        lead is missing; to `windows`, float32 (windows, leads, samples): what the encoder reads. Windows do not
        overlap and a remainder is left out; a shorter recording is one window of its own length.

    Raises
    ------
    UserError
        The rate is not one of an ECG, or too little like the encoder's.
    """
    from onnx import TensorProto, checker, helper

    check_filters(config)
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"--rate {rate:g}: outside {RATES[0]:g} to {RATES[1]:g} Hz")
    graph = Graph("preprocess")
    x_lt = _microvolts(graph, "signal")
    x_lt = graph.add("Gather", x_lt, [LEADS.index(lead) for lead in config.leads], axis=0)
    x_lt = _fill_missing(graph, x_lt, longest=(config.max_gap_seconds + 1e-9) * rate)
    x_lt = _resample(graph, x_lt, rate, config.sampling_rate)
    for sections in _filters(config):
        x_lt = _forwards_and_backwards(graph, x_lt, sections)
    x_lt = graph.add("Round", x_lt)
    x_lt = graph.add("Clip", x_lt, graph.float(-LIMIT_UV), graph.float(LIMIT_UV))
    _windows(graph, x_lt, crop_samples)
    inputs = [helper.make_tensor_value_info("signal", TensorProto.DOUBLE, [len(LEADS), "samples"])]
    shape: list[str | int | None] = ["windows", len(config.leads), "window_samples"]
    outputs = [helper.make_tensor_value_info("windows", TensorProto.FLOAT, shape)]
    model = helper.make_model(
        graph.close(inputs, outputs),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR,
        producer_name="ecglfm", producer_version=__version__,
    )  # fmt: skip
    checker.check_model(model, full_check=True)
    return model


def _filters(config: PreprocessConfig) -> list[np.ndarray]:
    """Second-order sections of each filter, in the order in which they are applied."""
    rate, band, mains = config.sampling_rate, config.bandpass, config.notch
    found = []
    if band is not None:
        found.append(bandpass_sections(band.low, band.high, band.order, rate))
    if mains is not None:
        found.append(notch_sections(mains.frequency, mains.quality, rate))
    return found


def _microvolts(graph: Graph, signal: str) -> str:
    """Whole microvolts, NaN where they are beyond what is stored; `ecglfm.records.to_microvolts`."""
    whole = graph.add("Round", graph.add("Mul", signal, graph.float(1000.0)))
    held = graph.add("LessOrEqual", graph.add("Abs", whole), graph.float(LIMIT_UV))  # not so where it is NaN
    return graph.add("Where", held, whole, graph.float(np.nan))


def _fill_missing(graph: Graph, x_lt: str, *, longest: float) -> str:
    """Short runs of NaN become the line between their neighbours, runs of more than `longest` samples 0.

    `ecglfm.data.signals.filters.fill_missing`: of every sample the positions of the known ones before and after it
    are looked up in a list of the known positions of its lead, with -1 and the length at its ends.
    """
    missing = graph.add("IsNaN", x_lt)
    known = graph.add("Cast", graph.add("Not", missing), to=_onnx("INT64"))
    length = graph.length(x_lt, 1)
    last = graph.add("Sub", length, [1])
    at_t = graph.add("Range", graph.constant(0), graph.scalar(length), graph.constant(1))
    at_lt = graph.add("Expand", at_t, graph.add("Shape", x_lt))
    before = graph.add("CumSum", known, graph.constant(1))  # known samples up to here
    # Slot 0 is -1; slot k the k-th known position; what is missing writes, in vain, behind them all.
    slot = graph.add("Where", missing, graph.add("Add", length, [1]), before)
    ends = graph.add("Mul", graph.add("ReduceSum", known, [1], keepdims=1), [0])
    empty = graph.add(
        "Expand", length, graph.add("Concat", graph.length(x_lt, 0), graph.add("Add", length, [2]), axis=0)
    )
    listed = graph.add("ScatterElements", empty, slot, at_lt, axis=1)
    listed = graph.add("Concat", graph.add("Sub", ends, [1]), graph.cut(listed, 1, _LAST), axis=1)
    left = graph.add("GatherElements", listed, before, axis=1)
    right = graph.add("GatherElements", listed, graph.add("Add", before, [1]), axis=1)
    gap = graph.add("Cast", graph.add("Sub", graph.add("Sub", right, left), [1]), to=_onnx("DOUBLE"))
    outside_left, outside_right = graph.add("Less", left, [0]), graph.add("Greater", right, last)
    from_ = graph.add("Where", outside_left, graph.add("Min", right, last), left)
    to = graph.add("Where", outside_right, graph.add("Max", left, [0]), right)
    a, b = (graph.add("GatherElements", x_lt, end, axis=1) for end in (from_, to))
    span = graph.add("Cast", graph.add("Max", graph.add("Sub", to, from_), [1]), to=_onnx("DOUBLE"))
    along = graph.add("Cast", graph.add("Sub", at_lt, from_), to=_onnx("DOUBLE"))
    line = graph.add("Add", a, graph.add("Mul", graph.add("Div", graph.add("Sub", b, a), span), along))
    line = graph.add("Where", graph.add("Greater", gap, graph.float(longest)), graph.float(0.0), line)
    filled = graph.add("Where", missing, line, x_lt)
    return graph.add("Where", graph.add("IsNaN", filled), graph.float(0.0), filled)  # no sample of the lead is known


def _resample(graph: Graph, x_lt: str, fs: float, target: float) -> str:
    """Polyphase resampling; `ecglfm.data.signals.filters.resample`, that is SciPy's `resample_poly`.

    An output sample m = q up + p is the sum over j of h[half + p down - j up] x[q down + j]: every `up` of them are the
    product of one stretch of the input with a table.
    """
    factor = ratio(fs, target)
    up, down = factor.numerator, factor.denominator
    if factor == 1:
        return x_lt
    half = 10 * max(up, down)
    first, last = -(half // up), ((up - 1) * down + half) // up
    if (last - first + 1) * up > LARGEST_TABLE:
        raise UserError(
            f"--rate {fs:g}: from there to {target:g} Hz is a step of {up}/{down}, too large a filter for a graph; "
            "give the nominal rate of the recorder"
        )
    h = up * dsp.firwin(2 * half + 1, 1.0 / max(up, down), window=("kaiser", 5.0))
    table = np.zeros((last - first + 1, up))
    for phase in range(up):
        tap = half + phase * down - np.arange(first, last + 1) * up
        inside = (tap >= 0) & (tap < len(h))
        table[inside, phase] = h[tap[inside]]
    length, leads = graph.length(x_lt, 1), graph.length(x_lt, 0)
    made = graph.add("Div", graph.add("Add", graph.add("Mul", length, [up]), [down - 1]), [down])
    stretches = graph.add("Div", graph.add("Add", made, [up - 1]), [up])
    starts = graph.add("Range", graph.constant(0), graph.scalar(stretches), graph.constant(1))
    starts = graph.add("Unsqueeze", graph.add("Mul", starts, [down]), [1])
    at = graph.add("Add", starts, graph.constant([np.arange(first, last + 1)]))  # (stretches, taps)
    taken = _along_the_line(graph, x_lt, graph.add("Reshape", at, [-1]))
    taken = graph.add("Reshape", taken, graph.add("Concat", leads, stretches, [last - first + 1], axis=0))
    product = graph.add("MatMul", taken, graph.float(table))  # (leads, stretches, up)
    return graph.cut(graph.add("Reshape", product, graph.add("Concat", leads, [-1], axis=0)), 0, made)


def _along_the_line(graph: Graph, x_lt: str, at: str) -> str:
    """Samples at some positions; beyond its ends a lead goes on along the line through its first and last sample."""
    length = graph.length(x_lt, 1)
    last = graph.add("Sub", length, [1])
    inside = graph.add("Max", graph.add("Min", at, last), [0])
    beyond = graph.add("Cast", graph.add("Sub", at, inside), to=_onnx("DOUBLE"))
    begin, end = graph.add("Gather", x_lt, [0], axis=1), graph.add("Gather", x_lt, [-1], axis=1)
    slope = graph.add("Div", graph.add("Sub", end, begin), graph.add("Cast", last, to=_onnx("DOUBLE")))
    return graph.add("Add", graph.add("Gather", x_lt, inside, axis=1), graph.add("Mul", slope, beyond))


def _forwards_and_backwards(graph: Graph, x_lt: str, sections: np.ndarray) -> str:
    """A recursive filter without delay; SciPy's `sosfiltfilt`, with its odd extension of the ends.

    Fails, as SciPy does, where the recording is not longer than the extension.
    """
    edge = 3 * (2 * len(sections) + 1 - min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum()))
    length = graph.length(x_lt, 1)
    mirrored = []
    for end, positions in (
        (graph.constant([0]), graph.constant(np.arange(edge, 0, -1))),
        (graph.constant([-1]), graph.add("Sub", graph.add("Sub", length, [2]), graph.constant(np.arange(edge)))),
    ):
        at_end, near = graph.add("Gather", x_lt, end, axis=1), graph.add("Gather", x_lt, positions, axis=1)
        mirrored.append(graph.add("Sub", graph.add("Mul", at_end, graph.float(2.0)), near))
    y_lt = graph.add("Concat", mirrored[0], x_lt, mirrored[1], axis=1)
    for _ in range(2):  # forwards, then backwards
        y_lt = graph.cut(_filtered(graph, y_lt, sections), -1, -_LAST, -1)
    return graph.cut(y_lt, edge, graph.add("Add", length, [edge]))


def _filtered(graph: Graph, x_lt: str, sections: np.ndarray) -> str:
    """A recursive filter that starts as if the first sample had always been there; SciPy's `sosfilt`.

    The filter is linear in its state and its input, so that a block's output and its last state are products of both
    with tables: what SciPy gives for each number of the state, and for each sample, that alone is 1.
    """
    states = 2 * len(sections)
    unit_states = np.eye(states).reshape(states, len(sections), 2).transpose(1, 0, 2)
    state_output, state_next = dsp.sosfilt(sections, np.zeros((states, BLOCK)), zi=unit_states)
    input_output, input_next = dsp.sosfilt(sections, np.eye(BLOCK), zi=np.zeros((len(sections), BLOCK, 2)))
    state_next, input_next = (each.transpose(1, 0, 2).reshape(-1, states) for each in (state_next, input_next))

    length, leads = graph.length(x_lt, 1), graph.length(x_lt, 0)
    blocks = graph.add("Div", graph.add("Add", length, [BLOCK - 1]), [BLOCK])
    lacking = graph.add("Sub", graph.add("Mul", blocks, [BLOCK]), length)
    padded = graph.add("Pad", x_lt, graph.add("Concat", [0, 0, 0], lacking, axis=0), graph.float(0.0))
    x_lnb = graph.add("Reshape", padded, graph.add("Concat", leads, blocks, [BLOCK], axis=0))
    settled = graph.float(dsp.sosfilt_zi(sections).reshape(1, states))
    start_ls = graph.add("Mul", graph.add("Gather", x_lt, [0], axis=1), settled)
    body = _step(state_output, state_next, input_output, input_next)
    _, y_lnb = graph.add(
        "Scan", start_ls, x_lnb, outputs=2, body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1]
    )
    return graph.cut(graph.add("Reshape", y_lnb, graph.add("Concat", leads, [-1], axis=0)), 0, length)


def _step(
    state_output: np.ndarray, state_next: np.ndarray, input_output: np.ndarray, input_next: np.ndarray
) -> onnx.GraphProto:
    """One block of `_filtered`: from state (l, s) and samples (l, b) to the next state and the outputs."""
    from onnx import TensorProto, helper

    step = Graph("step")
    outputs = []
    for name, of_state, of_input in (("next", state_next, input_next), ("y", state_output, input_output)):
        parts = [step.add("MatMul", each, step.float(table)) for each, table in (("state", of_state), ("x", of_input))]
        outputs.append(step.add("Add", *parts, named=[name]))
    values = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["leads", size])
        for name, size in (("state", len(state_next)), ("x", BLOCK), ("next", len(state_next)), ("y", BLOCK))
    ]
    return step.close(values[:2], values[2:])


def _windows(graph: Graph, x_lt: str, crop_samples: int) -> str:
    """The output: millivolts of windows that do not overlap, (windows, leads, samples)."""
    length, leads = graph.length(x_lt, 1), graph.length(x_lt, 0)
    count = graph.add("Max", graph.add("Div", length, [crop_samples]), [1])
    samples = graph.add("Min", length, [crop_samples])
    whole = graph.cut(x_lt, 0, graph.add("Mul", count, samples))
    x_lwt = graph.add("Reshape", whole, graph.add("Concat", leads, count, samples, axis=0))
    x_wlt = graph.add("Cast", graph.add("Transpose", x_lwt, perm=[1, 0, 2]), to=_onnx("FLOAT"))
    return graph.add("Div", x_wlt, graph.constant(1000.0, np.float32), named=["windows"])


def _onnx(name: str) -> int:
    """ONNX's number of a type."""
    from onnx import TensorProto

    return int(getattr(TensorProto, name))
