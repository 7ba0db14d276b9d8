"""Encoders by `model.kind`, millivolts to vectors: one file per architecture."""

from __future__ import annotations

from ecglfm.models.encoders.conformer import ConformerLayer, ConvolutionModule, FeedForward
from ecglfm.models.encoders.context import Stack
from ecglfm.models.encoders.encoder import CONTEXTS, ECGEncoder, Encoder, mean_over_frames
from ecglfm.models.encoders.frontend import Features, FrontEnd
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.net1d import Net1dEncoder
from ecglfm.models.encoders.patched import PatchEncoder
from ecglfm.models.encoders.patches import grid_positions
from ecglfm.models.encoders.resnet import ResnetEncoder
from ecglfm.models.encoders.statistics import StatisticsEncoder
from ecglfm.models.encoders.vit import VitEncoder, attention_bias
from ecglfm.models.encoders.wav2vec2 import TransformerLayer

__all__ = [
    "CONTEXTS",
    "ConformerLayer",
    "ConvolutionModule",
    "ECGEncoder",
    "Encoder",
    "Features",
    "FeedForward",
    "FrontEnd",
    "Net1dEncoder",
    "PatchEncoder",
    "ResnetEncoder",
    "Stack",
    "StatisticsEncoder",
    "TransformerLayer",
    "VitEncoder",
    "attention_bias",
    "grid_positions",
    "make_encoder",
    "mean_over_frames",
]
