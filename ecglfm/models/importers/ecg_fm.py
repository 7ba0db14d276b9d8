"""Checkpoints of ECG-FM (arXiv:2408.05178): fairseq-signals' wav2vec 2.0 + CMSC transformer, and its classifiers.

Small ones and one of the published size with random weights, written by the authors' code, agree; no released file was
at hand, and every import says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from torch import nn

from ecglfm.config import UserError
from ecglfm.models.importers import ecg_lfm
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.layout import Imported, assemble, folded
from ecglfm.models.importers.settings import Layout, encoder_prefix

#: Weights that only its pretraining needs. Its codebook has two groups, ours has one: they cannot go on from here.
PRETRAINING = ("mask_emb", "quantizer.", "project_q.", "final_proj.", "target_glu.")
#: The positional convolution, now and in older versions.
_POSITIONAL = ("conv_pos.pos_conv.0.", "encoder.pos_conv.0.")
#: Our names of weights, and the original's; the front end's are as in `ecg_lfm`.
_NAMES = {
    "wav2vec2.positional.conv.": _POSITIONAL[0],
    "wav2vec2.layer_norm.": "encoder.layer_norm.",
    "wav2vec2.layers.": "encoder.layers.",
}
#: Both published sizes have heads of this width.
_HEAD_WIDTH = 64
_UNVERIFIED = "no released ECG-FM checkpoint was at hand to compare outputs with"
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
    """`folded`, with the positional convolution under the name that it has now."""
    new, old = (prefix + name for name in _POSITIONAL)
    checkpoint = folded(checkpoint, [new, old], re.escape(prefix) + r"feature_extractor\.conv_layers\.\d+\.0\.weight")
    if new + "bias" in checkpoint.state:
        return checkpoint
    renamed = {re.sub(f"^{re.escape(old)}", new, name): value for name, value in checkpoint.state.items()}
    return replace(checkpoint, state=renamed)


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
    objective = {name: checkpoint.state[name] for name in imported.dropped}
    seen, contract = ["mimic_iv_ecg", "challenge2021"], CONTRACTS["ecg-fm"]
    resample, *others = contract["record"]
    made = contract | {
        "leads": imported.leads,
        "sampling_rate": imported.sampling_rate,
        "record": [resample | {"rate": imported.sampling_rate}, *others],
    }
    return replace(imported, objective=objective, dropped=[], licence="MIT", pretrained_on=seen, input=made)


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
