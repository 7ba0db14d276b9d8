"""From crops to a record's outputs: what validation, evaluation and prediction share.

Shapes: b batch, l leads, t samples, k labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from ecglfm import distributed, gpu
from ecglfm.config.kinds import KINDS
from ecglfm.data.samples import to_millivolts
from ecglfm.models.heads import ECGModel
from ecglfm.models.reference import count_numbers, signal_numbers
from ecglfm.training.compilation import compile_layers
from ecglfm.training.precision import calculating, set_precision

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class CropReader(Protocol):
    """What is read of `Signals`, `Held` and `Converted` of `ecglfm.data.samples`."""

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Samples of some records, shape (rows, length, leads), zeros past the end: int16 microvolts, or float32."""

    def windows(self, length: int) -> pd.DataFrame:
        """Table `row, start, valid` of every record's windows that do not overlap."""


def model_input(crops_btl: np.ndarray, valid_b: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Crops as an encoder reads them.

    Parameters
    ----------
    crops_btl : ndarray of int16 or float32, shape (batch, samples, leads)
        Microvolts, or what an encoder's `input` made of them.
    valid_b : ndarray of int, shape (batch,)
        Real samples at the start of each crop; the rest is padding.

    Returns
    -------
    x : Tensor of float32, shape (batch, leads, samples)
        Millivolts, or what was made of them.
    mask : Tensor of bool, shape (batch, samples), or None
        True for a real sample; None where no crop is padded.
    """
    samples = crops_btl.shape[1]
    mask_bt = None
    if (valid_b < samples).any():
        mask_bt = torch.from_numpy(np.arange(samples)[None, :] < valid_b[:, None])
    return torch.from_numpy(to_millivolts(crops_btl)), mask_bt


def ready(module: ModuleT, *, threads: int, precision: str = "fp32", compiled: bool = False) -> ModuleT:
    """An encoder or a model on the device that there is, which is then asked in numbers of `precision`.

    Parameters
    ----------
    module : Encoder or ECGModel
    threads : int
        Of torch, which has them for the whole process.
    precision : str
        As of `predict`; bf16 that this machine only imitates is warned of.
    compiled : bool
        Compile the encoder's layers: a minute, once.

    Raises
    ------
    UserError
        Nothing can be compiled.
    """
    torch.set_num_threads(max(1, threads))
    device = distributed.choose_device()
    set_precision(precision)
    if compiled:
        compile_layers(getattr(module, "encoder", module), asked="--compile")
    return module.to(device)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[torch.device]:
    """Eval mode without gradients, in fp32; every submodule's own mode is restored. Yields the module's device."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.inference_mode(), gpu.tf32(False):
            yield next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    finally:
        for part, mode in modes:
            part.training = mode


def predict(
    model: ECGModel, signals: CropReader, windows: pd.DataFrame | None = None, *, batch_size: int = 64,
    precision: str = "fp32", stop: distributed.StopFlag | None = None,
) -> np.ndarray:  # fmt: skip
    """Outputs of records (`ECGModel.outputs`), put together from the windows of each as `model.aggregate` says.

    Parameters
    ----------
    model : ECGModel
        `model(x, mask)` gives logits; `model.encoder.crop_samples` is the length of a window.
    signals : Signals
    windows : DataFrame, optional
        Rows of `signals.windows(length)` to use; all of them by default.
    batch_size : int
        Windows in one forward.
    precision : str
        Numbers of the products, as `ecglfm.training.precision` has them; the training's own do not matter.
    stop : StopFlag, optional
        Ends it before the next forward; all ranks must predict the same then.

    Returns
    -------
    ndarray of float32, shape (records, labels)
        One row per record that has a window, in the order of `windows.row`, ascending.

    Raises
    ------
    Stopped
        `stop` was raised.
    """
    windows = signals.windows(model.encoder.crop_samples) if windows is None else windows

    def say(x: torch.Tensor, mask: torch.Tensor | None, _valid: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if precision == "fp32":
            return (model.outputs(model(x, mask).float()),)
        with calculating(precision, x.device):
            vectors = model.embed(x, mask)
        return (model.outputs(model.head(vectors.float())),)  # a logit of 8 in bfloat16 may be off by 0.03

    (outputs,) = _forward(model, signals, windows, say, (len(model.label_names),), batch_size, stop)
    return outputs_by_record(model, windows["row"].to_numpy(), outputs)


def predict_described(
    model: ECGModel, signals: CropReader, windows: pd.DataFrame | None = None, *, batch_size: int = 64,
    precision: str = "fp32",
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Outputs of records, as `predict`, and what they look like, as `ecglfm.models.reference` wants it.

    Parameters
    ----------
    model, signals, windows, batch_size, precision
        As in `predict`.

    Returns
    -------
    outputs : ndarray of float32, shape (records, labels)
    numbers : ndarray of float32, shape (records, numbers)
        The vector that the head reads and the numbers of the signal side by side, means over the windows.
    """
    windows = signals.windows(model.encoder.crop_samples) if windows is None else windows
    rate, leads = model.encoder.sampling_rate, len(model.encoder.leads)

    def say(x: torch.Tensor, mask: torch.Tensor | None, valid: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with calculating(precision, x.device):
            vectors = model.embed(x, mask)
        numbers = torch.cat([vectors.float(), signal_numbers(x, valid, rate)], dim=1)
        return model.outputs(model.head(vectors.float())), numbers

    widths = (len(model.label_names), model.embedding_dim + count_numbers(leads))
    outputs, numbers = _forward(model, signals, windows, say, widths, batch_size, None)
    row = windows["row"].to_numpy()
    return outputs_by_record(model, row, outputs), aggregate_by_record(row, numbers)


def _forward(
    model: ECGModel, signals: CropReader, windows: pd.DataFrame, say: Callable[..., tuple[torch.Tensor, ...]],
    widths: tuple[int, ...], batch_size: int, stop: distributed.StopFlag | None,
) -> list[np.ndarray]:  # fmt: skip
    """What `say(x, mask, valid)` gives of windows in batches: tensors of so many columns each."""
    length = model.encoder.crop_samples
    row, start, valid = (windows[column].to_numpy() for column in ("row", "start", "valid"))
    parts: list[list[np.ndarray]] = [[np.zeros((0, width), np.float32)] for width in widths]
    with evaluating(model) as device:
        for first in range(0, len(windows), batch_size):
            distributed.end_if(stop)
            batch = slice(first, first + batch_size)
            x, mask = model_input(signals.crops(row[batch], start[batch], length), valid[batch])
            real = torch.from_numpy(valid[batch].astype(np.int64)).to(device)
            said = say(x.to(device), None if mask is None else mask.to(device), real)
            for part, values in zip(parts, said, strict=True):
                part.append(values.cpu().numpy())
    return [np.concatenate(part) for part in parts]


def outputs_by_record(model: ECGModel, row: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Outputs of records from those of windows; probabilities of several classes add up to 1 again.

    Parameters
    ----------
    model : ECGModel
        `kind` and `aggregate` of it.
    row, outputs
        As in `aggregate_by_record`.
    """
    values = aggregate_by_record(row, outputs, model.aggregate)
    if KINDS[model.kind].exclusive and model.aggregate != "mean":
        values /= values.sum(axis=1, keepdims=True)
    return values


def aggregate_by_record(row: np.ndarray, values: np.ndarray, aggregate: str = "mean") -> np.ndarray:
    """Mean, maximum or median of the windows' values of each record.

    Parameters
    ----------
    row : ndarray of int, shape (windows,)
        Record of each window.
    values : ndarray of float, shape (windows, columns)
    aggregate : {'mean', 'max', 'median'}

    Returns
    -------
    ndarray of float32, shape (records, columns)
        In the ascending order of `row`.
    """
    records, position = np.unique(row, return_inverse=True)
    if aggregate != "mean":
        order = np.argsort(position, kind="stable")
        parts = np.split(values[order], np.cumsum(np.bincount(position))[:-1]) if len(row) else []
        each = [getattr(np, aggregate)(part, axis=0) for part in parts]
        return np.asarray(each, np.float32).reshape(len(records), values.shape[1])
    total = np.zeros((len(records), values.shape[1]))
    np.add.at(total, position, values)
    return (total / np.bincount(position, minlength=len(records))[:, None]).astype(np.float32)
