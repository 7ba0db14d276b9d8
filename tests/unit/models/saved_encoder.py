"""An encoder small enough to be saved for every test."""

import torch

from ecglfm.config import PreprocessConfig
from ecglfm.models.encoders.encoder import ECGEncoder
from tests.unit.architectures import architecture

MODEL = architecture(layers=1, dim=16, ffn_dim=24, heads=2, kernel=5, conv_channels=8)


def make_encoder():
    torch.manual_seed(0)
    preprocess = PreprocessConfig(leads=["II", "V1"], sampling_rate=250)
    encoder = ECGEncoder(MODEL, ["II", "V1"], 250, preprocess, 4.0)
    encoder(torch.randn(2, 2, 200))  # running statistics move
    return encoder
