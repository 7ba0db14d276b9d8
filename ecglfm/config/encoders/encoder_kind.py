"""What an architecture of every kind says, and what those say that a front end and layers are made of.

The kinds themselves are in `ecglfm.config.encoders.architecture`.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from ecglfm.config.base import Section
from ecglfm.config.fits import MODES


class Architecture(Section):
    """What encoders of every kind have."""

    #: Whether some objective trains it; which, `ObjectiveKind.misfit` says.
    pretrainable: ClassVar[bool] = False
    #: Whether it has weights, by which it differs from others of its kind.
    weighted: ClassVar[bool] = True
    #: Whether it has a Linear, beside which an adapter may learn.
    linears: ClassVar[bool] = True

    kind: str
    dim: int = Field(ge=8, description="width of the encoder and of its embedding")
    dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="dropout everywhere in the encoder; of `convnet` and `net1d`, of channels of their output",
    )

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of `finetune` that there are for it: adapters need a Linear, and without weights only a head learns."""
        if not self.weighted:
            return "linear", "frozen"
        return tuple(mode for mode in MODES if mode != "lora" or self.linears)

    @property
    def depth(self) -> int:
        """Layers or stages: what `finetune.layer_decay` counts."""
        raise NotImplementedError

    @property
    def parts(self) -> int:
        """Layers that have weights of their own, at least: what a file of so many weights cannot exceed."""
        return self.depth


class ContextConfig(Architecture):
    """What encoders have whose front end a stack of layers follows (`ecglfm.models.encoders.context`)."""

    pretrainable: ClassVar[bool] = True

    layers: int = Field(ge=1, description="layers after the front end")

    @property
    def depth(self) -> int:
        """Layers."""
        return self.layers

    @property
    def standardized(self) -> bool:
        """Whether each lead of a segment is first brought to mean 0 and deviation 1."""
        return False

    @property
    def last_frame(self) -> bool:
        """Whether the vector of a segment is its last frame, and not the mean of all."""
        return False


class FrontEndConfig(ContextConfig):
    """What encoders have whose front end is convolutions as ECG-LFM's (`ecglfm.models.encoders.frontend`)."""

    conv_channels: int = Field(256, ge=1, description="channels of the front end")
    conv_layers: list[tuple[int, int]] = Field(
        [(2, 2)] * 4, description="front end: [kernel, stride] of each convolution, samples"
    )

    @property
    def parts(self) -> int:
        """Layers and those of the front end."""
        return self.layers + len(self.conv_layers)

    @property
    def joined(self) -> bool:
        """Whether the front end reads the leads one after the other, as one channel."""
        return False

    @property
    def projected(self) -> bool:
        """Whether a Linear stands between front end and layers."""
        return self.dim != self.conv_channels


class AttentionConfig(FrontEndConfig):
    """What encoders with that front end and layers of attention have."""

    ffn_dim: int = Field(ge=8, description="inner width of the feed-forward modules")
    heads: int = Field(ge=1, description="attention heads")

    @model_validator(mode="after")
    def _heads_fit(self) -> AttentionConfig:
        if self.dim % self.heads or self.dim % 2:
            raise ValueError(f"dim {self.dim} is not an even multiple of heads {self.heads}")
        return self


def check_odd(kernel: int) -> None:
    """Raise `ValueError` where a kernel has no middle."""
    if kernel % 2 == 0:
        raise ValueError(f"kernel {kernel} must be odd")
