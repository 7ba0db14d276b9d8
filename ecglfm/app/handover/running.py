"""Runs the graphs of a bundle and compares them with its test vector, without PyTorch.

Shapes: w windows, k labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglfm.app.handover.contents import MODEL, PREPROCESS, TOLERANCE_OUTPUTS, BundledModel, Tolerance
from ecglfm.app.handover.example import Example
from ecglfm.config import UserError
from ecglfm.config.kinds import KINDS

NEAREST = 1e-7  # to 0 and 1, as `ecglfm.models.calibration` has it


class Difference(NamedTuple):
    """Largest differences of a bundle from the Python pipeline: of `windows`, in their unit, and of `outputs`."""

    windows: float
    outputs: float


def run_graphs(folder: Path, signal: np.ndarray, model: BundledModel) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a recording (w, leads, samples), and what the model says of it (k,).

    Parameters
    ----------
    folder : path
        Of the two graphs.
    signal : ndarray of float64, shape (12, samples)
        As `make_preprocessing` describes it.
    model : BundledModel

    Raises
    ------
    UserError
        A graph cannot be run.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = (each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    faults: tuple[type[Exception], ...] = (*found, ValueError)  # that one for a name that is not there
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    kind = KINDS[model.kind]
    try:
        prepare, ask = (
            onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in (PREPROCESS, MODEL)
        )
        (windows,) = prepare.run(["windows"], {"signal": signal})
        (each_wk,) = ask.run([kind.outputs], {"signal": windows})
    except faults as error:
        raise UserError(f"its graphs cannot be run: {' '.join(str(error).split())[:300]}") from None
    return windows, outputs_of(each_wk.astype(np.float64), model)


def outputs_of(each_wk: np.ndarray, model: BundledModel) -> np.ndarray:
    """What is said of a recording (k,) by what is said of its windows: their aggregate, then temperatures.

    sigmoid(logit(p) / T) and softmax(log(p) / T) by powers, as the page in the bundle has it: the odds, and the
    probabilities, to the power of 1 / T.
    """
    exclusive = KINDS[model.kind].exclusive
    said = getattr(np, model.aggregate)(each_wk, axis=0)
    if exclusive and model.aggregate != "mean":
        said = said / said.sum()
    if model.temperature is not None:
        power, said = 1 / np.array(model.temperature), np.clip(said, NEAREST, 1 - NEAREST)
        odds, against = said**power, (1 - said) ** power
        said = odds / (odds.sum() if exclusive else odds + against)
    return said


def compare(folder: Path, example: Example, model: BundledModel, allowed: Tolerance) -> Difference:
    """Run the graphs on the test vector.

    Returns
    -------
    Difference
        Of outputs it is relative where those are above 1.

    Raises
    ------
    UserError
        The shapes are others, or a difference is beyond what is allowed.
    """
    windows, outputs = run_graphs(folder, example.signal, model)
    if windows.shape != example.windows.shape or outputs.shape != example.outputs.shape:
        raise UserError(
            f"the graphs give windows {windows.shape} and outputs {outputs.shape} of the test vector, not"
            f" {example.windows.shape} and {example.outputs.shape}"
        )
    relative = np.abs(outputs - example.outputs) / np.maximum(np.abs(example.outputs), 1.0)
    found = Difference(float(np.abs(windows - example.windows).max()), float(relative.max()))
    within = found.windows <= allowed.windows * 1.001 and found.outputs <= TOLERANCE_OUTPUTS  # false for NaN
    if not within:
        raise UserError(
            f"the graphs differ from the Python pipeline on the test vector: windows by {found.windows:.1e}"
            f" {allowed.unit}, {allowed.windows:g} allowed, outputs by {found.outputs:.1e}, {TOLERANCE_OUTPUTS:g}"
            " allowed"
        )
    return found
