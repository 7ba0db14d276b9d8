"""Checkpoints as the original ECG-LFM saves them."""

import torch

MODEL = {"layers": 2, "dim": 16, "ffn_dim": 24, "heads": 2, "kernel": 5, "conv_channels": 16, "dropout": 0.0}


QUANTIZER = {"codes": 12, "code_dim": 6, "final_dim": 10}


DEAD = {
    "encoder.pos_conv.0.weight_g": torch.ones(1, 1, 4),
    "conv_pos.pos_conv.0.bias": torch.ones(16),
    "encoder.layer_norm.weight": torch.ones(16),
}


def saved(path, state, **content):
    content = {"cfg": {"model": {"w2v2_encoder_layers": 2}}} | content
    torch.save({"model": state, **content}, path)
    return path
