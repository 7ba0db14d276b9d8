"""An input contract as part of an ONNX graph: the steps of `ecglfm.data.signals.EncoderInput`, in double precision.

Shapes: n recordings (one) or windows, l leads, t samples, r rows, which are the leads of all n; k samples of a median.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

import numpy as np

from ecglfm.app.handover.filtering import BLOCK, LAST, resample, sections_without_delay, taps_without_delay
from ecglfm.app.handover.graph import Graph
from ecglfm.config import InputConfig, PreprocessConfig, UserError
from ecglfm.config.input_steps import (
    ButterworthStep,
    ConstantsStep,
    DecimateStep,
    FirStep,
    InputStep,
    LimbLeadsStep,
    MedianBaselineStep,
    MinMaxStep,
    NotchStep,
    PadStep,
    ResampleStep,
    ScaleStep,
    StandardizeStep,
)
from ecglfm.data.signals import (
    STILL,
    EncoderInput,
    LeadSum,
    apply_step,
    butterworth_sections,
    decimate_sections,
    fir_taps,
    limb_leads_anew,
    median_lengths,
    notch_sections,
)

if TYPE_CHECKING:
    import onnx

#: What a filter's two forms may differ by in ten seconds of noise of deviation 1; of a millivolt, 0.01 microvolts.
SAME_FILTER = 1e-5


def add_input(graph: Graph, x_lt: str, config: InputConfig, preprocess: PreprocessConfig, *, named: str) -> None:
    """From prepared microvolts to what the encoder reads.

    Parameters
    ----------
    graph : Graph
        Gets the nodes.
    x_lt : str
        Whole microvolts, float64, in the order of `preprocess.leads`.
    config : InputConfig
    preprocess : PreprocessConfig
    named : str
        Of the output: float32 (windows, leads, samples).

    Raises
    ------
    UserError
        As `EncoderInput`; or no graph can do what a step does.
    """
    given = EncoderInput(config, preprocess)
    x_nlt = graph.add("Unsqueeze", graph.add("Div", x_lt, graph.float(1000.0)), [0])
    x_nlt = _with_sums(graph, x_nlt, given.columns, given.sums)
    steps = list(config.placed(preprocess.sampling_rate))
    for place, step, rate in steps[: len(config.record)]:
        x_nlt = _step(graph, x_nlt, step, rate or 0, config.leads, f"input.{place}")
    x_lt = graph.cast(graph.add("Squeeze", x_nlt, [0]), "FLOAT")
    x_nlt = graph.cast(windows(graph, x_lt, config.window_samples * config.factor), "DOUBLE")
    for place, step, rate in steps[len(config.record) :]:
        x_nlt = _step(graph, x_nlt, step, rate or 0, config.leads, f"input.{place}")
    graph.cast(x_nlt, "FLOAT", named=[named])


def windows(graph: Graph, x_lt: str, crop_samples: int) -> str:
    """Windows that do not overlap, (windows, leads, samples); one of its own length of a shorter recording."""
    length, leads = graph.length(x_lt, 1), graph.length(x_lt, 0)
    count = graph.add("Max", graph.add("Div", length, [crop_samples]), [1])
    samples = graph.add("Min", length, [crop_samples])
    whole = graph.cut(x_lt, 0, graph.add("Mul", count, samples))
    x_lwt = graph.add("Reshape", whole, graph.add("Concat", leads, count, samples, axis=0))
    return graph.add("Transpose", x_lwt, perm=[1, 0, 2])


def _step(graph: Graph, x_nlt: str, step: InputStep, rate: int, leads: Sequence[str], where: str) -> str:
    """A signal behind one step."""
    match step:
        case ResampleStep() | DecimateStep() | ButterworthStep() | NotchStep() | FirStep() | MedianBaselineStep():
            return _of_rows(graph, x_nlt, step, rate, len(leads), where)
        case StandardizeStep():
            return _standardize(graph, x_nlt, step)
        case MinMaxStep():
            lowest, highest = _extremes(graph, x_nlt, step.over)
            span = graph.add("Add", graph.add("Sub", highest, lowest), graph.float(step.epsilon))
            above = graph.add("Mul", graph.add("Sub", x_nlt, lowest), graph.float(1.0 - step.low))
            return graph.add("Add", graph.add("Div", above, span), graph.float(step.low))
        case ConstantsStep():
            bounds = (step.lower, step.upper, step.mean, step.deviation)
            lower, upper, mean, deviation = (graph.float(np.array(each)[:, None]) for each in bounds)
            held = graph.add("Max", graph.add("Min", x_nlt, upper), lower)
            return graph.add("Div", graph.add("Sub", held, mean), deviation)
        case ScaleStep():
            scaled = graph.add("Mul", x_nlt, graph.float(step.per_millivolt))
            return graph.add("Round", scaled) if step.round else scaled
        case PadStep():
            return _pad(graph, x_nlt, round(step.seconds * rate), both=step.where == "both")
        case LimbLeadsStep():
            return _with_sums(graph, x_nlt, range(len(leads)), limb_leads_anew(leads))
        case _:
            assert_never(step)


def _of_rows(graph: Graph, x_nlt: str, step: InputStep, rate: int, leads: int, where: str) -> str:
    """Steps that take every lead by itself."""
    x_rt = graph.add("Reshape", x_nlt, graph.add("Concat", [-1], graph.length(x_nlt, 2), axis=0))
    if isinstance(step, DecimateStep):
        y_rt = _decimate(graph, x_rt, step, leads)
    elif isinstance(step, ResampleStep):
        try:
            y_rt = _resample(graph, x_rt, step, rate)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    elif isinstance(step, FirStep):
        y_rt = taps_without_delay(graph, x_rt, fir_taps(step, rate))
    elif isinstance(step, MedianBaselineStep):
        baseline = x_rt
        for length in median_lengths(step, rate):
            baseline = _median(graph, baseline, length, nearest=step.edges == "nearest")
        y_rt = graph.add("Sub", x_rt, baseline)
    else:
        y_rt = sections_without_delay(graph, x_rt, _sections(step, rate, where), shorten=True)
    return graph.add("Reshape", y_rt, graph.add("Concat", [-1], [leads], graph.length(y_rt, 1), axis=0))


def _sections(step: InputStep, rate: int, where: str) -> np.ndarray:
    """Second-order sections of a filter; of one quotient of polynomials those that do the same."""
    if isinstance(step, NotchStep):
        return notch_sections(step.frequency, step.quality, rate)
    assert isinstance(step, ButterworthStep)
    if step.form == "ba":
        noise = np.random.default_rng(0).standard_normal((1, 10 * rate))
        both = (apply_step(step.model_copy(update={"form": form}), noise, rate, ()) for form in ("ba", "sos"))
        difference = float(np.abs(np.subtract(*both)).max())
        if not difference < SAME_FILTER:  # nor where it is none
            unlike = f"its `form: ba` differs from second-order sections by {difference:.1g}"
            raise UserError(f"{where}: butterworth: {unlike}, of which alone a graph is made; write `form: sos`")
    return butterworth_sections(step, rate)


def _decimate(graph: Graph, x_rt: str, step: DecimateStep, leads: int) -> str:
    """SciPy's `decimate`; joined, the leads of a window are one row."""
    samples = graph.add("Div", graph.length(x_rt, 1), [step.factor])
    whole = graph.add("Mul", samples, [step.factor])
    x_rt = graph.cut(x_rt, 0, whole)
    if step.joined:
        x_rt = graph.add("Reshape", x_rt, graph.add("Concat", [-1], graph.add("Mul", whole, [leads]), axis=0))
    slow = sections_without_delay(graph, x_rt, decimate_sections(step.factor), shorten=True)
    slow = graph.cut(slow, 0, LAST, step.factor)
    return graph.add("Reshape", slow, graph.add("Concat", [-1], samples, axis=0))


def _resample(graph: Graph, x_rt: str, step: ResampleStep, rate: int) -> str:
    if step.rate == rate:
        return x_rt
    if step.method == "every":
        return graph.cut(x_rt, 0, LAST, rate // step.rate)
    if step.method == "polyphase":
        return resample(graph, x_rt, rate, step.rate, line=step.ends == "line")
    length = graph.length(x_rt, 1)
    made = graph.add("Max", graph.add("Div", graph.add("Mul", length, [step.rate]), [rate]), [1])
    return (_linear if step.method == "linear" else _fourier)(graph, x_rt, length, made)


def _linear(graph: Graph, x_rt: str, length: str, made: str) -> str:
    """Lines between samples; the first and the last sample are the first and the last."""
    last = graph.add("Sub", length, [1])
    steps = graph.add("Max", graph.add("Sub", made, [1]), [1])
    ratio = graph.add("Div", graph.cast(last, "DOUBLE"), graph.cast(steps, "DOUBLE"))
    each = graph.add("Range", graph.constant(0), graph.scalar(made), graph.constant(1))
    at = graph.add("Mul", graph.cast(each, "DOUBLE"), ratio)
    left = graph.add("Min", graph.cast(at, "INT64"), graph.add("Max", graph.add("Sub", last, [1]), [0]))
    right = graph.add("Min", graph.add("Add", left, [1]), last)
    before, behind = (graph.add("Gather", x_rt, place, axis=1) for place in (left, right))
    along = graph.add("Sub", at, graph.cast(left, "DOUBLE"))
    return graph.add("Add", before, graph.add("Mul", graph.add("Sub", behind, before), along))


def _fourier(graph: Graph, x_rt: str, length: str, made: str) -> str:
    """SciPy's `resample`: the spectrum is cut, or goes on with zeros.

    Of a real signal the bins 0 to half are known; all but the first stand for two, and so does the last one where an
    even number of samples is left, but not where an even number becomes more.
    """
    fewer = graph.add("Min", length, made)
    half = graph.add("Div", fewer, [2])
    spectrum = graph.add("DFT", graph.add("Unsqueeze", x_rt, [2]), axis=1, onesided=1)  # (r, bins, 2)
    kept = graph.add("Slice", spectrum, [0], graph.add("Add", half, [1]), [1])
    bins = graph.add("Range", graph.constant(0), graph.scalar(graph.add("Add", half, [1])), graph.constant(1))
    alone = graph.add("Equal", graph.add("Mul", bins, [2]), length)  # half of an even length
    alone = graph.add("And", alone, graph.add("Less", length, made))
    alone = graph.add("Or", alone, graph.add("Equal", bins, [0]))
    weights = graph.add("Where", alone, graph.float(1.0), graph.float(2.0))
    kept = graph.add("Mul", kept, graph.add("Unsqueeze", weights, [1]))
    lacking = graph.add("Sub", graph.add("Sub", made, half), [1])
    padded = graph.add("Pad", kept, graph.add("Concat", [0, 0, 0, 0], lacking, [0], axis=0), graph.float(0.0))
    back = graph.add("Gather", graph.add("DFT", padded, axis=1, inverse=1), [0], axis=2)  # the real part
    gain = graph.add("Div", graph.cast(made, "DOUBLE"), graph.cast(length, "DOUBLE"))
    return graph.add("Mul", graph.add("Squeeze", back, [2]), gain)


def _median(graph: Graph, x_rt: str, length: int, *, nearest: bool) -> str:
    """A running median, a block of samples after the other: the middle one of all that a window holds."""
    around = [0, length // 2, 0, length // 2]
    padded = graph.add(
        "Pad", x_rt, around, *([] if nearest else [graph.float(0.0)]), mode="edge" if nearest else "constant"
    )
    samples, rows = graph.length(x_rt, 1), graph.length(x_rt, 0)
    blocks = graph.add("Div", graph.add("Add", samples, [BLOCK - 1]), [BLOCK])
    starts = graph.add("Range", graph.constant(0), graph.scalar(blocks), graph.constant(1))
    starts = graph.add("Unsqueeze", graph.add("Mul", starts, [BLOCK]), [1])
    at = graph.add("Add", starts, graph.constant([np.arange(BLOCK + length - 1)]))
    at = graph.add("Min", at, graph.add("Sub", graph.length(padded, 1), [1]))  # in vain: behind the last sample
    stretches = graph.add("Gather", padded, at, axis=1)  # (r, blocks, BLOCK + k - 1)
    body = _median_of_block(length)
    made = graph.add("Scan", stretches, body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1])
    return graph.cut(graph.add("Reshape", made, graph.add("Concat", rows, [-1], axis=0)), 0, samples)


def _median_of_block(length: int) -> onnx.GraphProto:
    """From a stretch (r, BLOCK + k - 1) to the medians of its windows (r, BLOCK)."""
    from onnx import TensorProto, helper

    block = Graph("medians")
    at = np.arange(BLOCK)[:, None] + np.arange(length)
    held = block.add("Gather", "stretch", block.constant(at), axis=1)  # (r, BLOCK, k)
    upper, _ = block.add("TopK", held, [length // 2 + 1], outputs=2, axis=2)
    block.add("Squeeze", block.add("Gather", upper, [-1], axis=2), [2], named=["median"])
    values = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", size])
        for name, size in (("stretch", BLOCK + length - 1), ("median", BLOCK))
    ]
    return block.close(values[:1], values[1:])


def _extremes(graph: Graph, x_nlt: str, over: str) -> tuple[str, str]:
    axes = [2] if over == "lead" else [1, 2]
    lowest, highest = (graph.add(name, x_nlt, axes=axes, keepdims=1) for name in ("ReduceMin", "ReduceMax"))
    return lowest, highest


def _standardize(graph: Graph, x_nlt: str, step: StandardizeStep) -> str:
    """Minus the mean, over the deviation; a lead, or all, that never moves becomes the step's constant."""
    axes = [2] if step.over == "lead" else [1, 2]
    centred = graph.add("Sub", x_nlt, graph.add("ReduceMean", x_nlt, axes=axes, keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=axes, keepdims=1)
    deviation = graph.add("Add", graph.add("Sqrt", variance), graph.float(step.epsilon))
    lowest, highest = _extremes(graph, x_nlt, step.over)
    moves = graph.add("Greater", graph.add("Sub", highest, lowest), graph.float(STILL))
    divided = graph.add("Div", centred, graph.add("Where", moves, deviation, graph.float(1.0)))
    return graph.add("Where", moves, divided, graph.float(step.constant))


def _pad(graph: Graph, x_nlt: str, samples: int, *, both: bool) -> str:
    lacking = graph.add("Max", graph.add("Sub", [samples], graph.length(x_nlt, 2)), [0])
    front = graph.add("Div", lacking, [2]) if both else graph.constant([0])
    behind = graph.add("Sub", lacking, front)
    return graph.add("Pad", x_nlt, graph.add("Concat", [0, 0], front, [0, 0], behind, axis=0), graph.float(0.0))


def _with_sums(graph: Graph, x_nlt: str, columns: Sequence[int], sums: Sequence[LeadSum]) -> str:
    """Leads by their places; some are sums of two others, and zero where one of those is absent."""
    made = graph.add("Gather", x_nlt, list(columns), axis=1)
    for place, pair, weights in sums:
        sides = [graph.add("Gather", x_nlt, [lead], axis=1) for lead in pair]  # (n, 1, t)
        there = [graph.add("ReduceMax", graph.add("Abs", side), axes=[2], keepdims=1) for side in sides]
        both = graph.add("Greater", graph.add("Min", *there), graph.float(0.0))
        parts = [graph.add("Mul", side, graph.float(weight)) for side, weight in zip(sides, weights, strict=True)]
        total = graph.add("Where", both, graph.add("Add", *parts), graph.float(0.0))
        before, behind = (
            graph.add("Slice", made, [start], [stop], [1]) for start, stop in ((0, place), (place + 1, LAST))
        )
        made = graph.add("Concat", before, total, behind, axis=1)
    return made
