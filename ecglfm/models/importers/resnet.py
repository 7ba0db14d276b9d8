"""Checkpoints of three residual networks: EchoNext's, MERL's ResNet and CODE's for age.

What the authors' code gave for random weights agrees; no released file was at hand. What a file does not say (how its
input is made, see `contracts`; strides, where no config.json of CODE's lies beside it) is as published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import count, pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ecglfm.config import PreprocessConfig, UserError, parse, parse_model
from ecglfm.models.description import Description
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.hub import SETTINGS, read_settings
from ecglfm.models.importers.layout import Imported, take
from ecglfm.models.meta_device import on_meta_device

_UNSEEN = "no released checkpoint was at hand to compare outputs with"
#: What the names begin with in MERL's files: of the encoder alone, beside that of texts, and of several GPUs' training.
_MERL_PREFIXES = ("", "ecg_encoder.", "module.ecg_encoder.")

#: What is here, and what it is called there, in this order: names that all three share, those of each kind of block.
_NAMES = {
    r"^encoder\.resnet\.stem\.conv\.": "conv1.", r"^encoder\.resnet\.stem\.norm\.": "bn1.",
    r"\.first\.conv\.": ".conv1.", r"\.first\.norm\.": ".bn1.",
}  # fmt: skip
_BASIC_NAMES = _NAMES | {
    r"\.second\.conv\.": ".conv2.", r"\.second\.norm\.": ".bn2.", r"\.shortcut\.conv\.": ".shortcut.0.",
    r"\.shortcut\.norm\.": ".shortcut.1.",
}  # fmt: skip
_CODE_NAMES = _NAMES | {
    r"^head\.": "lin.", r"^encoder\.resnet\.layers\.(\d+)\.0\.": r"resblock1d_\1.", r"\.second\.": ".conv2.",
    r"\.norm\.": ".bn2.",
}  # fmt: skip


class CodeSettings(Description):
    """Of CODE's config.json what weights do not tell; without the file as published."""

    seq_length: int = Field(4096, ge=1, le=1 << 20)
    net_seq_lengh: list[Annotated[int, Field(ge=1)]] = Field([4096, 1024, 256, 64, 16], min_length=1, max_length=16)
    dropout_rate: float = Field(0.8, ge=0, lt=1)


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of one of the three."""
    return _method(checkpoint.state) is not None


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or CODE's settings do not fit.
    """
    method = _method(checkpoint.state)
    assert method is not None
    return method(checkpoint)


def _method(state: Mapping[str, Tensor]) -> Callable[[Checkpoint], Imported] | None:
    if "resblock1d_0.conv1.weight" in state:
        return _code
    if "layer2.0.downsample.0.weight" in state and "output.weight" in state:
        return _echonext
    return None if _merl_prefix(state) is None else _merl


def _merl_prefix(state: Mapping[str, Tensor]) -> str | None:
    return next((prefix for prefix in _MERL_PREFIXES if f"{prefix}layer2.0.shortcut.0.weight" in state), None)


def _echonext(checkpoint: Checkpoint) -> Imported:
    model = _basic(checkpoint, "") | {"max_pool": True, "pool": "mean_max", "dropout": 0.5}
    numbers = _shape(checkpoint, "output.weight")[1] - 2 * model["dim"]
    return _imported(
        checkpoint, CONTRACTS["echonext"], model, lambda name: _basic_name(name).replace("shortcut", "downsample"),
        ["output."], origin="EchoNext", pretrained_on=["echonext"], licence="none stated",
        unverified=f"{_UNSEEN}; its outputs are left out: beside the vector they are of {numbers} more numbers (sex,"
        " age, intervals), which no model of ours reads",
    )  # fmt: skip


def _merl(checkpoint: Checkpoint) -> Imported:
    prefix = _merl_prefix(checkpoint.state) or ""
    model = _basic(checkpoint, prefix) | {"dropout": 0.0}
    others = [name for name in checkpoint.state if not name.startswith(prefix)]  # of texts, and what compares with them
    return _imported(
        checkpoint, CONTRACTS["merl-resnet"], model, lambda name: prefix + _basic_name(name),
        [f"{prefix}linear.", *others], origin="MERL, ResNet, pretrained", pretrained_on=["mimic_iv_ecg"],
        licence="MIT", unverified=_UNSEEN,
    )  # fmt: skip


def _code(checkpoint: Checkpoint) -> Imported:
    path = checkpoint.path.with_name(SETTINGS)
    settings = _code_settings(checkpoint, path)
    lengths = [settings.seq_length, *settings.net_seq_lengh]
    stem, *strides = [before // after for before, after in pairwise(lengths)]
    if stem not in (1, 2) or any(before % after for before, after in pairwise(lengths)):
        raise UserError(f"{path}: {lengths} samples after each block are not those of whole strides, the first 1 or 2")
    strides, blocks = [1, *strides], len(lengths) - 1
    widths = [_shape(checkpoint, f"resblock1d_{block}.conv1.weight")[0] for block in range(blocks)]
    kernel, outputs = _shape(checkpoint, "conv1.weight")[2], _shape(checkpoint, "lin.bias")[0]
    model = {
        "kind": "resnet", "dim": widths[-1], "widths": widths, "blocks": [1] * blocks, "strides": strides,
        "kernel": kernel, "stem": [kernel, stem], "preactivation": True, "dropout": settings.dropout_rate,
    }  # fmt: skip

    def original(name: str) -> str:
        name = _renamed(name, _CODE_NAMES)
        if match := re.fullmatch(r"resblock1d_(\d+)\.shortcut\.weight", name):  # behind max pooling, if that is there
            return f"resblock1d_{match[1]}.skip_connection.{int(strides[int(match[1])] > 1)}.weight"
        return name

    published = CONTRACTS["code"]
    seconds, (resample, pad) = settings.seq_length / published["sampling_rate"], published["record"]
    contract = published | {"record": [resample, pad | {"seconds": seconds}], "window_seconds": seconds}
    return _imported(
        checkpoint, contract, model, original, outputs=outputs, head_model={"pool": "flatten"},
        origin="CODE, ResNet for age", labels=["age"] if outputs == 1 else [],
        task="regression" if outputs == 1 else "multilabel", pretrained_on=["code85"], licence="MIT",
        unverified=f"{_UNSEEN}; its authors say the unit of its input in two ways, of which millivolts are taken",
    )  # fmt: skip


def _code_settings(checkpoint: Checkpoint, path: Path) -> CodeSettings:
    """What lies beside the weights, or what is published."""
    try:
        content = read_settings(path)
    except UserError as error:
        raise UserError(f"{checkpoint.path}: {error}") from None
    return parse(CodeSettings, content, path)


def _basic(checkpoint: Checkpoint, prefix: str) -> dict[str, Any]:
    """Keys of `model` that EchoNext's and MERL's share, off the shapes; strides as published."""
    widths, blocks = [], []
    for stage in count(1):
        names = (re.match(rf"{re.escape(prefix)}layer{stage}\.(\d+)\.", name) for name in checkpoint.state)
        if not (found := {match[1] for match in names if match}):
            break
        widths.append(_shape(checkpoint, f"{prefix}layer{stage}.0.conv1.weight")[0])
        blocks.append(len(found))  # a gap among their numbers shows as a missing weight
    return {
        "kind": "resnet", "dim": widths[-1], "widths": widths, "blocks": blocks,
        "strides": [1] + [2] * (len(widths) - 1), "kernel": _shape(checkpoint, f"{prefix}layer1.0.conv1.weight")[2],
        "stem": [_shape(checkpoint, f"{prefix}conv1.weight")[2], 2],
    }  # fmt: skip


def _basic_name(name: str) -> str:
    """What MERL calls a weight of ours, and but for shortcuts EchoNext, too."""
    name = re.sub(r"^encoder\.resnet\.layers\.(\d+)", lambda match: f"layer{int(match[1]) + 1}", name)
    return _renamed(name, _BASIC_NAMES)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        name = re.sub(ours, theirs, name)
    return name


def _shape(checkpoint: Checkpoint, name: str) -> torch.Size:
    if name not in checkpoint.state:
        raise UserError(f"{checkpoint.path}: weight {name!r} is missing")
    return checkpoint.state[name].shape


def _imported(
    checkpoint: Checkpoint, contract: dict[str, Any], model: dict[str, Any], original: Callable[[str], str],
    dead: Iterable[str] = (), *, outputs: int = 0, **facts: Any,
) -> Imported:  # fmt: skip
    """Every weight of the encoder that `model` says, and those of its head where it has outputs."""
    section = parse_model(model | facts.get("head_model", {}), f"{checkpoint.path}: architecture")
    geometry = (contract["leads"], contract["sampling_rate"], PreprocessConfig(), contract["window_seconds"])
    with on_meta_device():
        encoder = make_encoder(section, *geometry)
        whole = ECGModel(encoder, [""] * outputs, "full") if outputs else nn.ModuleDict({"encoder": encoder})
    weights, dropped = take(checkpoint, whole.state_dict(), original, dead)
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "head": {}}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    return Imported(
        model=model, leads=encoder.leads, sampling_rate=encoder.sampling_rate, crop_seconds=encoder.crop_seconds,
        encoder=parts["encoder"], head=parts["head"], dropped=dropped, input=contract, **facts,
    )  # fmt: skip
