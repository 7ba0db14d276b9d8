"""Architectures by their `kind`: what each has, what is said of a mistake, and what earlier files hold."""

from __future__ import annotations

import json

import pytest

from ecglfm.config import (
    ConformerConfig,
    ConvnetConfig,
    EncoderConfig,
    Net1dConfig,
    S4Config,
    UserError,
    Wav2Vec2Config,
    parse,
)
from ecglfm.config.base import choices
from ecglfm.config.documentation import pages, schema
from ecglfm.models.description import EncoderDescription

SIZES = {"layers": 2, "dim": 16, "ffn_dim": 24, "heads": 2}
RANDOM = {"weights": "random"}

#: `model` of files that ecglfm wrote when the kind was new.
SAVED = [
    (ConformerConfig, '{"conv_channels": 8, "conv_layers": [[4, 4], [2, 2]], "dim": 16, "dropout": 0.1, "ffn_dim": 32, "heads": 2, "kernel": 3, "kind": "conformer", "layers": 2, "norm": "batch", "norm_sync": false}'),
    (Wav2Vec2Config, '{"conv_channels": 256, "conv_layers": [[2, 2], [2, 2]], "dim": 16, "dropout": 0.1, "ffn_dim": 32, "heads": 2, "kind": "wav2vec2", "layers": 2, "norm_first": true, "positional_groups": 16, "positional_kernel": 128, "standardize": true}'),
    (ConvnetConfig, '{"blocks": [3, 4], "dim": 16, "downsample": 5, "dropout": 0.5, "expansion": 4, "kernel": 5, "kind": "convnet", "stem": [32, 64]}'),
    (S4Config, '{"bidirectional": true, "conv_layers": [[3, 2]], "dim": 16, "downsample": 5, "dropout": 0.2, "kernel_frames": 250, "kind": "s4", "layers": 2, "norm_sync": false, "state": 8}'),
    (Net1dConfig, '{"blocks": [2, 1], "dim": 16, "dropout": 0.0, "group_width": 4, "kernel": 4, "kind": "net1d", "norm": "none", "norm_sync": false, "ratio": 1.0, "stem": 8, "stride": 2, "widths": [8, 16]}'),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "text"), SAVED)
def test_what_was_saved_is_read_and_written_the_same(cls, text):
    content = {
        "model": json.loads(text), "leads": ["I"], "sampling_rate": 500, "crop_seconds": 5, "preprocess": {"leads": ["I"]},
    }  # fmt: skip
    model = EncoderDescription.model_validate(content).model
    assert type(model) is cls
    assert json.dumps(model.model_dump(mode="json"), sort_keys=True) == text


def test_an_encoder_without_a_kind_is_a_conformer():
    assert type(parse(EncoderConfig, {"model": SIZES, **RANDOM}, "e.yaml").model) is ConformerConfig


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "restnet"}, "e.yaml: model: kind 'restnet' is none of KINDS"),
        ({"kind": 3}, "e.yaml: model: kind '3' is none of KINDS"),
        (SIZES | {"stem": [3]}, "e.yaml: model.stem: kind 'conformer' has no key 'stem'; leave it out"),
        (SIZES | {"kind": "wav2vec2", "norm": "layer"}, "e.yaml: model.norm: kind 'wav2vec2' has no key 'norm'; leave it out"),
        (SIZES | {"kernl": 3}, "e.yaml: model.kernl: unknown key; did you mean 'kernel'?"),
        (SIZES | {"kind": "wav2vec2", "zzz": 3}, "e.yaml: model.zzz: unknown key; there are kind, dim, dropout, layers, conv_channels, conv_layers, ffn_dim, heads, positional_kernel, positional_groups, norm_first, standardize, joined_leads, projection"),
        ({"kind": "convnet", "dim": 16}, "e.yaml: model.blocks: this key is required"),
        ({"layers": 2, "dim": 16, "heads": 2}, "e.yaml: model.ffn_dim: this key is required"),
        (SIZES | {"layers": 0}, "e.yaml: model.layers: Input should be greater than or equal to 1, found 0"),
        (SIZES | {"kernel": 4}, "e.yaml: model: kernel 4 must be odd"),
        (SIZES | {"heads": 3}, "e.yaml: model: dim 16 is not an even multiple of heads 3"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_at_the_key_as_it_is_written(model, message):
    with pytest.raises(UserError) as error:
        parse(EncoderConfig, {"model": model, **RANDOM}, "e.yaml")
    kinds = ", ".join(repr(kind) for kind in choices(EncoderConfig.model_fields["model"]))
    assert str(error.value) == message.replace("KINDS", kinds)


def test_only_encoders_with_a_context_are_pretrained():
    model = {"kind": "convnet", "dim": 16, "blocks": [1]}
    with pytest.raises(UserError, match="`kind: convnet` is not pretrained: write `weights: random`"):
        parse(EncoderConfig, {"model": model, "pretrain": {"steps": 1}}, "e.yaml")


def test_each_kind_is_documented_with_its_own_keys():
    rows = [line for line in pages()["pretrain.md"].splitlines() if line.startswith("| `model.")]
    assert next(row for row in rows if "`model.dim`" in row).endswith("width of the encoder and of its embedding |")
    assert len([row for row in rows if "`model.kernel`" in row]) == 4
    assert any(
        "`model.layers` | whole number | required | `conformer` and `wav2vec2` and `s4` only: " in row for row in rows
    )
    sections = json.loads(schema())["encoder"]["$defs"]
    assert "blocks" in sections["ConvnetConfig"]["required"]
    assert "heads" not in sections["ConvnetConfig"]["properties"]
