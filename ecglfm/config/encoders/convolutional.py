"""What a user may say about encoders of convolutions alone, whose stages lower the rate: a class for each `kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ecglfm.config.encoders.encoder_kind import Architecture, check_odd

Channels = Annotated[int, Field(ge=1)]
Blocks = Annotated[int, Field(ge=1, le=1000)]


class ConvnetConfig(Architecture):
    """A residual convolutional network (xresnet1d), trained from scratch."""

    linears: ClassVar[bool] = False

    kind: Literal["convnet"] = Field(description="xresnet1d, the supervised baseline, with `weights: random`")
    kernel: int = Field(31, ge=1, description="kernel of stem and blocks, samples; odd")
    stem: list[Channels] = Field(
        [32, 32, 64],
        min_length=1,
        description="channels of the first convolutions; the first has stride 2, so has the max pooling behind them",
    )
    blocks: list[Blocks] = Field(
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
        check_odd(self.kernel)
        if self.dim % self.expansion:
            raise ValueError(f"dim {self.dim} is not a multiple of expansion {self.expansion}")
        return self


class ResnetConfig(Architecture):
    """Residual blocks of two convolutions (ResNet-18 and -34 along time; EchoNext's, MERL's, CODE's)."""

    linears: ClassVar[bool] = False

    kind: Literal["resnet"] = Field(
        description="ResNet-18 along time: EchoNext's, MERL's, CODE's; also from scratch, with `weights: random`"
    )
    widths: list[Channels] = Field(
        [64, 128, 256, 512], min_length=1, max_length=16, description="channels of each stage, the last `dim`"
    )
    blocks: list[Blocks] = Field([2, 2, 2, 2], min_length=1, max_length=16, description="blocks of each stage")
    strides: list[Channels] = Field(
        [1, 2, 2, 2],
        min_length=1,
        max_length=16,
        description="by how much the first block of each stage lowers the rate",
    )
    kernel: int = Field(3, ge=1, description="kernel of the blocks, samples; odd")
    stem: tuple[Channels, Channels] = Field(
        (7, 2),
        description="[kernel, stride] of the first convolution, samples, kernel odd; it has `widths[0]` channels",
    )
    max_pool: bool = Field(False, description="max pooling of kernel 3 and stride 2 behind the first convolution")
    preactivation: bool = Field(
        False,
        description="shortcuts carry sums on as they are, and each sum is normed for the next block alone, as CODE's; "
        "false: ReLU of the sum of what is normed, as ResNet-18",
    )
    norm_sync: bool = Field(False, description="statistics of norms over the batches of all processes")
    pool: Literal["mean", "mean_max", "flatten"] = Field(
        "mean",
        description="the vector of a segment: mean over frames; mean and maximum joined, as EchoNext's; or all frames "
        "joined, as CODE's, for segments of one length. In mode `frozen` attention pooling stands in its place",
    )

    @property
    def depth(self) -> int:
        """Stages."""
        return len(self.blocks)

    @property
    def parts(self) -> int:
        """The stem, and blocks."""
        return 1 + sum(self.blocks)

    @model_validator(mode="after")
    def _stages_fit(self) -> ResnetConfig:
        check_odd(self.kernel)
        check_odd(self.stem[0])
        if not len(self.widths) == len(self.blocks) == len(self.strides):
            stages = [len(self.widths), len(self.blocks), len(self.strides)]
            raise ValueError("widths, blocks and strides are of {}, {} and {} stages".format(*stages))
        if self.widths[-1] != self.dim:
            raise ValueError(f"dim {self.dim} is not the last of widths, {self.widths[-1]}")
        if self.preactivation and self.max_pool:
            raise ValueError("max_pool is for `preactivation: false`, where nothing is below zero behind the stem")
        if self.preactivation and max(self.strides) > self.kernel:
            raise ValueError(f"a stride of {max(self.strides)} with kernel {self.kernel} would leave samples out")
        return self


class Net1dConfig(Architecture):
    """Blocks of grouped convolutions with squeeze-and-excitation (ECGFounder's Net1D)."""

    kind: Literal["net1d"] = Field(
        description="ECGFounder's, grouped convolutions with squeeze-and-excitation; also from scratch"
    )
    dim: int = Field(1024, ge=8, description="width of the last stage, and of the embedding")
    stem: int = Field(64, ge=1, description="channels of the first convolution, which halves the rate (`stride`)")
    widths: list[Annotated[int, Field(ge=2)]] = Field(
        [64, 160, 160, 400, 400, 1024, 1024],
        min_length=1,
        max_length=16,
        description="channels of each stage, the last `dim`; the first block of each lowers the rate by `stride`",
    )
    blocks: list[Blocks] = Field([2, 2, 2, 3, 3, 4, 4], min_length=1, max_length=16, description="blocks of each stage")
    kernel: int = Field(
        16, ge=1, description="kernel of stem and grouped convolutions, samples; even, unless `stride` is 1"
    )
    stride: Literal[1, 2] = Field(2, description="of the stem and of each stage's first block")
    group_width: int = Field(16, ge=1, description="channels of a group of the grouped convolutions")
    ratio: float = Field(1.0, gt=0, le=16, description="channels within a block, as a share of those of its stage")
    norm: Literal["none", "batch"] = Field(
        "none", description="before each activation: nothing, as ECGFounder, or batch norm, with which training from"
        " scratch is easier"
    )  # fmt: skip
    norm_sync: bool = Field(False, description="with `norm: batch`: statistics over the batches of all processes")

    @property
    def depth(self) -> int:
        """Stages."""
        return len(self.blocks)

    @property
    def parts(self) -> int:
        """The stem, and blocks."""
        return 1 + sum(self.blocks)

    def inner(self, width: int) -> int:
        """Channels within a block of a stage of so many."""
        return int(width * self.ratio)

    @model_validator(mode="after")
    def _stages_fit(self) -> Net1dConfig:
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"widths are of {len(self.widths)} stages, blocks of {len(self.blocks)}")
        if self.widths[-1] != self.dim:
            raise ValueError(f"dim {self.dim} is not the last of widths, {self.widths[-1]}")
        channels = [self.stem, *self.widths]
        if channels != sorted(channels):
            raise ValueError(f"channels fall from stem to the last of widths: {channels}; a shortcut can only add some")
        for width in self.widths:
            if self.inner(width) % self.group_width or not self.inner(width):
                within = f"{self.inner(width)} channels within a block of width {width}"
                raise ValueError(f"{within} are no multiple of group_width {self.group_width}")
        if self.stride == 2 and self.kernel % 2:
            raise ValueError(
                f"kernel {self.kernel} must be even: with an odd one and stride 2 the first sample that a frame reads"
                " would depend on the length of the recording, so that padding would change its frames"
            )
        if self.norm_sync and self.norm == "none":
            raise ValueError("norm_sync is for `norm: batch`; `norm: none` has nothing to synchronise")
        return self
