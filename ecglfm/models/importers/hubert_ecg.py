"""Checkpoints of HuBERT-ECG (CC BY-NC 4.0): Hugging Face's HuBERT on the twelve leads, one after the other.

A small one with random weights, written by the authors' code, agrees; no released file was at hand. How the
input is made the files do not say: as published, see `contracts`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ecglfm.config import PreprocessConfig, UserError, parse_model
from ecglfm.models.encoders import ECGEncoder
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.hub import SETTINGS, read_settings
from ecglfm.models.importers.layout import Imported, folded, numbered, take
from ecglfm.models.importers.unpickle import shown
from ecglfm.models.meta_device import on_meta_device

_CONTRACT = CONTRACTS["hubert-ecg"]
_POSITIONAL = "encoder.pos_conv_embed.conv."
_CONV = r"feature_extractor\.conv_layers\.(\d+)\.conv\.weight"
#: Weights that only its pretraining needs.
_PRETRAINING = ("masked_spec_embed", "final_proj.", "label_embedding.")
#: Our names of weights, and the original's.
_NAMES = (
    (r"^frontend\.convs\.(\d+)\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"^frontend\.group_norm\.", "feature_extractor.conv_layers.0.layer_norm."),
    (r"^frontend\.layer_norm\.", "feature_projection.layer_norm."),
    (r"^frontend\.project\.", "feature_projection.projection."),
    (r"^wav2vec2\.positional\.conv\.", _POSITIONAL),
    (r"^wav2vec2\.(layers\.\d+\.)self_attn\.", r"encoder.\1attention."),
    (r"^wav2vec2\.(layers\.\d+\.)self_attn_layer_norm\.", r"encoder.\1layer_norm."),
    (r"^wav2vec2\.(layers\.\d+\.)fc1\.", r"encoder.\1feed_forward.intermediate_dense."),
    (r"^wav2vec2\.(layers\.\d+\.)fc2\.", r"encoder.\1feed_forward.output_dense."),
    (r"^wav2vec2\.", "encoder."),
)
#: Settings on which the outputs depend and that no weight tells, as they are known.
_KNOWN = {
    "model_type": "hubert_ecg", "feat_extract_norm": "group", "feat_extract_activation": "gelu", "hidden_act": "gelu",
    "feat_proj_layer_norm": True, "conv_pos_batch_norm": False, "do_stable_layer_norm": False, "layer_norm_eps": 1e-5,
}  # fmt: skip
_UNVERIFIED = "no released checkpoint was at hand to compare outputs with"


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of a HuBERT of Hugging Face's."""
    return any(name.endswith(_POSITIONAL + "bias") for name in checkpoint.state)


def original_name(name: str) -> str:
    """Name in a checkpoint of a weight of `ECGEncoder`."""
    for ours, theirs in _NAMES:
        name, found = re.subn(ours, theirs, name)
        if found:
            break
    return name


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        `config.json` is missing or says what we do not have; a weight is missing, unknown or has another shape.
    """
    checkpoint = replace(folded(checkpoint, [_POSITIONAL], _CONV), config=_settings(checkpoint))
    model = _model(checkpoint)
    section = parse_model(model, f"{checkpoint.path}: architecture")
    with on_meta_device():
        geometry = (_CONTRACT["leads"], _CONTRACT["sampling_rate"], PreprocessConfig(), _CONTRACT["window_seconds"])
        encoder = ECGEncoder(section, *geometry)
    weights, pretraining = take(checkpoint, encoder.state_dict(), original_name, _PRETRAINING)
    return Imported(
        origin="HuBERT-ECG, pretrained",
        model=model,
        leads=encoder.leads,
        sampling_rate=encoder.sampling_rate,
        crop_seconds=encoder.crop_seconds,
        encoder=weights,
        objective={name: checkpoint.state[name] for name in pretraining},
        pretrained_on=[
            *("code", "sami_trop", "mimic_iv_ecg", "hefei", "sph", "ptb", "ptbxl", "cpsc_2018", "cpsc_2018_extra"),
            *("georgia", "chapman_shaoxing", "ningbo"),
        ],
        licence="CC BY-NC 4.0",
        input=_CONTRACT,
        unverified=_UNVERIFIED,
    )


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Its settings, or those beside it; raises where it lacks them or is another model of that kind."""
    path = checkpoint.path
    try:
        settings = checkpoint.config or read_settings(path.with_name(SETTINGS))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not settings:
        raise UserError(f"{path}: no settings with it; put {SETTINGS}, which was published with it, into its folder")
    for key, known in _KNOWN.items():
        if (found := settings.get(key, known)) != known:
            raise UserError(f"{path}: its {SETTINGS} says {key} {shown(repr(found))}; only {known!r} is known")
    if _POSITIONAL + "bias" not in checkpoint.state:
        raise UserError(f"{path}: a classifier on a HuBERT-ECG, which is not read; take the pretrained encoder")
    return settings


def _model(checkpoint: Checkpoint) -> dict[str, Any]:
    """Section `model` of an encoder YAML."""
    settings = checkpoint.config
    channels, convs = numbered(checkpoint, _CONV)
    (ffn_dim, dim), layers = numbered(checkpoint, r"encoder\.layers\.(\d+)\.feed_forward\.intermediate_dense\.weight")
    kernels = [
        checkpoint.state[f"feature_extractor.conv_layers.{index}.conv.weight"].shape[2] for index in range(convs)
    ]
    strides = settings["conv_stride"]
    if len(strides) != convs or not all(isinstance(stride, int) and 1 <= stride <= 1000 for stride in strides):
        raise UserError(
            f"{checkpoint.path}: has {convs} convolutions, but its {SETTINGS} says conv_stride {shown(repr(strides))}"
        )
    _, per_group, kernel = checkpoint.state[_POSITIONAL + "weight"].shape
    return {
        "kind": "wav2vec2",
        "layers": layers,
        "dim": dim,
        "ffn_dim": ffn_dim,
        "heads": settings["num_attention_heads"],
        "conv_channels": channels[0],
        "conv_layers": [list(pair) for pair in zip(kernels, strides, strict=True)],
        "dropout": float(settings.get("hidden_dropout", 0.1)),
        "positional_kernel": kernel,
        "positional_groups": dim // per_group,
        "joined_leads": True,
        "projection": True,
    }
