"""Checkpoints of ECG-CPC (arXiv:2509.25095): convolutions and causal S4 layers; and of its benchmark's supervised S4.

Small ones with random weights, written by the authors' code, agree; no released file was at hand. Strides and rates are
not in the file: those published are taken.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor, nn

from ecglfm.config import LEADS, PreprocessConfig, UserError, parse_model
from ecglfm.models.encoders import ECGEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.layout import Imported, take
from ecglfm.models.meta_device import on_meta_device

#: Hz and strides as published; of the supervised one every sample is a frame.
_RATE, _STRIDES, _SUPERVISED_RATE = 240, (2, 1, 1, 1), 100
_CONVS, _HEAD = "ts_encoder.encoder.layers.", "ts_encoder.head_ssl."
_DROPOUT = 0.2
_UNVERIFIED = (
    "no released checkpoint was at hand to compare outputs with; the file tells no sampling rate: {rate} Hz is the "
    "published one"
)


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of S4 layers with a kernel at the roots of unity."""
    return any(name.endswith("s4_layers.0.kernel.kernel.C") for name in checkpoint.state)


class _Layout:
    """Names and sizes of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        first = next(name for name in checkpoint.state if name.endswith("s4_layers.0.kernel.kernel.C"))
        self.prefix = first.removesuffix("s4_layers.0.kernel.kernel.C")
        self.layers = self._count(self.prefix + "s4_layers.")
        self.convs = self._count(_CONVS)
        self.supervised = self.convs == 0
        self.directions, self.dim, self.pairs, _ = self.weight(first).shape
        self.strides = _STRIDES[: self.convs] + (1,) * (self.convs - len(_STRIDES))
        self.rate = _SUPERVISED_RATE if self.supervised else _RATE
        self.kernel_frames = self._kernel_frames()

    def weight(self, name: str) -> Tensor:
        """One of its weights."""
        if name not in self.checkpoint.state:
            raise UserError(f"{self.checkpoint.path}: weight {name!r} is missing")
        return self.checkpoint.state[name]

    def _count(self, prefix: str) -> int:
        """How many modules of a list there are; a gap shows as a missing weight."""
        names = [re.match(rf"{re.escape(prefix)}(\d+)\.", name) for name in self.checkpoint.state]
        return len({match[1] for match in names if match})

    def kernel(self, layer: int) -> str:
        """What the names of a layer's state space begin with."""
        return f"{self.prefix}s4_layers.{layer}.kernel.kernel."

    def _kernel_frames(self) -> int:
        """Frames of the kernels, from the first root of unity: the number of rows is that of two lengths."""
        found = set()
        for layer in range(self.layers):
            roots = self.weight(self.kernel(layer) + "omega").double()
            angle = -float(torch.atan2(roots[1, 1], roots[1, 0]))
            frames = round(2 * math.pi / angle) if angle > 0 else 0
            if len(roots) != frames // 2 + 1:
                raise UserError(
                    f"{self.checkpoint.path}: {self.kernel(layer)}omega has {len(roots)} rows, which are not the roots "
                    "of unity of a kernel"
                )
            found.add(frames)
        if len(found) > 1:
            raise UserError(f"{self.checkpoint.path}: its layers have kernels of different lengths: {sorted(found)}")
        return found.pop()

    def model(self) -> dict[str, Any]:
        """Section `model` of an encoder YAML."""
        kernels = [self.weight(f"{_CONVS}{number}.0.weight").shape[2] for number in range(self.convs)]
        return {
            "kind": "s4",
            "layers": self.layers,
            "dim": self.dim,
            "state": 2 * self.pairs,
            "bidirectional": self.directions == 2,
            "conv_layers": [[kernel, stride] for kernel, stride in zip(kernels, self.strides, strict=True)],
            "kernel_frames": self.kernel_frames,
            "dropout": _DROPOUT,
        }

    def original(self, name: str) -> str:
        """Name in the checkpoint of a weight of `ECGModel` or, below `encoder.`, of `ECGEncoder`."""
        if name.startswith("head."):
            return name.replace("head.", "decoder.")
        name = name.removeprefix("encoder.").replace("frontend.lift.", "encoder.")
        name = re.sub(r"^frontend\.convs\.(\d+)\.conv\.", rf"{_CONVS}\1.0.", name)
        name = re.sub(r"^frontend\.convs\.(\d+)\.norm\.", rf"{_CONVS}\1.1.", name)
        name = re.sub(r"^s4\.layers\.(\d+)\.norm\.", rf"{self.prefix}norms.\1.", name)
        name = re.sub(r"^s4\.layers\.(\d+)\.output_linear\.", rf"{self.prefix}s4_layers.\1.output_linear.0.", name)
        name = re.sub(r"^s4\.layers\.(\d+)\.state_space\.D$", rf"{self.prefix}s4_layers.\1.D", name)
        return re.sub(r"^s4\.layers\.(\d+)\.state_space\.", rf"{self.prefix}s4_layers.\1.kernel.kernel.", name)


def _reshape(name: str, value: Tensor) -> Tensor:
    """Without the dimensions of size 1 that the original has: of one D, of rank 1, of a kernel of 1."""
    last = name.rpartition(".")[2]
    if last in ("D", "B", "P", "Q") and value.shape[:1] == (1,):
        return value[0]
    if (name.endswith("output_linear.bias") or name.endswith("lift.weight")) and value.shape[-1:] == (1,):
        return value[..., 0]
    return value


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or kernels are not of one length.
    """
    layout = _Layout(checkpoint)
    model = layout.model()
    section = parse_model(model, f"{checkpoint.path}: architecture")
    seconds = layout.kernel_frames * math.prod(layout.strides) / layout.rate
    leads = list(LEADS)
    with on_meta_device():
        encoder = ECGEncoder(section, leads, layout.rate, PreprocessConfig(sampling_rate=layout.rate), seconds)
        labels = len(layout.weight("decoder.bias")) if layout.supervised else 0
        whole = ECGModel(encoder, [""] * labels, "full") if labels else nn.ModuleDict({"encoder": encoder})
    used = [layout.kernel(layer) + name for layer in range(layout.layers) for name in ("omega", "z")]
    weights, dropped = take(checkpoint, whole.state_dict(), layout.original, [*used, _HEAD], reshape=_reshape)
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "head": {}}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    return Imported(
        origin="ECG-CPC benchmark, supervised S4" if layout.supervised else "ECG-CPC, pretrained",
        model=model,
        leads=leads,
        sampling_rate=layout.rate,
        crop_seconds=seconds,
        encoder=parts["encoder"],
        head=parts["head"],
        objective={name: checkpoint.state[name] for name in dropped if name.startswith(_HEAD)},
        pretrained_on=[] if layout.supervised else ["heedb"],
        licence="none stated",
        input=CONTRACTS["s4-supervised" if layout.supervised else "ecg-cpc"] | {"window_seconds": seconds},
        unverified=_UNVERIFIED.format(rate=layout.rate),
    )
