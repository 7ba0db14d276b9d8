"""Encoders by `model.kind`, millivolts to vectors: one file per architecture."""

from __future__ import annotations

from ecglfm.models.encoders.conformer import ConformerLayer, ConvolutionModule, FeedForward
from ecglfm.models.encoders.context import Context
from ecglfm.models.encoders.encoder import CONTEXTS, ECGEncoder, Encoder, mean_over_frames
from ecglfm.models.encoders.frontend import Features, FrontEnd
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.vit import VitEncoder

__all__ = [
    "CONTEXTS",
    "ConformerLayer",
    "Context",
    "ConvolutionModule",
    "ECGEncoder",
    "Encoder",
    "Features",
    "FeedForward",
    "FrontEnd",
    "VitEncoder",
    "make_encoder",
    "mean_over_frames",
]
