"""Residual blocks of two convolutions along time: EchoNext's, MERL's ResNet-18 and CODE's as `model` says.

A block is that of ResNet-18 (He et al. 2015, arXiv:1512.03385, figure 5 left: the sum of a block's convolutions and its
shortcut goes through ReLU), or with `preactivation` that of Ribeiro et al. 2020 (doi:10.1038/s41467-020-15432-4; after
arXiv:1603.05027): shortcuts carry the sums on as they are, max pooled where there is a stride, and each sum is normed
for the next block alone.

Each convolution sees zeros where there is padding, as it does past the ends of a record alone: a padded record has
exactly the frames that it has alone.

Shapes: b batch, l leads, c channels, t samples or frames, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import ModelConfig, PreprocessConfig, ResnetConfig
from ecglfm.models.encoders.encoder import Encoder, mean_over_frames
from ecglfm.models.layers import ChannelsFirstBatchNorm, Convolution, in_float32, strided


def max_pool(x_bct: Tensor, kernel: int, stride: int, padding: int = 0) -> Tensor:
    """In two dimensions, because torch.export knows the one-dimensional form for one length only."""
    return functional.max_pool2d(x_bct[:, :, None], (1, kernel), (1, stride), (0, padding))[:, :, 0]


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut, and ReLU of the sum.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
    stride : int
        Of the first convolution and of the shortcut.
    dropout : float
        Of what the first convolution gives.
    sync : bool
        Statistics of norms over the batches of all ranks.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, dropout: float, sync: bool = False
    ) -> None:
        super().__init__()
        self.first = Convolution(inputs, outputs, kernel, stride=stride, sync=sync)
        self.dropout = nn.Dropout(dropout)
        self.second = Convolution(outputs, outputs, kernel, relu=False, sync=sync)
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else Convolution(inputs, outputs, 1, stride=stride, relu=False, sync=sync)
        self.stride = stride

    def strided(self, mask_bt: Tensor | None) -> Tensor | None:
        """Mask of what it gives: real where the sample in its middle is."""
        return strided(mask_bt, self.stride)

    def forward(self, x_bct: Tensor, sum_bct: Tensor, mask_bt: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Transform what the block before gave, and what is carried on beside; here both are the same."""
        out = self.second(self.dropout(self.first(x_bct, mask_bt)), self.strided(mask_bt))
        beside = sum_bct if self.shortcut is None else self.shortcut(sum_bct, mask_bt)
        total = functional.relu(out + beside)
        return total, total


class PreactivationBlock(nn.Module):
    """Two convolutions beside a shortcut that is never normed; parameters are those of `BasicBlock`.

    The stride is the second convolution's. Of n samples there are as many frames as whole strides, so that those of a
    record are the same whatever follows it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, dropout: float, sync: bool = False
    ) -> None:
        super().__init__()
        self.first = Convolution(inputs, outputs, kernel, sync=sync)
        self.dropout = nn.Dropout(dropout)
        padding = (kernel + 1 - stride) // 2
        self.second = nn.Conv1d(outputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.shortcut = nn.Conv1d(inputs, outputs, 1, bias=False) if inputs != outputs else None
        self.norm = ChannelsFirstBatchNorm(outputs, sync=sync)
        nn.init.kaiming_normal_(self.second.weight)
        self.stride = stride

    def strided(self, mask_bt: Tensor | None) -> Tensor | None:
        """Mask of what it gives: real where all samples of its stride are."""
        return mask_bt if mask_bt is None else mask_bt[:, self.stride - 1 :: self.stride]

    def forward(self, x_bct: Tensor, sum_bct: Tensor, mask_bt: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the next block's convolutions read, and the sum that is carried on beside them."""
        inner = self.dropout(self.first(x_bct, mask_bt))
        if mask_bt is not None:
            inner = inner.masked_fill(~mask_bt[:, None], 0.0)
        beside = sum_bct if self.stride == 1 else max_pool(sum_bct, self.stride, self.stride)
        if self.shortcut is not None:
            beside = self.shortcut(beside)
        total = self.second(inner)[:, :, : beside.shape[2]] + beside
        return self.dropout(functional.relu(self.norm(total, self.strided(mask_bt)))), total


class ResNet(nn.Module):
    """Stem, max pooling where there is one, and stages of blocks."""

    def __init__(self, leads: int, config: ResnetConfig) -> None:
        super().__init__()
        inputs = config.widths[0]
        kernel, stride = config.stem
        self.stem = Convolution(
            leads, inputs, kernel, stride=stride, relu=not config.preactivation, sync=config.norm_sync
        )
        self.pooled = config.max_pool
        block = partial(
            PreactivationBlock if config.preactivation else BasicBlock,
            kernel=config.kernel,
            dropout=config.dropout,
            sync=config.norm_sync,
        )
        self.layers = nn.ModuleList()
        for channels, blocks, stride in zip(config.widths, config.blocks, config.strides, strict=True):
            first = block(inputs, channels, stride=stride)
            rest = (block(channels, channels, stride=1) for _ in range(blocks - 1))
            self.layers.append(nn.ModuleList([first, *rest]))
            inputs = channels

    def forward(self, x_blt: Tensor, mask_bt: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames (batch, dim, frames), and the mask (batch, frames) of the real ones."""
        x, mask = (
            in_float32(lambda millivolts: self.stem(millivolts, mask_bt), x_blt),
            strided(mask_bt, self.stem.stride),
        )
        if self.pooled:
            if mask is not None:
                x = x.masked_fill(~mask[:, None], 0.0)  # nothing is below zero here
            x, mask = max_pool(x, 3, 2, 1), strided(mask, 2)
        beside = x
        for stage in self.layers:
            for block in cast("list[BasicBlock | PreactivationBlock]", stage):
                x, beside = block(x, beside, mask)
                mask = block.strided(mask)
        return x, mask


def strided_length(config: ResnetConfig, samples: int, stride: int) -> int:
    """Samples that a block of this stride makes: of whole strides with `preactivation`, else of begun ones."""
    return samples // stride if config.preactivation else -(-samples // stride)


class ResnetEncoder(Encoder):
    """`ResNet` as an encoder; parameters are those of `Encoder`. It has no front end to freeze."""

    config: ResnetConfig

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        assert isinstance(model, ResnetConfig)
        self.resnet = ResNet(len(self.leads), model)

    @property
    def longest(self) -> int | None:
        """Samples of a segment where its frames are joined; None: any number."""
        return self.crop_samples if self.config.pool == "flatten" else None

    @property
    def embedding_dim(self) -> int:
        """Numbers of the vector of a recording."""
        return self.dim * {"mean": 1, "mean_max": 2, "flatten": self.frames(self.crop_samples)}[self.config.pool]

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        samples = -(-samples // (self.config.stem[1] * (1 + self.config.max_pool)))
        for stride in self.config.strides:
            samples = strided_length(self.config, samples, stride)
        return samples

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""
        self.check_input(x, mask)
        x_blt = x.to(next(self.parameters()).dtype)
        if mask is not None:
            x_blt = x_blt.masked_fill(~mask[:, None], 0.0)
        out_bdt, mask_bt = self.resnet(x_blt, mask)
        frames_btd = out_bdt.transpose(1, 2)
        if mask_bt is not None:
            frames_btd = frames_btd.masked_fill(~mask_bt[..., None], 0.0)
        return frames_btd, mask_bt

    def pool(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Mean over real frames, mean and maximum joined, or all frames channel by channel, as `model.pool` says."""
        if self.config.pool == "flatten":  # frames that a shorter record lacks are zeros, as those of padding are
            missing = self.frames(self.crop_samples) - x_btd.shape[1]
            return functional.pad(x_btd.transpose(1, 2), (0, missing)).flatten(1)
        mean_bd = mean_over_frames(x_btd, mask_bt)
        if self.config.pool == "mean":
            return mean_bd
        return torch.cat([mean_bd, x_btd.amax(1)], dim=1)  # no frame is below zero, and those of padding are zero

    @staticmethod
    def flops(config: ResnetConfig, *, segments: int, leads: int, samples: int) -> float:
        """Operations of one forward, as `ecglfm.benchmark.training.flops` counts."""
        (kernel, stride), inputs = config.stem, config.widths[0]
        samples = -(-samples // stride)
        products = samples * kernel * leads * inputs
        samples = -(-samples // (1 + config.max_pool))
        for width, blocks, stride in zip(config.widths, config.blocks, config.strides, strict=True):
            before, samples = samples, strided_length(config, samples, stride)
            first, others = before if config.preactivation else samples, (2 * blocks - 2) * samples * width
            products += config.kernel * width * (first * inputs + samples * width + others)
            if inputs != width or (stride > 1 and not config.preactivation):
                products += samples * inputs * width
            inputs = width
        return 2.0 * segments * products
