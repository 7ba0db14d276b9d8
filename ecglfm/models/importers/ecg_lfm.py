"""Checkpoints of the original ECG-LFM (a fairseq-signals fork): pretrained, and fine-tuned classifiers.

Sizes are read from the weights' shapes: a fine-tuned checkpoint's settings repeat defaults that are not those of its
encoder. Settings give what no shape tells: strides, dropout, contrastive layer, temperatures.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ecglfm.config import PretrainConfig, UserError, parse
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.layout import Imported, assemble
from ecglfm.models.importers.settings import Layout
from ecglfm.models.pretraining import MaskedCodes

#: Our names of weights, and the original's; the rest are the same in both.
_NAMES = (
    (re.compile(r"^frontend\.convs\.(\d+)\."), r"feature_extractor.conv_layers.\1.0."),
    (re.compile(r"^frontend\.group_norm\."), "feature_extractor.conv_layers.0.2."),
    (re.compile(r"^frontend\.layer_norm\."), "layer_norm."),
    (re.compile(r"^frontend\.project\."), "post_extract_proj."),
    (re.compile(r"^conformer\.(layers\.\d+\.conv_module)\.norm\."), r"encoder.\1.batch_norm."),
    (re.compile(r"^conformer\.layers\."), "encoder.layers."),
)
#: Weights that the original has and never uses: positional convolutions, and a LayerNorm after the last layer.
DEAD = ("encoder.pos_conv.", "encoder.layer_norm.", "conv_pos.")


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of its Conformer's relative-position attention."""
    return any(name.endswith("encoder.layers.0.self_attn.linear_pos.weight") for name in checkpoint.state)


def original_name(name: str) -> str:
    """Name in an original pretrained checkpoint of a weight of `MaskedCodes`."""
    if not name.startswith("encoder."):
        return name
    name = name.removeprefix("encoder.")
    for pattern, replacement in _NAMES:
        name, found = pattern.subn(replacement, name)
        if found:
            break
    return name


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or the settings ask for what we do not have.
    """
    layout = Layout(checkpoint)
    pretrain = {} if layout.finetuned else pretraining(layout)
    config = parse(PretrainConfig, {"steps": 1, **pretrain}, f"{checkpoint.path}: objective")
    imported = assemble(
        layout,
        lambda name: layout.prefix + original_name(name),
        method="ECG-LFM",
        dead=DEAD,
        objective=lambda encoder: MaskedCodes(encoder, config),
        reshape=lambda name, value: value.squeeze(0) if name == "quantizer.vars" else value,  # one group
    )
    return replace(imported, pretrain=pretrain)


def pretraining(layout: Layout) -> dict[str, Any]:
    """Keys of `pretrain` that its weights and settings give."""
    _, codes, code_dim = layout.shape("quantizer.vars")
    final_dim, joined = layout.shape("project_q.weight")
    if joined != code_dim:
        raise UserError(f"{layout.checkpoint.path}: its codebook has {joined // code_dim} groups; only one is known")
    diversity, penalty = layout.setting("criterion", "loss_weights", [0.1, 10.0])
    return {
        "mask": {
            "probability": layout.setting("model", "mask_prob", 0.65),
            "length": layout.setting("model", "mask_length", 10),
        },
        "quantizer": {
            "codes": codes,
            "code_dim": code_dim,
            "final_dim": final_dim,
            "temperature": layout.setting("model", "latent_temp", [2.0, 0.1, 0.999995]),
        },
        "objective": {
            "contrastive": {
                "weight": layout.setting("criterion", "w2v2_loss_weight", 1.0),
                "temperature": layout.setting("model", "logit_temp", 0.1),
                "negatives": layout.setting("model", "num_negatives", 100),
                "layer": layout.setting("model", "w2v2_encoder_layers", 6),
            },
            "mlm": {"weight": layout.setting("criterion", "mlm_loss_weight", 1.0)},
            "diversity": {"weight": diversity},
            "feature_penalty": {"weight": penalty},
            "cmsc": {"temperature": layout.setting("criterion", "temp", 0.1), "pool": "frontend"},
        },
    }
