"""Residual blocks of grouped convolutions with squeeze-and-excitation: the network of ECGFounder (arXiv:2410.04133).

A block is, before its sum: swish, a convolution of kernel 1, swish, a grouped convolution with the stride, swish, a
convolution of kernel 1, and a factor of each channel (squeeze-and-excitation, arXiv:1709.01507); the very first one
begins without a swish. Beside it goes the maximum of each `stride` samples, with channels of zeros around those that
there are; nothing follows the sum. Published it has no norms; `norm: batch` puts one before each swish. Written from
these facts. Frames have their channels last, so a convolution of kernel 1 is a Linear.

All convolutions are padded with zeros as TensorFlow's SAME is, so that n samples give ceil(n / stride) frames. With an
even kernel, or without a stride, the first of them reads the same samples whatever the length, and both what is beyond
the end and padding are zeros: a padded record has exactly the frames that it has alone.

Shapes: b batch, l leads, c channels, n samples, t samples or frames, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import ModelConfig, Net1dConfig, PreprocessConfig
from ecglfm.models.encoders.encoder import Encoder, mean_over_frames
from ecglfm.models.layers import MaskedBatchNorm, at_least_float32, in_float32, strided


def real_or_zero(x_btc: Tensor, mask_bt: Tensor | None) -> Tensor:
    """Zeros in padding."""
    return x_btc if mask_bt is None else x_btc.masked_fill(~mask_bt[..., None], 0.0)


def maximum_pool(x_btc: Tensor, stride: int) -> Tensor:
    """Maximum of each `stride` samples, (batch, ceil(t / stride), channels), of which zeros around take part."""
    before = (stride - 1) // 2
    padded_btc = functional.pad(x_btc, (0, 0, before, stride - 1 - before))
    # in two dimensions, because torch.export knows the one-dimensional form for one length only
    return functional.max_pool2d(padded_btc[:, None], (stride, 1), (stride, 1))[:, 0]


class SameConvolution(nn.Conv1d):
    """Convolution with zeros around: (batch, t, channels in) to (batch, ceil(t / stride), channels)."""

    def forward(self, x_btc: Tensor) -> Tensor:
        """Convolve."""
        kernel = self.kernel_size[0]
        before = (kernel - 1) // 2
        padded_bct = functional.pad(x_btc.transpose(1, 2), (before, kernel - 1 - before))
        return super().forward(padded_bct).transpose(1, 2)


class Activation(nn.Module):
    """Batch norm, where `model.norm` says so, and swish."""

    def __init__(self, channels: int, config: Net1dConfig) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(channels, sync=config.norm_sync) if config.norm == "batch" else None

    def forward(self, x_btc: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Activate; shapes (batch, t, channels) in and out, mask (batch, t)."""
        return functional.silu(x_btc if self.norm is None else self.norm(x_btc, mask_bt))


class Block(nn.Module):
    """Convolutions beside a shortcut.

    Parameters
    ----------
    inputs, width : int
        Channels in and out.
    config : Net1dConfig
    first : bool
        The very first block, whose input comes activated.
    stride : int
    """

    def __init__(self, inputs: int, width: int, config: Net1dConfig, *, first: bool, stride: int) -> None:
        super().__init__()
        inner = config.inner(width)
        self.stride, self.more = stride, width - inputs
        self.begin = None if first else Activation(inputs, config)
        self.narrow = nn.Linear(inputs, inner)
        self.before_grouped = Activation(inner, config)
        groups = inner // config.group_width
        self.grouped = SameConvolution(inner, inner, config.kernel, stride=stride, groups=groups)
        self.before_wide = Activation(inner, config)
        self.wide = nn.Linear(inner, width)
        self.squeeze = nn.Linear(width, width // 2)
        self.excite = nn.Linear(width // 2, width)

    def forward(self, x_btc: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Transform.

        Parameters
        ----------
        x_btc : Tensor, shape (batch, t, inputs)
        mask_bt : Tensor of bool, shape (batch, t), optional

        Returns
        -------
        Tensor, shape (batch, ceil(t / stride), width)
            The values at padded frames are meaningless but finite.
        """
        out = self.narrow(x_btc if self.begin is None else self.begin(x_btc, mask_bt))
        out = self.grouped(real_or_zero(self.before_grouped(out, mask_bt), mask_bt))
        after_bt = strided(mask_bt, self.stride)
        out = self.wide(self.before_wide(out, after_bt))
        mean_bc = mean_over_frames(at_least_float32(out), after_bt).to(out.dtype)
        factor_bc = self.excite(functional.silu(self.squeeze(mean_bc))).sigmoid()
        beside = x_btc if self.stride == 1 else maximum_pool(real_or_zero(x_btc, mask_bt), self.stride)
        if self.more:
            beside = functional.pad(beside, (self.more // 2, self.more - self.more // 2))
        return out * factor_bc[:, None] + beside


class Net1d(nn.Module):
    """Stem and stages of `Block`s, each of which lowers the rate by the stride."""

    def __init__(self, leads: int, config: Net1dConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.stem = SameConvolution(leads, config.stem, config.kernel, stride=config.stride)
        self.begin = Activation(config.stem, config)
        self.layers = nn.ModuleList()
        for (inputs, width), blocks in zip(pairwise([config.stem, *config.widths]), config.blocks, strict=True):
            first = Block(inputs, width, config, first=not self.layers, stride=config.stride)
            rest = (Block(width, width, config, first=False, stride=1) for _ in range(blocks - 1))
            self.layers.append(nn.ModuleList([first, *rest]))

    def forward(self, x_bln: Tensor, mask_bn: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames (batch, frames, dim), and the mask (batch, frames) of the real ones."""
        mask = strided(mask_bn, self.stride)
        x = in_float32(lambda signal: self.begin(self.stem(signal), mask), real_or_zero(x_bln.transpose(1, 2), mask_bn))
        for stage in self.layers:
            for block in cast("list[Block]", stage):
                x, mask = block(x, mask), strided(mask, block.stride)
        return x, mask


class Net1dEncoder(Encoder):
    """`Net1d` as an encoder; parameters are those of `Encoder`.

    A frame is real where the first of its samples is. It has no front end to freeze: its stages are one network.
    """

    config: Net1dConfig

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        assert isinstance(model, Net1dConfig)
        self.net1d = Net1d(len(self.leads), model)
        self.dropout = nn.Dropout1d(model.dropout)

    @property
    def adapted(self) -> tuple[str, ...]:
        """Names of the Linears of a block: its convolutions of kernel 1, squeeze and excitation."""
        return ("narrow", "wide", "squeeze", "excite")

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        return -(-samples // self.config.stride ** (1 + self.config.depth))

    def too_short(self, samples: int) -> bool:
        """Whether there is no sample at all."""
        return samples < 1

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""
        self.check_input(x, mask)
        out_btd, mask_bt = self.net1d(x.to(next(self.parameters()).dtype), mask)
        frames_btd = self.dropout(out_btd.transpose(1, 2)).transpose(1, 2)
        return real_or_zero(frames_btd, mask_bt), mask_bt

    @staticmethod
    def flops(config: Net1dConfig, *, segments: int, leads: int, samples: int) -> float:
        """Operations of one forward, as `ecglfm.benchmark.training.flops` counts."""
        frames = -(-samples // config.stride)
        products = frames * leads * config.kernel * config.stem
        for (inputs, width), blocks in zip(pairwise([config.stem, *config.widths]), config.blocks, strict=True):
            inner = config.inner(width)
            before, frames = frames, -(-frames // config.stride)
            products += before * inputs * inner + (blocks - 1) * frames * width * inner
            each = frames * inner * (config.kernel * config.group_width + width)
            products += blocks * (each + 2 * width * (width // 2))
        return 2.0 * segments * products
