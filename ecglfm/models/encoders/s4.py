"""S4 layers (arXiv:2111.00396) as in ECG-CPC, causal, and in the supervised S4 of its benchmark, which looks both ways.

State spaces over time, one a channel, then GELU, a Linear over channels and GLU; LayerNorm after the sum.

Shapes: b batch, l leads, n samples, t frames, d width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ecglfm.config import S4Config
from ecglfm.models.encoders.frontend import Features
from ecglfm.models.layers import Convolution, StateSpace, in_float32, strided


class NormedFrontEnd(nn.Module):
    """Convolutions with batch norm and ReLU, or one Linear of the leads; the interface of `FrontEnd`.

    A frame is real where the sample in its middle is, so that no end of a record is lost.

    Parameters
    ----------
    leads : int
        Input channels.
    config : S4Config

    Attributes
    ----------
    channels : int
        Of a frame's features; the encoder's width.
    """

    def __init__(self, leads: int, config: S4Config) -> None:
        super().__init__()
        self.channels, self.downsample = config.dim, config.downsample
        self.convs = nn.ModuleList(
            Convolution(config.dim if number else leads, config.dim, kernel, stride=stride, sync=config.norm_sync)
            for number, (kernel, stride) in enumerate(config.conv_layers)
        )
        self.lift = None if config.conv_layers else nn.Linear(leads, config.dim)
        self.project = nn.Identity()
        self.strides = [stride for _, stride in config.conv_layers]

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        samples //= self.downsample
        for stride in self.strides:
            samples = -(-samples // stride)
        return samples

    def freeze(self) -> None:
        """Have the weights stay as they are; then the norms' statistics do, too."""
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> NormedFrontEnd:
        """Switch to training; what is frozen stays in evaluation."""
        return super().train(mode and any(parameter.requires_grad for parameter in self.parameters()))

    def forward(self, x_bln: Tensor, mask_bn: Tensor | None = None) -> Features:
        """Frames, their features twice: they are normed as they come; arguments as in `FrontEnd.forward`."""
        x, mask, every = x_bln.to(next(self.parameters()).dtype), mask_bn, self.downsample
        if mask is not None:
            x = x.masked_fill(~mask[:, None], 0.0)
        if every > 1:
            x = functional.avg_pool1d(x, every)
            if mask is not None:
                mask = mask[:, : x.shape[2] * every].unflatten(1, (-1, every)).all(2)
        if self.lift is not None:
            frames_btd = in_float32(self.lift, x.transpose(1, 2))
            return Features(frames_btd, frames_btd, mask)
        first, *others = self.convs
        x, mask = in_float32(lambda millivolts: first(millivolts, mask), x), strided(mask, self.strides[0])
        for conv, stride in zip(others, self.strides[1:], strict=True):
            x, mask = conv(x, mask), strided(mask, stride)
        x_btd = x.transpose(1, 2)
        return Features(x_btd, x_btd, mask)


class S4Layer(nn.Module):
    """One layer; dropout takes whole channels of a record."""

    def __init__(self, config: S4Config) -> None:
        super().__init__()
        self.state_space = StateSpace(
            config.dim, state=config.state, bidirectional=config.bidirectional, kernel_frames=config.kernel_frames
        )
        self.output_linear = nn.Linear(config.dim, 2 * config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout1d(config.dropout)

    def forward(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Transform frames; padding enters the state spaces as zeros, as what lies beyond a record's ends does.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        mask_bt : Tensor of bool, shape (batch, frames), optional
            True where a frame is real.

        Returns
        -------
        Tensor, shape (batch, frames, dim)
        """
        real = x_btd if mask_bt is None else x_btd.masked_fill(~mask_bt[..., None], 0.0)
        y_bdt = self.dropout(functional.gelu(self.state_space(real.transpose(1, 2))))
        y_btd = functional.glu(self.output_linear(y_bdt.transpose(1, 2)))
        return self.norm(x_btd + self.dropout(y_btd.transpose(1, 2)).transpose(1, 2))


class S4(nn.Module):
    """A stack of `S4Layer`; attributes are those of `ecglfm.models.encoders.context.Context`."""

    closing = ()
    adapted = ("output_linear",)

    def __init__(self, config: S4Config) -> None:
        super().__init__()
        self.checkpointing = False
        self.layers = nn.ModuleList(S4Layer(config) for _ in range(config.layers))
        self.dropout = nn.Identity()

    def forward(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> list[Tensor]:
        """Outputs of every layer, the first layer's first.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        mask_bt : Tensor of bool, shape (batch, frames), optional

        Returns
        -------
        list of Tensor, each of shape (batch, frames, dim)
        """
        x, outputs = self.dropout(x_btd), []
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, mask_bt, use_reentrant=False)
            else:
                x = layer(x, mask_bt)
            outputs.append(x)
        return outputs

    @staticmethod
    def flops(config: S4Config, *, segments: int, frames: int) -> float:
        """Operations of one forward; a Fourier transform of n real numbers is 2.5 n log2(n)."""
        dim, points = config.dim, 2 * frames
        transform = 2.5 * points * math.log2(points)
        kernel = (1 + config.bidirectional) * 2 * config.state * frames + transform  # once for all segments
        convolution = 2 * transform + 6 * (frames + 1)
        return config.layers * dim * (kernel + segments * (convolution + 2 * frames * 2 * dim))
