"""A small encoder for tests."""

import torch

from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.layers.normalization import MaskedBatchNorm
from tests.unit.architectures import architecture

SMALL = architecture(layers=2, dim=32, ffn_dim=48, heads=2, kernel=7, conv_channels=16, dropout=0.1)


def build(model=SMALL, leads=LEADS):
    torch.manual_seed(0)
    encoder = ECGEncoder(model, leads, 500, PreprocessConfig(), 5.0)
    for module in encoder.modules():  # running statistics that are not the identity
        if isinstance(module, MaskedBatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return encoder
