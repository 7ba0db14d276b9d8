"""Small encoders and models to export."""

import torch

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture

ATTENTION = {"layers": 1, "ffn_dim": 24, "heads": 2, "conv_channels": 8}


OWN = {
    "conformer": ATTENTION | {"kernel": 5},
    "convnet": {"kernel": 5, "expansion": 2, "blocks": [1, 1], "stem": [8], "downsample": 5, "dropout": 0.0},
    "resnet": {
        "widths": [8, 16],
        "blocks": [1, 1],
        "strides": [1, 4],
        "stem": [7, 1],
        "kernel": 7,
        "preactivation": True,
        "pool": "flatten",
        "dropout": 0.0,
    },
    "net1d": {"stem": 4, "widths": [8, 16], "blocks": [1, 1], "kernel": 4, "group_width": 4},
    "statistics": {"dim": 0, "dropout": 0.0},
    "vit": {
        "layers": 1,
        "ffn_dim": 24,
        "heads": 2,
        "patch": 100,
        "positions": "learnt",
        "max_patches": 37,
        "separators": True,
        "norm": "mean",
    },
    "wav2vec2": ATTENTION | {"positional_kernel": 8, "positional_groups": 4, "standardize": True},
}


MODEL_FACTS = {"kind": "model", "label_names": ["AF", "MI", "NORM"], "thresholds": [0.25, 0.5, 0.125]}


def make(folder, kind, what):
    """A saved encoder or model whose every part does something."""
    torch.manual_seed(0)
    config = architecture(**{"kind": kind, "dim": 16} | OWN[kind])
    encoder = make_encoder(config, LEADS, 500, PreprocessConfig(), 5.0)
    encoder(torch.randn(2, 12, 1000))  # running statistics move
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.2)
    if what == "encoder":
        save_encoder(folder, encoder, {"config_hash": "abc"})
        return load_encoder(folder)
    model = ECGModel(encoder, MODEL_FACTS["label_names"], "frozen")
    torch.nn.init.normal_(model.pooling.query)
    model.thresholds = MODEL_FACTS["thresholds"]
    save_model(folder, model, {"config_hash": "abc"})
    return load_model(folder)
