"""Checkpoints of three vision transformers: ECG-JEPA (MIT), ST-MEM (CC BY-NC 4.0) and MERL's ViT (MIT).

Small ones with random weights, written by the authors' code, agree; no released file was at hand. What a file does not
say (how its input is made, see `contracts`; of ECG-JEPA also the heads) is as published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ecglfm.config import LEADS, ModelConfig, PreprocessConfig, UserError, parse_model
from ecglfm.models.encoders import VitEncoder, make_encoder
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.models.importers.layout import Imported, numbered, take
from ecglfm.models.meta_device import on_meta_device

#: Attention heads of the published ECG-JEPA, of any width; ST-MEM's and MERL's are 64 wide, so their weights tell.
_JEPA_HEADS, _HEAD_WIDTH = 16, 64
_UNSEEN = "no released checkpoint was at hand to compare outputs with"

#: What a layer's modules are called here, and there; `qkv` is taken apart before.
_JEPA_LAYER = {
    "self_attn_layer_norm": "norm1", "self_attn.out_proj": "attn.proj", "final_layer_norm": "norm2", "fc1": "mlp.fc1",
    "fc2": "mlp.fc2", "self_attn.q_proj": "attn.q", "self_attn.k_proj": "attn.k", "self_attn.v_proj": "attn.v",
}  # fmt: skip
_OTHER_LAYER = {
    "self_attn_layer_norm": "attn.norm", "self_attn.out_proj": "attn.fn.to_out.0", "final_layer_norm": "ff.norm",
    "fc1": "ff.fn.net.0", "fc2": "ff.fn.net.3", "self_attn.q_proj": "attn.fn.to_q", "self_attn.k_proj": "attn.fn.to_k",
    "self_attn.v_proj": "attn.fn.to_v",
}  # fmt: skip


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of one of the three."""
    return _method(checkpoint.state) is not None


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or fixed positions are not those that are known.
    """
    return {"jepa": _jepa, "st_mem": _st_mem, "merl": _merl}[_method(checkpoint.state) or ""](checkpoint)


def _method(state: Mapping[str, Tensor]) -> str | None:
    if "W_P.weight" in state:
        return "jepa"
    if any(name.endswith("sep_embedding") for name in state):
        return "st_mem"
    return "merl" if "to_patch_embedding.weight" in state and "pos_embedding" in state else None


def _jepa(checkpoint: Checkpoint) -> Imported:
    state = _apart(checkpoint.state, r"(.*\.attn\.)qkv(\.\w+)", r"\1{}\2")
    dim, patch = state["W_P.weight"].shape
    given = checkpoint.heads is not None
    heads = _JEPA_HEADS if checkpoint.heads is None else checkpoint.heads
    if not given and dim % heads:
        unknown = f"{dim} wide, which the published {heads} heads do not divide: say how many it has, --heads N"
        raise UserError(f"{checkpoint.path}: {unknown}")
    (ffn_dim, _), layers = numbered(checkpoint, r"encoder_blocks\.blocks\.(\d+)\.mlp\.fc1\.weight")
    model = {
        "kind": "vit", "layers": layers, "dim": dim, "ffn_dim": ffn_dim, "heads": heads, "dropout": 0.0,
        "patch": patch, "positions": "fixed", "repeat_positions": True, "attention": "lead_or_time",
        "qkv_bias": "encoder_blocks.blocks.0.attn.q.bias" in state,
    }  # fmt: skip
    _check_positions(checkpoint, model, state.pop("pos_embed"))
    names = {"vit.patches.linear.": "W_P.", "vit.norm.": "norm."}
    return _taken(
        replace(checkpoint, state=state), model, names, ("encoder_blocks.blocks.", _JEPA_LAYER), "ecg-jepa",
        origin="ECG-JEPA, pretrained", licence="MIT",
        pretrained_on=["ecg_arrhythmia", "code15"],
        unverified=f"{_UNSEEN}; the file tells no heads: {heads}, {'of --heads' if given else 'as published'}",
    )  # fmt: skip


def _check_positions(checkpoint: Checkpoint, model: dict[str, Any], table_td: Tensor) -> None:
    """Raise where the table in the file is not the one that the encoder computes."""
    section = parse_model(model, f"{checkpoint.path}: architecture")
    encoder = _empty(section, CONTRACTS["ecg-jepa"])
    leads = len(encoder.leads)
    computed = encoder.vit.positions_of(leads, len(table_td) // leads, torch.zeros(0)).flatten(0, 1)
    if computed.shape != table_td.shape or not torch.allclose(computed, table_td.float(), atol=1e-4):
        raise UserError(f"{checkpoint.path}: weight 'pos_embed' is not the table of sines that this method has")


def _st_mem(checkpoint: Checkpoint) -> Imported:
    prefix = "encoder." if "encoder.sep_embedding" in checkpoint.state else ""
    # Of a whole pretraining the decoder, and the embedding of patches under a second name.
    dead = sorted(name for name in checkpoint.state if not name.startswith(prefix))
    state = {name.removeprefix(prefix): value for name, value in checkpoint.state.items() if name not in dead}
    state = _apart(state, r"(.*\.attn\.fn\.)to_qkv(\.\w+)", r"\1to_{}\2")
    leads = [state.pop(f"lead_embeddings.{number}", torch.zeros(0)) for number in range(len(LEADS))]
    state |= {"leads": torch.stack(leads), "positions": state.pop("pos_embedding")[0]}
    model = _common(checkpoint, state, prefix) | {
        "patch": state["to_patch_embedding.2.weight"].shape[1], "max_patches": len(state["positions"]) - 2,
        "lead_vectors": True, "separators": True, "patch_norm": True,
    }  # fmt: skip
    names = {
        "vit.patches.norm_in.": "to_patch_embedding.1.", "vit.patches.linear.": "to_patch_embedding.2.",
        "vit.patches.norm_out.": "to_patch_embedding.3.", "vit.separator": "sep_embedding", "vit.leads": "leads",
        "vit.positions": "positions", "vit.norm.": "norm.",
    }  # fmt: skip
    imported = _taken(
        replace(checkpoint, state=state), model, names, ("block", _OTHER_LAYER), "st-mem",
        origin="ST-MEM, pretrained", licence="CC BY-NC 4.0", pretrained_on=["chapman_shaoxing", "ningbo", "code15"],
        unverified=_UNSEEN,
    )  # fmt: skip
    return replace(imported, dropped=dead)


def _merl(checkpoint: Checkpoint) -> Imported:
    state = _apart(checkpoint.state, r"(.*\.attn\.fn\.)to_qkv(\.\w+)", r"\1to_{}\2")
    state["positions"] = state.pop("pos_embedding")[0]
    kernel_dlp = state["to_patch_embedding.weight"]
    state["to_patch_embedding.weight"] = kernel_dlp.flatten(1)
    model = _common(checkpoint, state, "") | {
        "patch": kernel_dlp.shape[2], "tokens": "leads", "max_patches": len(state["positions"]), "patch_bias": False,
    }  # fmt: skip
    names = {"vit.patches.linear.": "to_patch_embedding.", "vit.positions": "positions", "vit.norm.": "norm."}
    return _taken(
        replace(checkpoint, state=state), model, names, ("block", _OTHER_LAYER), "merl-vit",
        origin="MERL, ViT, pretrained", licence="MIT", pretrained_on=["mimic_iv_ecg"], unverified=_UNSEEN,
    )  # fmt: skip


def _common(checkpoint: Checkpoint, state: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """Keys of `model` that ST-MEM and MERL's ViT share."""
    (ffn_dim, _), layers = numbered(checkpoint, rf"{re.escape(prefix)}block(\d+)\.ff\.fn\.net\.0\.weight")
    inner, dim = state["block0.attn.fn.to_q.weight"].shape
    return {
        "kind": "vit", "layers": layers, "dim": dim, "ffn_dim": ffn_dim, "heads": inner // _HEAD_WIDTH,
        "head_dim": _HEAD_WIDTH, "dropout": 0.0, "positions": "learnt", "norm": "mean",
    }  # fmt: skip


def _apart(state: Mapping[str, Tensor], pattern: str, names: str) -> dict[str, Tensor]:
    """Queries, keys and values as three weights where they are one; `names` says how they are called, by a letter."""
    apart = {}
    for name, value in state.items():
        if re.fullmatch(pattern, name):
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                apart[re.sub(pattern, names.format(letter), name)] = part
        else:
            apart[name] = value
    return apart


def _empty(section: ModelConfig, contract: Mapping[str, Any]) -> VitEncoder:
    """The encoder without weights."""
    with on_meta_device():
        geometry = (contract["leads"], contract["sampling_rate"], PreprocessConfig(), contract["window_seconds"])
        encoder = make_encoder(section, *geometry)
    assert isinstance(encoder, VitEncoder)
    return encoder


def _taken(
    checkpoint: Checkpoint, model: dict[str, Any], names: Mapping[str, str], layer: tuple[str, Mapping[str, str]],
    method: str, **facts: Any,
) -> Imported:  # fmt: skip
    """Every weight of the encoder that `model` says, by the names of its parts and of those of a layer."""
    contract, (before, modules) = CONTRACTS[method], layer
    encoder = _empty(parse_model(model, f"{checkpoint.path}: architecture"), contract)

    def original(name: str) -> str:
        if match := re.fullmatch(r"vit\.layers\.(\d+)\.(.+)\.(\w+)", name):
            return f"{before}{match[1]}.{modules[match[2]]}.{match[3]}"
        ours = next(start for start in names if name.startswith(start))
        return names[ours] + name.removeprefix(ours)

    weights, dropped = take(checkpoint, encoder.state_dict(), original)
    return Imported(
        model=model,
        leads=encoder.leads,
        sampling_rate=encoder.sampling_rate,
        crop_seconds=encoder.crop_seconds,
        encoder=weights,
        dropped=dropped,
        input=contract,
        **facts,
    )
