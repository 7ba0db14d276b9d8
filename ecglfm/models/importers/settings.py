"""Sizes and settings of a fairseq-signals checkpoint: sizes from its weights' shapes, the rest from its settings."""

from __future__ import annotations

import re
from typing import Any

import torch

from ecglfm.config import LEADS, UserError
from ecglfm.models.importers.checkpoint import Checkpoint

_CONV_LAYERS = "[(256, 2, 2)] * 4"
_SAMPLING_RATE = 500


def is_finetuned(checkpoint: Checkpoint) -> bool:
    """Whether it is a classifier: an encoder below `encoder.`, and a Linear."""
    return "proj.weight" in checkpoint.state


def encoder_prefix(checkpoint: Checkpoint) -> str:
    """What the names of the encoder's weights begin with."""
    return "encoder." if is_finetuned(checkpoint) else ""


class Layout:
    """Sizes and settings of one checkpoint.

    Attributes
    ----------
    finetuned : bool
        Whether it is a classifier.
    prefix : str
        What the names of the encoder's weights begin with.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.finetuned, self.prefix = is_finetuned(checkpoint), encoder_prefix(checkpoint)

    def shape(self, name: str, *, within: str | None = None) -> torch.Size:
        """Shape of a weight of the encoder."""
        name = (self.prefix if within is None else within) + name
        if name not in self.checkpoint.state:
            raise UserError(f"{self.checkpoint.path}: weight {name!r} is missing")
        return self.checkpoint.state[name].shape

    def setting(self, section: str, key: str, default: Any = None) -> Any:
        """One of its settings; older checkpoints have them in one flat list."""
        settings = self.checkpoint.config.get(section, self.checkpoint.config)
        value = settings.get(key) if isinstance(settings, dict) else None
        return default if value is None else value

    def model(self) -> dict[str, Any]:
        """Section `model` of an encoder YAML."""
        layer = "encoder.layers.0."
        heads, width = self.shape(f"{layer}self_attn.pos_bias_u")
        return {
            "kind": "conformer",
            "layers": self.count(r"encoder\.layers\.(\d+)\."),
            "dim": heads * width,
            "ffn_dim": self.shape(f"{layer}ffn1.w_1.weight")[0],
            "heads": heads,
            "kernel": self.shape(f"{layer}conv_module.depthwise_conv.weight")[2],
            "conv_channels": self.shape("feature_extractor.conv_layers.0.0.weight")[0],
            "conv_layers": self.conv_layers(),
            "dropout": float(self.setting("model", "dropout", 0.0)),
        }

    def count(self, pattern: str) -> int:
        """How many modules of a list there are; the pattern's group is their number."""
        found = (re.match(re.escape(self.prefix) + pattern, name) for name in self.checkpoint.state)
        count = 1 + max(int(match[1]) for match in found if match)
        if count > len(self.checkpoint.state):  # before a number in a name makes a billion layers
            raise UserError(
                f"{self.checkpoint.path}: a weight's name has number {count - 1}, but there are fewer weights"
            )
        return count

    def conv_layers(self) -> list[list[int]]:
        """Kernel and stride of each convolution: kernels from the weights, strides from the settings."""
        text = str(self.setting("model", "conv_feature_layers", _CONV_LAYERS))
        said = parse_conv_layers(text)
        count = max(len(said), self.count(r"feature_extractor\.conv_layers\.(\d+)\."))
        kernels = [self.shape(f"feature_extractor.conv_layers.{index}.0.weight")[2] for index in range(count)]
        if [kernel for kernel, _ in said] != kernels:
            raise UserError(
                f"{self.checkpoint.path}: its convolutions have kernels {kernels}, but its settings say {text!r}"
            )
        return [list(pair) for pair in said]

    def sampling_rate(self) -> int:
        """Hz."""
        return int(self.setting("task", "sample_rate") or _SAMPLING_RATE)

    def leads(self) -> list[str]:
        """Names of the input's leads; the original knows them by position."""
        count = self.shape("feature_extractor.conv_layers.0.0.weight")[1]
        chosen = re.findall(r"\d+", str(self.setting("task", "leads_to_load", ""))) or range(len(LEADS))
        leads = [LEADS[int(index)] for index in chosen if int(index) < len(LEADS)]
        if len(leads) != count:
            raise UserError(f"{self.checkpoint.path}: reads {count} leads, but its settings name {leads}")
        return leads

    def doubts(self) -> str:
        """Settings that change the input and that we do not follow."""
        found = [key for key in ("normalize", "filter") if self.setting("task", key) or self.setting("model", key)]
        return f"trained on signals with {' and '.join(found)}, which ours are without" if found else ""


def parse_conv_layers(text: str) -> list[tuple[int, int]]:
    """Kernel and stride of each convolution out of fairseq's notation, e.g. `[(256, 2, 2)] * 4 + [(256, 3, 1)]`.

    Raises
    ------
    UserError
        The text is not a sum of such lists.
    """
    layers: list[tuple[int, int]] = []
    for term in text.replace(" ", "").split("+"):
        match = re.fullmatch(r"\[((?:\(\d+,\d+,\d+\),?)+)\](?:\*(\d{1,2}))?", term)
        if not match:
            raise UserError(f"conv_feature_layers {text[:100]!r} is not a sum of lists such as [(256, 2, 2)] * 4")
        triples = re.findall(r"\((\d+),(\d+),(\d+)\)", match[1])
        if any(int(size) < 1 for triple in triples for size in triple):
            raise UserError(f"conv_feature_layers {text[:100]!r}: a size is 0")
        layers += [(int(kernel), int(stride)) for _, kernel, stride in triples] * int(match[2] or 1)
    return layers
