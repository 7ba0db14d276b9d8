"""Conformer layers (arXiv:2005.08100) with relative-position attention (`attention`).

The order is ECG-LFM's: half feed-forward, attention, convolution, half feed-forward, LayerNorm; there is
no normalisation after the last layer. The table of sinusoids holds the 2T-1 positions a batch needs and
no more.

Shapes: b batch, t frames, d width, c channels, p = 2t-1 relative positions.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ecglfm.config import ConformerConfig
from ecglfm.models.layers import (
    Depthwise,
    Dropout,
    Linear,
    Pointwise,
    RelativeAttention,
    ResidualNorm,
    at_least_float32,
    exporting,
    frozen_statistics,
    gated_depthwise,
    in_autocast,
    make_norm,
    normed_linear,
    sinusoids,
    swish_linear,
)


class ConvolutionModule(nn.Module):
    """LayerNorm, pointwise to 2d, GLU, depthwise, norm, swish, pointwise; no biases, same length.

    Parameters
    ----------
    dim : int
        Width.
    kernel : int
        Depthwise kernel, frames; odd.
    norm : {'batch', 'group', 'layer'}
        After the depthwise convolution (`ecglfm.models.layers.normalization.make_norm`).
    sync : bool
        `batch` only: statistics over the batches of all ranks.
    """

    def __init__(self, dim: int, *, kernel: int, norm: str, sync: bool = False) -> None:
        super().__init__()
        self.layer_norm = ResidualNorm(dim)
        self.pointwise_conv1 = Pointwise(dim, 2 * dim)
        self.depthwise_conv = Depthwise(dim, kernel)
        self.norm = make_norm(norm, dim, sync=sync)
        self.pointwise_conv2 = Pointwise(dim, dim)

    def forward(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Convolve over time; padded frames enter the depthwise convolution as zeros.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        mask_bt : Tensor of bool, shape (batch, frames), optional

        Returns
        -------
        Tensor, shape (batch, frames, dim)
        """
        (x,) = normed_linear(x_btd, self.layer_norm, self.pointwise_conv1)
        return swish_linear(self.norm(gated_depthwise(x, self.depthwise_conv, mask_bt), mask_bt), self.pointwise_conv2)


class FeedForward(nn.Module):
    """LayerNorm, Linear, swish, Linear."""

    def __init__(self, dim: int, *, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.layer_norm = ResidualNorm(dim)
        self.w_1 = Linear(dim, ffn_dim)
        self.w_2 = Linear(ffn_dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x_btd: Tensor) -> Tensor:
        """Transform each frame alone; shapes (batch, frames, dim) in and out."""
        (x,) = normed_linear(x_btd, self.layer_norm, self.w_1)
        return swish_linear(x, self.w_2, self.dropout)


class ConformerLayer(nn.Module):
    """One layer; `config.dropout` acts on attention weights, inside each FFN and on every module's output."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        dim, dropout = config.dim, config.dropout
        self.ffn1 = FeedForward(dim, ffn_dim=config.ffn_dim, dropout=dropout)
        self.self_attn_layer_norm = ResidualNorm(dim)
        self.self_attn = RelativeAttention(dim, heads=config.heads, dropout=dropout)
        self.conv_module = ConvolutionModule(dim, kernel=config.kernel, norm=config.norm, sync=config.norm_sync)
        self.ffn2 = FeedForward(dim, ffn_dim=config.ffn_dim, dropout=dropout)
        self.final_layer_norm = ResidualNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x_btd: Tensor, positions_pd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Transform frames; arguments and shapes as in `RelativeAttention.forward`."""
        x = torch.add(x_btd, self.dropout(self.ffn1(x_btd)), alpha=0.5)
        x = x + self.dropout(self.self_attn(x, positions_pd, mask_bt, norm=self.self_attn_layer_norm))
        x = x + self.dropout(self.conv_module(x, mask_bt))
        x = torch.add(x, self.dropout(self.ffn2(x)), alpha=0.5)
        return self.final_layer_norm(x)


def _first_and_again(layer: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of a checkpointed layer's first and second forward pass."""
    return nullcontext(), frozen_statistics(layer)


class Conformer(nn.Module):
    """A stack of `ConformerLayer`; attributes are those of `ecglfm.models.encoders.context.Context`."""

    closing = ()
    adapted = ("linear_q", "linear_v")

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.checkpointing = self._half = False
        self.dim = config.dim
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.layers))
        self.dropout = Dropout(config.dropout)
        self._positions: Tensor | None = None

    @property
    def half_residual(self) -> bool:
        """Whether sums of layers are kept in autocast's half precision, in which matrix products are taken anyway."""
        return self._half

    @half_residual.setter
    def half_residual(self, half: bool) -> None:
        self._half = half
        for module in self.layers.modules():
            if isinstance(module, ResidualNorm):
                module.stays_half = half

    def positions(self, x_btd: Tensor) -> Tensor:
        """Table of sinusoids for the length, device and type at hand; kept until one of them changes."""
        frames, table = x_btd.shape[1], self._positions
        if exporting():  # no table of one length
            return sinusoids(frames, self.dim)
        stale = table is None or table.shape[0] != 2 * frames - 1
        if stale or table.device != x_btd.device or table.dtype != x_btd.dtype:  # type: ignore[union-attr]
            with torch.inference_mode(False):
                table = sinusoids(frames, self.dim).to(x_btd.device, x_btd.dtype)
            self._positions = table
        assert table is not None
        return table

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
        positions = self.positions(x_btd)
        x, outputs = self.dropout(in_autocast(x_btd) if self._half else x_btd), []
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                again = partial(_first_and_again, layer)
                x = checkpoint(layer, x, positions, mask_bt, use_reentrant=False, context_fn=again)
            else:
                x = layer(x, positions, mask_bt)
            outputs.append(x)
        if self._half:
            outputs[-1] = at_least_float32(x)  # means are taken of it
        return outputs

    @staticmethod
    def flops(config: ConformerConfig, *, segments: int, frames: int) -> float:
        """Operations of one forward."""
        dim = config.dim
        feed_forward = 2 * (2 * dim * config.ffn_dim)
        attention = 4 * dim**2 + dim * (frames + frames + 2 * frames - 1)  # q, k, v, out; content, values, position
        convolution = 2 * dim**2 + dim * config.kernel + dim**2
        positions = 2 * (2 * frames - 1) * dim**2  # once for all segments
        return config.layers * (segments * 2 * frames * (feed_forward + attention + convolution) + positions)
