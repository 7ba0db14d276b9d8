"""Checkpoints of ECGFounder (PKUDigitalHealth, arXiv:2410.04133): the 12-lead and the 1-lead network.

A small one with random weights, written by the authors' code, agrees; no released file was at hand. Strides, rate and
window are not in the file: they are as published. The norms are, and the published network does not use them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ecglfm.config import LEADS, PreprocessConfig, UserError, parse_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.layout import Imported, take
from ecglfm.models.meta_device import on_meta_device

_RATE, _SECONDS, _STRIDE = 500, 10.0, 2
_UNVERIFIED = "no released checkpoint was at hand to compare outputs with; that no norm is in use is as published"
_LEADS = {12: list(LEADS), 1: ["I"]}

#: What a block's modules are called here, and there.
_BLOCK = {
    "narrow": "conv1.conv",
    "grouped": "conv2.conv",
    "wide": "conv3.conv",
    "squeeze": "se_fc1",
    "excite": "se_fc2",
}
_UNUSED = re.compile(
    r"(first_bn|stage_list\.\d+\.block_list\.\d+\.bn[123])\.(weight|bias|running_mean|running_var|num_batches_tracked)"
)


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of Net1D."""
    return {"first_conv.conv.weight", "stage_list.0.block_list.0.se_fc1.weight"} <= set(checkpoint.state)


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or the network reads neither 12 leads nor one.
    """
    unused = sorted(name for name in checkpoint.state if _UNUSED.fullmatch(name))
    used = replace(checkpoint, state={name: value for name, value in checkpoint.state.items() if name not in unused})
    inputs = used.state["first_conv.conv.weight"].shape[1]
    if inputs not in _LEADS:
        raise UserError(f"{checkpoint.path}: reads {inputs} leads; ECGFounder is known with twelve, and with I alone")
    model, leads = _architecture(used), _LEADS[inputs]
    with on_meta_device():
        section = parse_model(model, f"{checkpoint.path}: architecture")
        encoder = make_encoder(section, leads, _RATE, PreprocessConfig(), _SECONDS)
        # of the bias, whose numbers the file has: a weight of a billion rows of nothing takes no byte there
        labels = len(used.state.get("dense.bias", " ")) if "dense.weight" in used.state else 0
        whole = ECGModel(encoder, [""] * labels, "full") if labels else nn.ModuleDict({"encoder": encoder})
    weights, _ = take(used, whole.state_dict(), _original, reshape=_reshaped)
    return Imported(
        origin=f"ECGFounder, {inputs} lead{'s' if inputs > 1 else ''}",
        model=model,
        leads=leads,
        sampling_rate=_RATE,
        crop_seconds=_SECONDS,
        encoder={
            name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")
        },
        head={name.removeprefix("head."): value for name, value in weights.items() if name.startswith("head.")},
        dropped=unused,
        pretrained_on=["heedb"],
        licence="MIT",
        input=CONTRACTS["ecg-founder"] | {"leads": leads},
        unverified=_UNVERIFIED,
    )


def _architecture(checkpoint: Checkpoint) -> dict[str, Any]:
    """Section `model` of an encoder YAML, from the shapes of weights."""
    stages: dict[int, int] = {}
    for name in checkpoint.state:
        if match := re.fullmatch(r"stage_list\.(\d+)\.block_list\.(\d+)\.conv2\.conv\.weight", name):
            stages[int(match[1])] = stages.get(int(match[1]), 0) + 1
    if sorted(stages) != list(range(len(stages))):
        raise UserError(f"{checkpoint.path}: its stages are not numbered from 0 to their last one")
    first = "stage_list.{}.block_list.0.{}.weight"
    widths = [checkpoint.state[first.format(stage, "conv3.conv")].shape[0] for stage in range(len(stages))]
    inner, group, kernel = checkpoint.state[first.format(0, "conv2.conv")].shape
    return {
        "kind": "net1d", "dim": widths[-1], "stem": checkpoint.state["first_conv.conv.weight"].shape[0],
        "widths": widths, "blocks": [stages[stage] for stage in range(len(stages))], "kernel": kernel,
        "stride": _STRIDE, "group_width": group, "ratio": inner / widths[0], "norm": "none", "dropout": 0.0,
    }  # fmt: skip


def _original(name: str) -> str:
    """Name in the checkpoint of a weight of `ECGModel`."""
    name = name.removeprefix("encoder.net1d.").replace("stem.", "first_conv.conv.").replace("head.", "dense.")
    if match := re.fullmatch(r"layers\.(\d+)\.(\d+)\.(\w+)\.(\w+)", name):
        stage, block, module, rest = match.groups()
        return f"stage_list.{stage}.block_list.{block}.{_BLOCK[module]}.{rest}"
    return name


def _reshaped(name: str, value: Tensor) -> Tensor:
    """Convolutions of kernel 1 as Linears."""
    linear = name.endswith(("narrow.weight", "wide.weight")) and value.shape[2:] == (1,)
    return value[..., 0] if linear else value
