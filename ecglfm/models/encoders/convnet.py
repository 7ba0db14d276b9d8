"""A residual convolutional network, trained from scratch: the supervised baseline a pretrained encoder has to beat.

xresnet1d101 of the PTB-XL benchmark (Strodthoff et al. 2021, doi:10.1109/JBHI.2020.3022989), which is the ResNet of
He et al. 2019 (arXiv:1812.01187: a stem of small convolutions, the stride in the middle of a block, average pooling
before a shortcut, the last norm of a block starting at zero) along time, with all stages of one width. The head that
follows is `ECGModel`'s, a Linear on the mean over frames; the benchmark's has the maximum and a hidden layer besides.

Each convolution sees zeros where there is padding, as it does past the ends of a record alone: a padded record has
exactly the frames that it has alone.

Shapes: b batch, l leads, c channels, t samples or frames, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import ConvnetConfig, ModelConfig, PreprocessConfig
from ecglfm.models.encoders.encoder import Encoder
from ecglfm.models.layers import Convolution, in_float32, strided


def average_pool(x_bct: Tensor, mask_bt: Tensor | None, stride: int) -> Tensor:
    """Mean of the real samples of each window of `stride`; the last window may be shorter."""
    out = functional.avg_pool1d(x_bct, stride, ceil_mode=True)
    if mask_bt is None:
        return out
    out = functional.avg_pool1d(x_bct.masked_fill(~mask_bt[:, None], 0.0), stride, ceil_mode=True)
    share_b1t = functional.avg_pool1d(mask_bt.to(out.dtype)[:, None], stride, ceil_mode=True)
    return out / share_b1t.clamp(min=1 / stride)


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut (arXiv:1812.01187, figure 2): narrow, over time with the stride, wide.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    inner : int
        Channels of the first two convolutions.
    kernel : int
        Of the second.
    stride : int
    """

    def __init__(self, inputs: int, outputs: int, *, inner: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.narrow = Convolution(inputs, inner, 1)
        self.middle = Convolution(inner, inner, kernel, stride=stride)
        self.wide = Convolution(inner, outputs, 1, relu=False, zero=True)
        self.shortcut = Convolution(inputs, outputs, 1, relu=False) if inputs != outputs else None
        self.stride = stride

    def forward(self, x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Transform; arguments and result as `Convolution.forward`."""
        out = self.wide(self.middle(self.narrow(x_bct, mask_bt), mask_bt), strided(mask_bt, self.stride))
        beside = x_bct if self.stride == 1 else average_pool(x_bct, mask_bt, self.stride)
        if self.shortcut is not None:
            beside = self.shortcut(beside, strided(mask_bt, self.stride))
        return functional.relu(out + beside)


class XResNet(nn.Module):
    """Stem, max pooling and stages of `Bottleneck`s, of which each but the first halves the rate."""

    def __init__(self, leads: int, config: ConvnetConfig) -> None:
        super().__init__()
        channels = [leads, *config.stem]
        self.stem = nn.ModuleList(
            Convolution(inputs, outputs, config.kernel, stride=2 if number == 0 else 1)
            for number, (inputs, outputs) in enumerate(pairwise(channels))
        )
        inner, inputs = config.dim // config.expansion, config.stem[-1]
        self.layers = nn.ModuleList()
        for stage, blocks in enumerate(config.blocks):
            first = Bottleneck(inputs, config.dim, inner=inner, kernel=config.kernel, stride=2 if stage > 0 else 1)
            rest = (
                Bottleneck(config.dim, config.dim, inner=inner, kernel=config.kernel, stride=1)
                for _ in range(blocks - 1)
            )
            self.layers.append(nn.ModuleList([first, *rest]))
            inputs = config.dim

    def forward(self, x_blt: Tensor, mask_bt: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames (batch, dim, frames), and the mask (batch, frames) of the real ones."""
        x, mask = x_blt, mask_bt
        first, *others = cast("list[Convolution]", self.stem)
        x, mask = in_float32(lambda millivolts: first(millivolts, mask_bt), x), strided(mask, first.stride)
        for convolution in others:
            x, mask = convolution(x, mask), strided(mask, convolution.stride)
        if mask is not None:
            x = x.masked_fill(~mask[:, None], 0.0)  # nothing is below zero here
        # in two dimensions, because torch.export knows the one-dimensional form for one length only
        x, mask = functional.max_pool2d(x[:, :, None], (1, 3), (1, 2), (0, 1))[:, :, 0], strided(mask, 2)
        for stage in self.layers:
            for block in cast("list[Bottleneck]", stage):
                x, mask = block(x, mask), strided(mask, block.stride)
        return x, mask


class ConvnetEncoder(Encoder):
    """`XResNet` as an encoder; parameters are those of `Encoder`.

    A frame is real where the sample in its middle is, so that no end of a record is lost. It has no front end to
    freeze: with random weights there is nothing to keep.
    """

    config: ConvnetConfig

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        assert isinstance(model, ConvnetConfig)
        self.convnet = XResNet(len(self.leads), model)
        self.dropout = nn.Dropout1d(model.dropout)

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        return -(-(samples // self.config.downsample) // 2 ** (1 + self.config.depth))

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""
        self.check_input(x, mask)
        x_blt, every = x.to(next(self.parameters()).dtype), self.config.downsample
        if mask is not None:
            x_blt = x_blt.masked_fill(~mask[:, None], 0.0)
        if every > 1:
            x_blt = functional.avg_pool1d(x_blt, every)
            if mask is not None:
                mask = mask[:, : x_blt.shape[2] * every].unflatten(1, (-1, every)).all(2)
        out_bdt, mask_bt = self.convnet(x_blt, mask)
        frames_btd = self.dropout(out_bdt).transpose(1, 2)
        if mask_bt is not None:
            frames_btd = frames_btd.masked_fill(~mask_bt[..., None], 0.0)
        return frames_btd, mask_bt
