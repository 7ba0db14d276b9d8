"""The preprocessing of `ecglfm.data.signals.prepare` as an ONNX graph, from the samples of one recording to windows.

The same steps in the same order and in double precision: microvolts, short gaps, rate, filters, windows. What it does
not do is judge: quality tests and leads that have to be derived stay with whoever feeds it.

Shapes: l leads, t samples, w windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ecglfm import __version__
from ecglfm.app.handover.encoder_input import add_input, windows
from ecglfm.app.handover.filtering import LAST, resample, sections_without_delay
from ecglfm.app.handover.graph import IR, OPSET, Graph
from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError
from ecglfm.data.signals import RATES, bandpass_sections, notch_sections
from ecglfm.records import LIMIT_UV

if TYPE_CHECKING:
    import onnx


def make_preprocessing(
    config: PreprocessConfig, *, rate: float, crop_samples: int, contract: InputConfig | None = None
) -> onnx.ModelProto:
    """The graph.

    Parameters
    ----------
    config : PreprocessConfig
        Of the encoder that reads its output.
    rate : float
        Of the recordings, Hz.
    crop_samples : int
        Samples of a window.
    contract : InputConfig, optional
        How what the encoder reads is made of that; it says itself how long a window is.

    Returns
    -------
    ModelProto
        From `signal`, float64 (12, samples): millivolts in the order of `ecglfm.config.LEADS`, NaN where a sample or a
        lead is missing; to `windows`, float32 (windows, leads, samples): what the encoder reads. Windows do not
        overlap and a remainder is left out; a shorter recording is one window of its own length.

    Raises
    ------
    UserError
        The rate is not one of an ECG, or too little like the encoder's; or the contract cannot be a graph.
    """
    from onnx import TensorProto, checker, helper

    leads = config.leads
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"--rate {rate:g}: outside {RATES[0]:g} to {RATES[1]:g} Hz")
    graph = Graph("preprocess")
    x_lt = _microvolts(graph, "signal")
    x_lt = graph.add("Gather", x_lt, [LEADS.index(lead) for lead in config.leads], axis=0)
    x_lt = _fill_missing(graph, x_lt, longest=(config.max_gap_seconds + 1e-9) * rate)
    try:
        x_lt = resample(graph, x_lt, rate, config.sampling_rate)
    except UserError as error:
        raise UserError(f"--rate {rate:g}: {error}; give the nominal rate of the recorder") from None
    for sections in _filters(config):
        x_lt = sections_without_delay(graph, x_lt, sections)
    x_lt = graph.add("Round", x_lt)
    x_lt = graph.add("Clip", x_lt, graph.float(-LIMIT_UV), graph.float(LIMIT_UV))
    if contract is None:
        x_wlt = graph.cast(windows(graph, x_lt, crop_samples), "FLOAT")
        graph.add("Div", x_wlt, graph.constant(1000.0, np.float32), named=["windows"])
    else:
        leads = contract.leads
        add_input(graph, x_lt, contract, config, named="windows")
    inputs = [helper.make_tensor_value_info("signal", TensorProto.DOUBLE, [len(LEADS), "samples"])]
    shape: list[str | int | None] = ["windows", len(leads), "window_samples"]
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
    known = graph.cast(graph.add("Not", missing), "INT64")
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
    listed = graph.add("Concat", graph.add("Sub", ends, [1]), graph.cut(listed, 1, LAST), axis=1)
    left = graph.add("GatherElements", listed, before, axis=1)
    right = graph.add("GatherElements", listed, graph.add("Add", before, [1]), axis=1)
    gap = graph.cast(graph.add("Sub", graph.add("Sub", right, left), [1]), "DOUBLE")
    outside_left, outside_right = graph.add("Less", left, [0]), graph.add("Greater", right, last)
    from_ = graph.add("Where", outside_left, graph.add("Min", right, last), left)
    to = graph.add("Where", outside_right, graph.add("Max", left, [0]), right)
    a, b = (graph.add("GatherElements", x_lt, end, axis=1) for end in (from_, to))
    span = graph.cast(graph.add("Max", graph.add("Sub", to, from_), [1]), "DOUBLE")
    along = graph.cast(graph.add("Sub", at_lt, from_), "DOUBLE")
    line = graph.add("Add", a, graph.add("Mul", graph.add("Div", graph.add("Sub", b, a), span), along))
    line = graph.add("Where", graph.add("Greater", gap, graph.float(longest)), graph.float(0.0), line)
    filled = graph.add("Where", missing, line, x_lt)
    return graph.add("Where", graph.add("IsNaN", filled), graph.float(0.0), filled)  # no sample of the lead is known
