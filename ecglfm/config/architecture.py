"""What a user may say about an encoder's architecture: a class for each `kind`, beside its bounds.

A new kind is a class here and its name in `ModelConfig`; what is built of it, `ecglfm.models.encoders.kinds` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Section, parse, usual_kind

_Channels = Annotated[int, Field(ge=1)]
_Blocks = Annotated[int, Field(ge=1, le=1000)]


class Architecture(Section):
    """What encoders of every kind have."""

    #: Whether there is a context to pretrain (`ecglfm.models.encoders.context`).
    pretrainable: ClassVar[bool] = False

    kind: str
    dim: int = Field(ge=8, description="width of the encoder and of its embedding")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout everywhere in the encoder; of a convnet, of channels of its output"
    )

    @property
    def depth(self) -> int:
        """Layers or stages: what `finetune.layer_decay` counts."""
        raise NotImplementedError

    @property
    def parts(self) -> int:
        """Layers that have weights of their own, at least: what a file of so many weights cannot exceed."""
        return self.depth


class AttentionConfig(Architecture):
    """What encoders with a convolutional front end and layers of attention have."""

    pretrainable: ClassVar[bool] = True

    layers: int = Field(ge=1, description="layers after the front end")
    ffn_dim: int = Field(ge=8, description="inner width of the feed-forward modules")
    heads: int = Field(ge=1, description="attention heads")
    conv_channels: int = Field(256, ge=1, description="channels of the front end")
    conv_layers: list[tuple[int, int]] = Field(
        [(2, 2)] * 4, description="front end: [kernel, stride] of each convolution, samples"
    )

    @property
    def depth(self) -> int:
        """Layers."""
        return self.layers

    @property
    def parts(self) -> int:
        """Layers and those of the front end."""
        return self.layers + len(self.conv_layers)

    @property
    def standardized(self) -> bool:
        """Whether each lead of a segment is first brought to mean 0 and deviation 1."""
        return False

    @model_validator(mode="after")
    def _heads_fit(self) -> AttentionConfig:
        if self.dim % self.heads or self.dim % 2:
            raise ValueError(f"dim {self.dim} is not an even multiple of heads {self.heads}")
        return self


def _is_odd(kernel: int) -> None:
    if kernel % 2 == 0:
        raise ValueError(f"kernel {kernel} must be odd")


class ConformerConfig(AttentionConfig):
    """Front end and Conformer (ECG-LFM)."""

    kind: Literal["conformer"] = Field("conformer", description="ECG-LFM's")
    kernel: int = Field(31, ge=1, description="depthwise convolution kernel, frames; odd")
    norm: Literal["batch", "group", "layer"] = Field(
        "batch", description="normalisation in the convolution module: over the batch, a record or a frame"
    )
    norm_sync: bool = Field(False, description="with `norm: batch`: statistics over the batches of all processes")

    @model_validator(mode="after")
    def _convolution_fits(self) -> ConformerConfig:
        _is_odd(self.kernel)
        if self.norm_sync and self.norm != "batch":
            raise ValueError(f"norm_sync is for `norm: batch`; `norm: {self.norm}` has nothing to synchronise")
        return self


class Wav2Vec2Config(AttentionConfig):
    """Front end and wav2vec 2.0's transformer (ECG-FM)."""

    kind: Literal["wav2vec2"] = Field(description="ECG-FM's; unverified against a release")
    positional_kernel: int = Field(128, ge=1, description="kernel of the positional convolution, frames")
    positional_groups: int = Field(16, ge=1, description="groups of the positional convolution")
    norm_first: bool = Field(
        False, description="LayerNorm before each module (true) or after its sum (false, as ECG-FM)"
    )
    standardize: bool = Field(False, description="each lead of a segment is first brought to mean 0 and deviation 1")

    @property
    def standardized(self) -> bool:
        """Whether each lead of a segment is first brought to mean 0 and deviation 1."""
        return self.standardize

    @model_validator(mode="after")
    def _groups_fit(self) -> Wav2Vec2Config:
        if self.dim % self.positional_groups:
            raise ValueError(f"dim {self.dim} is not a multiple of positional_groups {self.positional_groups}")
        return self


class ConvnetConfig(Architecture):
    """A residual convolutional network (xresnet1d), trained from scratch."""

    kind: Literal["convnet"] = Field(description="xresnet1d, the supervised baseline, with `weights: random`")
    kernel: int = Field(31, ge=1, description="kernel of stem and blocks, samples; odd")
    stem: list[_Channels] = Field(
        [32, 32, 64],
        min_length=1,
        description="channels of the first convolutions; the first has stride 2, so has the max pooling behind them",
    )
    blocks: list[_Blocks] = Field(
        min_length=1, max_length=8, description="bottleneck blocks of each stage; all but the first halve the rate"
    )
    expansion: int = Field(4, ge=1, description="the inner convolutions of a block have `dim` / this channels")
    downsample: int = Field(
        1,
        ge=1,
        description="so many samples are averaged into one first; 5 makes 500 Hz the 100 Hz of the published baseline",
    )

    @property
    def depth(self) -> int:
        """Stages."""
        return len(self.blocks)

    @property
    def parts(self) -> int:
        """Convolutions of the stem, and blocks."""
        return len(self.stem) + sum(self.blocks)

    @model_validator(mode="after")
    def _blocks_fit(self) -> ConvnetConfig:
        _is_odd(self.kernel)
        if self.dim % self.expansion:
            raise ValueError(f"dim {self.dim} is not a multiple of expansion {self.expansion}")
        return self


#: The architecture of an encoder, by its `kind`.
ModelConfig = Annotated[
    ConformerConfig | Wav2Vec2Config | ConvnetConfig,
    Field(discriminator="kind"),
    usual_kind("conformer"),
]


class _Model(Section):
    model: ModelConfig


def parse_model(content: dict[str, Any], where: str | Path) -> ModelConfig:
    """Validate an architecture that came from `where`; raises `UserError` as `parse` does, of `model.KEY`."""
    return parse(_Model, {"model": content}, where).model
