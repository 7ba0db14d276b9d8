"""Which encoder class each `model.kind` is."""

from __future__ import annotations

from collections.abc import Sequence

from ecglfm.config import ModelConfig, PreprocessConfig
from ecglfm.models.convnet import ConvnetEncoder
from ecglfm.models.encoder import ECGEncoder, Encoder


def make_encoder(
    model: ModelConfig, leads: Sequence[str], sampling_rate: int, preprocess: PreprocessConfig, crop_seconds: float
) -> Encoder:
    """A new encoder of the kind that `model` says; parameters are those of `Encoder`."""
    kind = ConvnetEncoder if model.kind == "convnet" else ECGEncoder
    return kind(model, leads, sampling_rate, preprocess, crop_seconds)
