"""Normalisations whose statistics are taken over real frames only, in float32 where the module has fewer digits.

A padded record must come out as it does alone, and padding must not move the running statistics, so
padded frames never enter a mean or a variance. Without a mask they are PyTorch's own layers.

Shapes: `x_bct` (batch, channels, time) in the front end, `x_btc` (batch, frames, channels) in the convolution
module; a frame mask is (batch, time), True where real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers.collectives import gather_rows, ranks
from ecglfm.models.layers.precision import at_least_float32

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def standardize(x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
    """Each channel of each record, brought to mean 0 and deviation 1 over its real samples.

    Parameters
    ----------
    x_bct : Tensor, shape (batch, channels, samples)
        Millivolts.
    mask_bt : Tensor of bool, shape (batch, samples), optional

    Returns
    -------
    Tensor of float32 (float64 where the input is), shape (batch, channels, samples)
        Zero at padded samples, and in a lead whose deviation is under 0.1 uV: a constant one.
    """
    x = at_least_float32(x_bct)
    real_b1t = torch.ones_like(x[:, :1], dtype=torch.bool) if mask_bt is None else mask_bt[:, None, :]
    count_b11 = real_b1t.sum(-1, keepdim=True).clamp(min=1)
    mean_bc1 = x.masked_fill(~real_b1t, 0.0).sum(-1, keepdim=True) / count_b11
    centred = (x - mean_bc1).masked_fill(~real_b1t, 0.0)
    deviation_bc1 = (centred.square().sum(-1, keepdim=True) / count_b11).sqrt()
    return torch.where(deviation_bc1 > 1e-4, centred / deviation_bc1.clamp(min=1e-4), 0.0)


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalisation (arXiv:1803.08494) per record over the real frames of each group of channels."""

    def forward(self, x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; the values at padded frames are meaningless but finite.

        Parameters
        ----------
        x_bct : Tensor, shape (batch, channels, frames)
        mask_bt : Tensor of bool, shape (batch, frames), optional

        Returns
        -------
        Tensor, shape (batch, channels, frames)
        """
        if mask_bt is None:
            normed = functional.group_norm(
                at_least_float32(x_bct),
                self.num_groups,
                at_least_float32(self.weight),
                at_least_float32(self.bias),
                self.eps,
            )
            return normed.to(x_bct.dtype)
        batch, channels, frames = x_bct.shape
        x_bgxt = at_least_float32(x_bct).view(batch, self.num_groups, -1, frames)
        real_b11t = mask_bt[:, None, None, :]
        count_b111 = (real_b11t.sum(-1, keepdim=True) * x_bgxt.shape[2]).clamp(min=1)
        x_bgxt = x_bgxt.masked_fill(~real_b11t, 0.0)
        mean = x_bgxt.sum((2, 3), keepdim=True) / count_b111
        centred = (x_bgxt - mean).masked_fill(~real_b11t, 0.0)
        variance = centred.square().sum((2, 3), keepdim=True) / count_b111
        normed = (centred * torch.rsqrt(variance + self.eps)).view(batch, channels, frames)
        return (normed * at_least_float32(self.weight)[:, None] + at_least_float32(self.bias)[:, None]).to(x_bct.dtype)


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation (arXiv:1502.03167) over the real frames of the batch, frame by frame in memory.

    The running statistics are never of fewer digits than float32: in bfloat16 a momentum of 0.1
    would stop moving them.

    Parameters
    ----------
    channels : int
    sync : bool
        Take the statistics over the batches of all ranks, with gradients; every rank must then ask.
    eps : float

    Attributes
    ----------
    follows : bool
        Whether the running statistics follow in training (`frozen_statistics`).
    """

    def __init__(self, channels: int, *, sync: bool = False, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps)
        self.sync = sync
        self.follows = True

    def _apply(self: ModuleT, fn: Callable[..., Any], recurse: bool = True) -> ModuleT:
        super()._apply(fn, recurse)
        for name in ("running_mean", "running_var"):
            setattr(self, name, at_least_float32(getattr(self, name)))
        return self

    def forward(self, x_btc: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; in training the running statistics follow the real frames.

        Parameters
        ----------
        x_btc : Tensor, shape (batch, frames, channels)
        mask_bt : Tensor of bool, shape (batch, frames), optional

        Returns
        -------
        Tensor, shape (batch, frames, channels)
            The values at padded frames are meaningless but finite.
        """
        x_nc = at_least_float32(x_btc).flatten(0, 1)
        weight, bias = at_least_float32(self.weight), at_least_float32(self.bias)
        mean, variance = self.running_mean, self.running_var
        assert mean is not None
        assert variance is not None
        assert self.momentum is not None
        momentum = self.momentum if self.follows else 0.0
        if self.training and self.follows and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        if not self.training or (mask_bt is None and not self._crosses_ranks()):
            normed = functional.batch_norm(x_nc, mean, variance, weight, bias, self.training, momentum, self.eps)
            return normed.view_as(x_btc).to(x_btc.dtype)
        count, batch_mean, batch_variance = self._statistics(x_nc, None if mask_bt is None else mask_bt.reshape(-1, 1))
        with torch.no_grad():  # PyTorch keeps the unbiased variance
            unbiased = batch_variance * count / (count - 1).clamp(min=1)
            mean.lerp_(batch_mean.detach(), momentum)
            variance.lerp_(unbiased.detach(), momentum)
        normed = (x_nc - batch_mean) * (weight * torch.rsqrt(batch_variance + self.eps)) + bias
        return normed.view_as(x_btc).to(x_btc.dtype)

    def _crosses_ranks(self) -> bool:
        return self.sync and ranks() > 1

    def _statistics(self, x_nc: Tensor, real_n1: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Number of real frames, mean and biased variance of each channel; over all ranks where asked to.

        Ranks are combined from their own means and squared deviations, which loses no digits (Chan, Golub and
        LeVeque, The American Statistician 37(3), 1983, eq. 2.1).
        """
        real_n1 = torch.ones_like(x_nc[:, :1], dtype=torch.bool) if real_n1 is None else real_n1
        count = real_n1.sum().to(x_nc.dtype)
        mean_c = x_nc.masked_fill(~real_n1, 0.0).sum(0) / count.clamp(min=1)
        squares_c = (x_nc - mean_c).masked_fill(~real_n1, 0.0).square().sum(0)
        if not self._crosses_ranks():
            return count, mean_c, squares_c / count.clamp(min=1)
        all_rx = gather_rows(torch.cat([mean_c, squares_c, count[None]])[None])
        mean_rc, squares_rc, count_r1 = all_rx.split([len(mean_c), len(mean_c), 1], dim=1)
        count = count_r1.detach().sum()
        mean_c = (mean_rc * count_r1).sum(0) / count.clamp(min=1)
        squares_c = (squares_rc + count_r1 * (mean_rc - mean_c).square()).sum(0)
        return count, mean_c, squares_c / count.clamp(min=1)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Within it no running statistics of `module` follow: a forward pass done again must not count again."""
    norms = [part for part in module.modules() if isinstance(part, MaskedBatchNorm)]
    for norm in norms:
        norm.follows = False
    try:
        yield
    finally:
        for norm in norms:
            norm.follows = True


class RecordNorm(nn.GroupNorm):
    """Group normalisation with one group: over all channels and real frames of a record, as torchaudio's Conformer."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, x_btc: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; arguments and result as `MaskedBatchNorm.forward`."""
        x = at_least_float32(x_btc)
        if mask_bt is None:
            normed = functional.group_norm(x.flatten(1)[:, None], 1, eps=self.eps).view_as(x)
        else:
            real_bt1 = mask_bt[..., None]
            count_b11 = (real_bt1.sum(1, keepdim=True) * x.shape[2]).clamp(min=1)
            centred = x - x.masked_fill(~real_bt1, 0.0).sum((1, 2), keepdim=True) / count_b11
            variance = centred.masked_fill(~real_bt1, 0.0).square().sum((1, 2), keepdim=True) / count_b11
            normed = centred * torch.rsqrt(variance + self.eps)
        return (normed * at_least_float32(self.weight) + at_least_float32(self.bias)).to(x_btc.dtype)


class ResidualNorm(nn.LayerNorm):
    """Layer normalisation of a residual stream.

    Attributes
    ----------
    stays_half : bool
        Give a stream in half precision back in half precision, with the scale and the shift in it too; statistics are
        float32 within. PyTorch's autocast would make float32 of it.
    """

    stays_half = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        if not self.stays_half or x.dtype.itemsize > 2:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            scale, shift = self.weight.to(x.dtype), self.bias.to(x.dtype)
            return functional.layer_norm(x, self.normalized_shape, scale, shift, self.eps)


class FrameNorm(nn.LayerNorm):
    """Layer normalisation (arXiv:1607.06450): each frame over its channels; padding cannot matter."""

    def forward(self, x_btc: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; arguments and result as `MaskedBatchNorm.forward`."""
        del mask_bt
        normed = functional.layer_norm(
            at_least_float32(x_btc),
            self.normalized_shape,
            at_least_float32(self.weight),
            at_least_float32(self.bias),
            self.eps,
        )
        return normed.to(x_btc.dtype)


def make_norm(kind: str, channels: int, *, sync: bool = False) -> MaskedBatchNorm | RecordNorm | FrameNorm:
    """Normalisation of the convolution module: `norm(x_btc, mask_bt)`.

    Parameters
    ----------
    kind : {'batch', 'group', 'layer'}
        Over the batch, over a record, over a frame.
    channels : int
    sync : bool
        `batch` only: over the batches of all ranks.
    """
    if kind == "batch":
        return MaskedBatchNorm(channels, sync=sync)
    return RecordNorm(channels) if kind == "group" else FrameNorm(channels)
