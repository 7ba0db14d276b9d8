"""Weights of foreign checkpoints: each finds its place, or is named."""

import argparse

import pytest
import torch

from ecglfm.config import (
    UserError,
)
from ecglfm.models.importers import convert
from ecglfm.models.importers.checkpoint import read_checkpoint
from tests.unit.models.importers.original import MODEL, saved


def test_missing_and_unknown_weights_are_named(theirs, tmp_path):
    del theirs["encoder.layers.1.ffn2.w_1.bias"], theirs["mlm_proj.weight"]
    theirs |= {"encoder.layers.0.moe.gate": torch.ones(1), "encoder.pos_convolution": torch.ones(1)}
    with pytest.raises(UserError) as error:
        convert(read_checkpoint(saved(tmp_path / "a.pt", theirs)))
    missing, unknown = str(error.value).split("; ")[1:]
    assert missing == "2 missing: encoder.layers.1.ffn2.w_1.bias, mlm_proj.weight"
    assert unknown == "2 unknown: encoder.layers.0.moe.gate, encoder.pos_convolution"


def test_of_hundreds_of_weights_the_first_are_named(theirs, tmp_path):
    theirs |= {f"encoder.more.{number}": torch.ones(1) for number in range(300)}
    with pytest.raises(UserError) as error:
        convert(read_checkpoint(saved(tmp_path / "a.pt", theirs)))
    named = ", ".join(f"encoder.more.{number}" for number in range(5))
    assert str(error.value).endswith(f"; 300 unknown: {named} and 295 more")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mlm_proj.bias": torch.ones(5)}, r"weight 'mlm_proj.bias' has shape \(5,\), expected \(12,\)"),
        ({"mlm_proj.bias": torch.ones(12, dtype=torch.int64)}, "'mlm_proj.bias' holds torch.int64, expected floats"),
        ({"project_q.weight": torch.ones(10, 12)}, "its codebook has 2 groups; only one is known"),
        ({"encoder.layers.0.self_attn.pos_bias_u": None}, "weight 'encoder.layers.0.self_attn.pos_bias_u' is missing"),
        ({"feature_extractor.conv_layers.1.0.weight": torch.ones(16, 16, 3)}, r"have kernels \[2, 3, 2, 2\]"),
        ({"feature_extractor.conv_layers.0.0.weight": torch.ones(16, 8, 2)}, "reads 8 leads, but its settings name"),
        ({"encoder.layers.0.self_attn.linear_pos.weight": None}, "no known method has weights named like"),
    ],
)
def test_weights_that_do_not_fit(theirs, tmp_path, change, message):
    state = {name: value for name, value in (theirs | change).items() if value is not None}
    with pytest.raises(UserError, match=message) as error:
        convert(read_checkpoint(saved(tmp_path / "a.pt", state)))
    assert str(error.value).startswith(f"{tmp_path / 'a.pt'}: ")


def test_sizes_need_no_settings(theirs, tmp_path):
    imported = convert(
        read_checkpoint(saved(tmp_path / "a.pt", theirs | {}, cfg={"model": {"w2v2_encoder_layers": 1}}))
    )
    assert imported.model == {"kind": "conformer", **MODEL, "conv_layers": [[2, 2]] * 4}
    # Older checkpoints have `args`, all settings in one list.
    args = argparse.Namespace(w2v2_encoder_layers=1, dropout=0.2, conv_feature_layers="[(16, 2, 2)] * 3 + [(16, 2, 1)]")
    old = convert(read_checkpoint(saved(tmp_path / "a.pt", theirs, cfg=None, args=args)))
    assert old.model == imported.model | {"dropout": 0.2, "conv_layers": [[2, 2], [2, 2], [2, 2], [2, 1]]}
