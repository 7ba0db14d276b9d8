"""What a user may say about an encoder's architecture: a class for each `kind`, beside its bounds.

A new kind is a class here, or of convolutions alone in `convolutional.py`, and its name in `ModelConfig`; what is built
of it, `ecglfm.models.encoders.kinds` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Section, parse, usual_kind
from ecglfm.config.encoders.convolutional import Channels, ConvnetConfig, Net1dConfig, ResnetConfig
from ecglfm.config.encoders.encoder_kind import Architecture, AttentionConfig, ContextConfig, check_odd


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
        check_odd(self.kernel)
        if self.norm_sync and self.norm != "batch":
            raise ValueError(f"norm_sync is for `norm: batch`; `norm: {self.norm}` has nothing to synchronise")
        return self


class Wav2Vec2Config(AttentionConfig):
    """Front end and wav2vec 2.0's transformer (ECG-FM, HuBERT-ECG)."""

    LATER = frozenset({"joined_leads", "projection"})

    kind: Literal["wav2vec2"] = Field(description="ECG-FM's and HuBERT-ECG's")
    positional_kernel: int = Field(128, ge=1, description="kernel of the positional convolution, frames")
    positional_groups: int = Field(16, ge=1, description="groups of the positional convolution")
    norm_first: bool = Field(
        False, description="LayerNorm before each module (true) or after its sum (false, as ECG-FM)"
    )
    standardize: bool = Field(False, description="each lead of a segment is first brought to mean 0 and deviation 1")
    joined_leads: bool = Field(
        False, description="the front end reads the leads one after the other, as one channel, as HuBERT-ECG's"
    )
    projection: bool = Field(
        False, description="a Linear behind the front end, too, where that is as wide as the layers, as HuBERT-ECG's"
    )

    @property
    def standardized(self) -> bool:
        """Whether each lead of a segment is first brought to mean 0 and deviation 1."""
        return self.standardize

    @property
    def joined(self) -> bool:
        """Whether the front end reads the leads one after the other, as one channel."""
        return self.joined_leads

    @property
    def projected(self) -> bool:
        """Whether a Linear stands between front end and layers."""
        return self.projection or super().projected

    @model_validator(mode="after")
    def _groups_fit(self) -> Wav2Vec2Config:
        if self.dim % self.positional_groups:
            raise ValueError(f"dim {self.dim} is not a multiple of positional_groups {self.positional_groups}")
        return self


class S4Config(ContextConfig):
    """Front end and structured state-space layers (ECG-CPC, and the supervised S4 of its benchmark)."""

    LATER = frozenset({"pool"})

    kind: Literal["s4"] = Field(description="state-space layers, as ECG-CPC's and the supervised S4 beside it")
    state: int = Field(8, ge=2, le=256, description="numbers in the state of each channel; even")
    bidirectional: bool = Field(
        False, description="layers see both ways; false: no frame depends on what comes after it, as ECG-CPC"
    )
    conv_layers: list[tuple[Channels, Channels]] = Field(
        [(3, 2), (1, 1), (1, 1), (1, 1)],
        description="front end: [kernel, stride] of each convolution, samples, kernels odd; batch norm and ReLU follow "
        "each; []: a Linear of the leads at each sample",
    )
    downsample: int = Field(1, ge=1, description="so many samples are averaged into one first; 5 makes 500 Hz 100 Hz")
    norm_sync: bool = Field(False, description="statistics of the front end's norms over the batches of all processes")
    kernel_frames: int = Field(
        0,
        ge=0,
        description="frames of the kernels whose generating function the weights say, as published (1200 of ECG-CPC); "
        "any number of frames goes in whatever this says; 0: the weights are those of the recurrence",
    )
    pool: Literal["mean", "last"] = Field(
        "mean",
        description="vector of a segment: mean of its frames, or the last, in which causal layers hold all of it. In "
        "mode `frozen` attention pooling stands in its place",
    )

    @property
    def parts(self) -> int:
        """Layers and those of the front end."""
        return self.layers + len(self.conv_layers)

    @property
    def last_frame(self) -> bool:
        """Whether the vector of a segment is its last frame."""
        return self.pool == "last"

    @model_validator(mode="after")
    def _state_fits(self) -> S4Config:
        if self.last_frame and self.bidirectional:
            raise ValueError(
                "pool: last is for layers that see what was before, and these are bidirectional; write mean"
            )
        for kernel, _ in self.conv_layers:
            check_odd(kernel)
        if self.state % 2:
            raise ValueError(f"state {self.state} must be even: its numbers are the parts of complex ones")
        return self


class VitConfig(Architecture):
    """A transformer on patches (vision transformer): of one lead or of all leads together."""

    pretrainable: ClassVar[bool] = True

    kind: Literal["vit"] = Field(description="a transformer on patches: ECG-JEPA's, ST-MEM's, MERL's")
    layers: int = Field(ge=1, description="transformer layers")
    ffn_dim: int = Field(ge=8, description="inner width of the feed-forward modules")
    heads: int = Field(ge=1, description="attention heads")
    head_dim: int | None = Field(None, ge=1, description="width of a head; null: `dim` / `heads`")
    patch: int = Field(50, ge=1, description="samples of a patch; what is left over in the end is not read")
    tokens: Literal["lead", "leads"] = Field("lead", description="a patch is of one lead, or of all leads together")
    positions: Literal["fixed", "learnt"] = Field(
        "fixed", description="sines of time and, of patches of one lead, of the lead; or learnt by the number in time"
    )
    max_patches: int = Field(
        100, ge=1, le=100_000, description="`positions: learnt` only: how many patches of a lead have one"
    )
    repeat_positions: bool = Field(False, description="add them before every layer (true), or once")
    attention: Literal["all", "lead_or_time"] = Field(
        "all", description="what a patch sees: all patches, or those of its lead and those of its time"
    )
    lead_vectors: bool = Field(False, description="add a learnt vector of its lead to each patch")
    separators: bool = Field(False, description="learnt tokens before and behind each lead")
    patch_norm: bool = Field(False, description="LayerNorm of a patch's samples, and of what a Linear makes of them")
    patch_bias: bool = Field(True, description="that Linear has a bias")
    qkv_bias: bool = Field(True, description="Linears of queries, keys and values have a bias")
    norm: Literal["frames", "mean"] = Field(
        "frames", description="the closing LayerNorm: of each patch, or of the mean over them, which then is the vector"
    )
    normalize: Literal["none", "record", "range"] = Field(
        "none",
        description="a segment is first brought to mean 0 and deviation 1 (record) or 0 to 1 (range), leads together",
    )

    @property
    def depth(self) -> int:
        """Layers."""
        return self.layers

    @property
    def parts(self) -> int:
        """Layers and that which makes tokens."""
        return self.layers + 1

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.head_dim or self.dim // self.heads

    @property
    def norm_first(self) -> bool:
        """Always before each module."""
        return True

    @model_validator(mode="after")
    def _parts_fit(self) -> VitConfig:
        if self.head_dim is None and self.dim % self.heads:
            raise ValueError(
                f"dim {self.dim} is no multiple of heads {self.heads}; give head_dim, or change one of them"
            )
        if self.positions == "fixed" and self.dim % 4:
            raise ValueError(f"dim {self.dim} is no multiple of 4, as fixed positions need it")
        if self.tokens == "leads":
            for key in ("lead_vectors", "separators"):
                if getattr(self, key):
                    raise ValueError(f"{key}: patches of all leads together (`tokens: leads`) are of no lead")
            if self.attention != "all":
                raise ValueError(
                    "attention: lead_or_time: patches of all leads together (`tokens: leads`) are of no lead"
                )
        if self.separators and (self.positions, self.repeat_positions, self.attention) != ("learnt", False, "all"):
            raise ValueError("separators need `positions: learnt`, which are added once, and `attention: all`")
        return self


class StatisticsConfig(Architecture):
    """Signal statistics in the place of an encoder: nothing is chosen, and no weight is trained."""

    weighted: ClassVar[bool] = False

    kind: Literal["statistics"] = Field(
        description="200 hand-made signal statistics, the control that costs nothing, with `weights: none`"
    )
    version: Literal[1] = Field(
        1, description="of what is computed: a model of another version is refused, not misread"
    )
    dim: int = Field(0, ge=0, le=0, exclude=True, description="leave it out: the leads say how many there are")
    dropout: float = Field(0.0, ge=0, le=0, exclude=True, description="leave it out: there is nothing to drop")

    @property
    def depth(self) -> int:
        """None."""
        return 0


#: The architecture of an encoder, by its `kind`.
ModelConfig = Annotated[
    ConformerConfig
    | Wav2Vec2Config
    | ConvnetConfig
    | ResnetConfig
    | Net1dConfig
    | S4Config
    | StatisticsConfig
    | VitConfig,
    Field(discriminator="kind"),
    usual_kind("conformer"),
]


class _Model(Section):
    model: ModelConfig


def parse_model(content: dict[str, Any], where: str | Path) -> ModelConfig:
    """Validate an architecture that came from `where`; raises `UserError` as `parse` does, of `model.KEY`."""
    return parse(_Model, {"model": content}, where).model
