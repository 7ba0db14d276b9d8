"""Which encoder class each `model.kind` is: that around a context (`encoder.CONTEXTS`), or one of its own."""

from __future__ import annotations

from collections.abc import Sequence

from ecglfm.config import InputConfig, ModelConfig, PreprocessConfig
from ecglfm.models.encoders.convnet import ConvnetEncoder
from ecglfm.models.encoders.encoder import CONTEXTS, ECGEncoder, Encoder
from ecglfm.models.encoders.net1d import Net1dEncoder
from ecglfm.models.encoders.resnet import ResnetEncoder
from ecglfm.models.encoders.statistics import StatisticsEncoder
from ecglfm.models.encoders.vit import VitEncoder

ENCODERS: dict[str, type[Encoder]] = {
    "convnet": ConvnetEncoder,
    "resnet": ResnetEncoder,
    "net1d": Net1dEncoder,
    "statistics": StatisticsEncoder,
    "vit": VitEncoder,
} | dict.fromkeys(CONTEXTS, ECGEncoder)


def make_encoder(
    model: ModelConfig, leads: Sequence[str], sampling_rate: int, preprocess: PreprocessConfig, crop_seconds: float,
    input_: InputConfig | None = None,
) -> Encoder:  # fmt: skip
    """A new encoder of the kind that `model` says; parameters are those of `Encoder`, and its `input`."""
    encoder = ENCODERS[model.kind](model, leads, sampling_rate, preprocess, crop_seconds)
    encoder.input = input_
    return encoder
