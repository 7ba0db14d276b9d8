"""Checkpoints of ECG-FM (arXiv:2408.05178): fairseq-signals' wav2vec 2.0 + CMSC transformer, and its classifiers.

Written from the published layout, with no released file at hand: its parameter counts come out (90,883,072 and
311,940,352), the outputs are unverified against a release, and every import says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ecglfm.config import UserError
from ecglfm.models.importers import ecg_lfm
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.layout import Imported, assemble
from ecglfm.models.importers.settings import Layout, encoder_prefix

#: Weights that only its pretraining needs. Its codebook has two groups, ours has one: they cannot go on from here.
PRETRAINING = ("mask_emb", "quantizer.", "project_q.", "final_proj.", "target_glu.")
#: The positional convolution, now and in older versions, and the two forms of its weight normalisation.
_POSITIONAL = ("conv_pos.pos_conv.0.", "encoder.pos_conv.0.")
_LENGTH_AND_DIRECTION = (("weight_g", "weight_v"),
                         ("parametrizations.weight.original0", "parametrizations.weight.original1"))  # fmt: skip
#: Our names of weights, and the original's; the front end's are as in `ecg_lfm`.
_NAMES = {
    "wav2vec2.positional.conv.": _POSITIONAL[0],
    "wav2vec2.layer_norm.": "encoder.layer_norm.",
    "wav2vec2.layers.": "encoder.layers.",
}
#: Both published sizes have heads of this width.
_HEAD_WIDTH = 64
_UNVERIFIED = (
    "no released ECG-FM checkpoint was at hand to compare outputs with; its authors standardize each lead over the "
    "whole recording beforehand, which --standardize does over each segment"
)
_GUESSED = f"its settings are not the encoder's: heads of width {_HEAD_WIDTH} and layer_norm_first: false are assumed"


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of a plain transformer's attention."""
    return any(re.search(r"encoder\.layers\.\d+\.self_attn\.q_proj\.weight$", name) for name in checkpoint.state)


def original_name(name: str) -> str:
    """Name in a pretrained checkpoint of a weight of `ECGEncoder`."""
    for ours, theirs in _NAMES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return ecg_lfm.original_name(f"encoder.{name}")


def fold(checkpoint: Checkpoint, prefix: str) -> Checkpoint:
    """Write two things as we hold them: the positional kernel as one weight, and missing convolution biases as zeros.

    Weight normalisation (arXiv:1602.07868) keeps a direction v and, per tap of the kernel, a length g: the weight is
    g v / |v|, with the norm over both channel dimensions.
    """
    state = dict(checkpoint.state)
    for positional in (prefix + name for name in _POSITIONAL):
        for length, direction in _LENGTH_AND_DIRECTION:
            pair = {positional + length, positional + direction}
            if len(pair & set(state)) == 1:
                raise UserError(f"{checkpoint.path}: weight {(pair - set(state)).pop()!r} is missing")
            if pair <= set(state):
                g, v = state.pop(positional + length).float(), state.pop(positional + direction).float()
                state[positional + "weight"] = v * (g / v.norm(dim=(0, 1), keepdim=True))
    new, old = (prefix + name for name in _POSITIONAL)
    if new + "bias" not in state:
        state = {new + name.removeprefix(old) if name.startswith(old) else name: v for name, v in state.items()}
    convs = prefix + "feature_extractor.conv_layers."
    kernels = [name for name in state if name.startswith(convs) and name.endswith(".0.weight")]
    if not any(name.replace(".weight", ".bias") in state for name in kernels):  # conv_bias: false
        state |= {name.replace(".weight", ".bias"): torch.zeros(len(state[name])) for name in kernels}
    return replace(checkpoint, state=state)


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or the settings ask for what we do not have.
    """
    layout = _Layout(checkpoint)
    imported = assemble(
        layout,
        lambda name: layout.prefix + original_name(name.removeprefix("encoder.")),
        method="ECG-FM",
        dead=PRETRAINING,
        objective=lambda encoder: nn.ModuleDict({"encoder": encoder}),
    )
    return replace(imported, objective={name: checkpoint.state[name] for name in imported.dropped}, dropped=[])


class _Layout(Layout):
    """Sizes and settings of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(fold(checkpoint, encoder_prefix(checkpoint)))
        self.ffn_dim, self.dim = self.shape("encoder.layers.0.fc1.weight")
        self.layers = self.count(r"encoder\.layers\.(\d+)\.")
        self.known = self._encoder_settings()

    def _encoder_settings(self) -> dict[str, Any]:
        """Settings of the encoder; a fine-tuned one has them nested, or only defaults that belong to no encoder."""
        settings = self.checkpoint.config.get("model", self.checkpoint.config) or {}
        nested = settings.get("args")
        settings = (nested.get("model") if isinstance(nested, dict) else None) or settings
        sizes = {
            "encoder_layers": self.layers,
            "encoder_embed_dim": self.dim,
            "encoder_ffn_embed_dim": self.ffn_dim,
        }
        return settings if all(settings.get(key, size) == size for key, size in sizes.items()) else {}

    def model(self) -> dict[str, Any]:
        """Section `model` of an encoder YAML."""
        if self.known.get("extractor_mode", "default") != "default":
            raise UserError(
                f"{self.checkpoint.path}: its front end has extractor_mode {self.known['extractor_mode']!r}; only "
                "'default' (GroupNorm after the first convolution) is known"
            )
        _, per_group, kernel = self.shape(_POSITIONAL[0] + "weight")
        return {
            "kind": "wav2vec2",
            "layers": self.layers,
            "dim": self.dim,
            "ffn_dim": self.ffn_dim,
            "heads": self.known.get("encoder_attention_heads", max(1, self.dim // _HEAD_WIDTH)),
            "conv_channels": self.shape("feature_extractor.conv_layers.0.0.weight")[0],
            "conv_layers": self.conv_layers(),
            "dropout": float(self.setting("model", "dropout", 0.0)),
            "positional_kernel": kernel,
            "positional_groups": self.dim // per_group,
            "norm_first": bool(self.known.get("layer_norm_first", False)),
        }

    def doubts(self) -> str:
        """What is unverified, always; what was guessed; settings about the input that we do not follow."""
        told = {"encoder_attention_heads", "layer_norm_first"} <= set(self.known)
        return "; ".join(filter(None, [_UNVERIFIED, "" if told else _GUESSED, super().doubts()]))
