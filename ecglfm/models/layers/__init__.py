"""Layers that encoders are made of: exact beside padding, the same on any number of ranks."""

from __future__ import annotations

from ecglfm.models.layers.attention import RelativeAttention, sinusoids
from ecglfm.models.layers.collectives import gather_rows, group_rank, mean_over_ranks
from ecglfm.models.layers.convolution import Depthwise, FrameConvolution, Pointwise, SampleConvolution
from ecglfm.models.layers.fast import (
    Dropout,
    attend,
    exporting,
    first_stage,
    gated_depthwise,
    normed_linear,
    swish_linear,
)
from ecglfm.models.layers.initialization import Linear
from ecglfm.models.layers.normalization import (
    MaskedBatchNorm,
    MaskedGroupNorm,
    ResidualNorm,
    frozen_statistics,
    make_norm,
    standardize,
)
from ecglfm.models.layers.normed_convolution import ChannelsFirstBatchNorm, Convolution, strided
from ecglfm.models.layers.precision import (
    AUTOCAST,
    at_least_float32,
    cast_once,
    in_autocast,
    in_float32,
    never,
    scores,
    without_autocast,
)
from ecglfm.models.layers.state_space import StateSpace

__all__ = [
    "AUTOCAST",
    "ChannelsFirstBatchNorm",
    "Convolution",
    "Depthwise",
    "Dropout",
    "FrameConvolution",
    "Linear",
    "MaskedBatchNorm",
    "MaskedGroupNorm",
    "Pointwise",
    "RelativeAttention",
    "ResidualNorm",
    "SampleConvolution",
    "StateSpace",
    "at_least_float32",
    "attend",
    "cast_once",
    "exporting",
    "first_stage",
    "frozen_statistics",
    "gated_depthwise",
    "gather_rows",
    "group_rank",
    "in_autocast",
    "in_float32",
    "make_norm",
    "mean_over_ranks",
    "never",
    "normed_linear",
    "scores",
    "sinusoids",
    "standardize",
    "strided",
    "swish_linear",
    "without_autocast",
]
