"""Encoders and models as files for other runtimes, ONNX and TorchScript: `python -m ecglfm export`.

Any batch and any length of at least two frames goes in, whatever the shapes at export. What was written is run
beside the PyTorch model before it gets its name: a file that gives other numbers is not left behind.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecglfm import __version__
from ecglfm.config import UserError
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel

FORMATS = ("onnx", "torchscript")
TOLERANCE = 1e-4
#: What was tried; everything else runs with 2.6. Before 2.13 ONNX fixes the length, before 2.11 TorchScript fails.
OLDEST_TORCH = {"onnx": "2.13", "torchscript": "2.11"}
#: Kinds of encoder that are not exported, and why.
REFUSED = {"s4": "its Fourier transforms are as long as the record, and a file would have those of one length"}
#: One ONNX file holds at most 2 GiB (protobuf); larger weights lie beside it in FILE.data.
INLINE_BYTES = 3 << 29
#: Where a TorchScript file has its description: `torch.jit.load(FILE, _extra_files={EXTRA_FILE: ""})` fills it in.
EXTRA_FILE = "ecglfm.json"

Forward = Callable[[tuple[Tensor, ...]], list[Tensor]]


class Exportable(nn.Module):
    """What is exported: (signal, mask) to a pair of tensors, whose names are `outputs`."""

    def __init__(self, module: Encoder | ECGModel) -> None:
        super().__init__()
        self.module = module
        self.encoder = module if isinstance(module, Encoder) else module.encoder
        self.outputs = ["frames", "embedding"] if isinstance(module, Encoder) else ["logits", module.link.kind.outputs]

    def forward(self, signal: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frames (batch, frames, dim) and embedding (batch, dim), or logits and what they say (batch, labels)."""
        if isinstance(self.module, Encoder):
            frames_btd, mask_bt = self.module.encode(signal, mask)
            return frames_btd, self.module.pool(frames_btd, mask_bt)
        logits = self.module(signal, mask)
        return logits, self.module.outputs(logits)


def describe(module: Encoder | ECGModel) -> dict[str, Any]:
    """What the file says about itself: everything that is needed to feed it and to read its outputs.

    Parameters
    ----------
    module : Encoder or ECGModel

    Returns
    -------
    dict
        `ecglfm` (version), `kind`, `config_hash`, `unit`, `sampling_rate` (Hz), `leads`, `crop_seconds` (length of the
        training segments), `preprocess`, `input` where it has one; of a model also `label_names`, `thresholds` and,
        where it is calibrated, `temperature`: the outputs are not calibrated yet, the thresholds are of such that are;
        of survival `baseline_hazards`, as `model.json` has them.
    """
    encoder = module if isinstance(module, Encoder) else module.encoder
    content = {
        "ecglfm": __version__,
        "kind": "encoder" if module is encoder else "model",
        "config_hash": module.info.get("config_hash", ""),
        "unit": "mV" if encoder.input is None else encoder.input.unit,
        "sampling_rate": encoder.sampling_rate,
        "leads": encoder.leads,
        "crop_seconds": encoder.crop_seconds,
        "preprocess": encoder.preprocess.model_dump(mode="json"),
        **({} if encoder.input is None else {"input": encoder.input.model_dump(mode="json")}),
    }
    if isinstance(module, ECGModel):
        content |= {"label_names": module.label_names, "thresholds": module.thresholds}
        if module.calibration is not None:
            content["temperature"] = module.calibration.temperatures.tolist()
        if module.baselines:
            content["baseline_hazards"] = [None if one is None else asdict(one) for one in module.baselines]
    return content


def export(module: Encoder | ECGModel, output: str | Path, *, form: str, mask: bool = False) -> float:
    """Write the file and compare it with the module on two shapes.

    Parameters
    ----------
    module : Encoder or ECGModel
        On the CPU, in float32; left in `eval()` and without gradients.
    output : path
        With ONNX and more than `INLINE_BYTES` of weights, `output`.data is written too.
    form : {'onnx', 'torchscript'}
    mask : bool
        Whether there is a second input: `mask` (batch, samples) of bool, True where a sample is real.

    Returns
    -------
    float
        Largest difference between two outputs, relative to PyTorch's where that is above 1.

    Raises
    ------
    UserError
        PyTorch is too old, the encoder is of a kind that is not exported, the output is a folder, or the file gives
        other numbers.
    """
    output = Path(output)
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; give the name of the file")
    _need(form)
    whole = Exportable(module).eval().requires_grad_(False)
    if (kind := whole.encoder.config.kind) in REFUSED:
        raise UserError(
            f"--format {form}: an encoder of kind {kind} is not exported: {REFUSED[kind]}; --format huggingface, which"
            " runs PyTorch, takes it"
        )
    inputs = [_inputs(whole.encoder, batch, crops, mask) for batch, crops in ((2, 1), (1, 1), (3, 2))]
    # The final name from the start, in a folder that is renamed away: both formats write it into the file.
    folder = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    folder.mkdir(parents=True)
    try:
        with _quiet(), torch.no_grad():
            write = _write_onnx if form == "onnx" else _write_torchscript
            run = write(whole, inputs[0], folder / output.name)
            difference = max(_difference(whole, run, case) for case in inputs[1:])
        if not difference <= TOLERANCE:
            raise UserError(
                f"{output}: not written, because its outputs differ from PyTorch's by {difference:.1e}, more than "
                f"{TOLERANCE:.0e}; are the weights finite, and are torch and onnxruntime up to date?"
            )
        for path in sorted(folder.iterdir(), reverse=True):  # FILE.data first: the file that names it comes last
            path.replace(output.with_name(path.name))
    finally:
        shutil.rmtree(folder)
    return difference


def _need(form: str) -> None:
    """Raise when PyTorch is too old."""
    oldest, have = OLDEST_TORCH[form], torch.__version__
    if have < oldest:  # as versions: PyTorch's is a string that knows how
        raise UserError(
            f"--format {form} needs torch {oldest} or newer, and this is {have}: pip install 'torch>={oldest}'"
        )


def _inputs(encoder: Encoder, batch: int, crops: int, mask: bool) -> tuple[Tensor, ...]:
    """Noise of 1 mV, of half a crop where so many crops are too long; with a mask, the last record ends at half."""
    samples = crops * encoder.crop_samples
    if encoder.longest is not None and samples > encoder.longest:
        samples = encoder.crop_samples // 2
    signal = torch.randn(batch, len(encoder.leads), samples, generator=torch.Generator().manual_seed(batch))
    if not mask:
        return (signal,)
    real = torch.ones(batch, samples, dtype=torch.bool)
    real[-1, samples // 2 :] = False
    return signal, real


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch's remarks about its own exporters from the user: what comes out is checked."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _write_onnx(whole: Exportable, inputs: tuple[Tensor, ...], path: Path) -> Forward:
    """Write ONNX and give what runs it in onnxruntime."""
    import onnxruntime

    encoder = whole.encoder
    # As short as the encoder reads: PyTorch, promised less, would find that out by tracing all of it and then again.
    least = bisect_left(range(encoder.crop_samples), True, key=lambda samples: not encoder.too_short(samples))
    batch = torch.export.Dim("batch", min=1)
    samples = torch.export.Dim("samples", min=max(2, least), max=encoder.longest)
    axes = [{0: batch, 2: samples}, {0: batch, 1: samples}][: len(inputs)]
    program = torch.onnx.export(
        whole,
        inputs,
        dynamo=True,
        dynamic_shapes=tuple(axes),
        input_names=["signal", "mask"][: len(inputs)],
        output_names=whole.outputs,
        verbose=False,
    )
    assert program is not None
    for name, value in describe(whole.module).items():
        program.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with this machine's paths
    size = sum(value.numel() * value.element_size() for value in whole.state_dict().values())
    program.save(path, external_data=size > INLINE_BYTES)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(case: tuple[Tensor, ...]) -> list[Tensor]:
        feed = {name: value.numpy() for name, value in zip(names, case, strict=True)}
        return [torch.from_numpy(value) for value in session.run(whole.outputs, feed)]

    return run


def _write_torchscript(whole: Exportable, inputs: tuple[Tensor, ...], path: Path) -> Forward:
    """Write TorchScript and give what runs it."""
    traced = torch.jit.trace(whole, inputs, check_trace=False)
    torch.jit.save(traced, path, _extra_files={EXTRA_FILE: json.dumps(describe(whole.module))})
    loaded = torch.jit.load(path)
    return lambda case: list(loaded(*case))


def _difference(whole: Exportable, run: Forward, case: tuple[Tensor, ...]) -> float:
    """Largest difference on one input; infinite or NaN where shapes or finiteness differ."""
    found, expected = run(case), whole(*case)
    if [value.shape for value in found] != [value.shape for value in expected]:
        return float("inf")
    pairs = zip(found, expected, strict=True)
    return float(torch.stack([((a - b).abs() / b.abs().clamp(min=1)).max() for a, b in pairs]).max())
