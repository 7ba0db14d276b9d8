"""Group and batch normalisation whose statistics are taken over real frames only.

A padded record must come out as it does alone, and padding must not move the running statistics, so
padded frames never enter a mean or a variance. Without a mask both are PyTorch's own layers.

Shapes: `x_bct` (batch, channels, time); a frame mask is (batch, time), True where real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    Tensor of float32, shape (batch, channels, samples)
        Zero at padded samples, and in a lead whose deviation is under 0.1 uV: a constant one.
    """
    x = x_bct.float()
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
                x_bct.float(), self.num_groups, self.weight.float(), self.bias.float(), self.eps
            )
            return normed.to(x_bct.dtype)
        batch, channels, frames = x_bct.shape
        x_bgxt = x_bct.float().view(batch, self.num_groups, -1, frames)
        real_b11t = mask_bt[:, None, None, :]
        count_b111 = (real_b11t.sum(-1, keepdim=True) * x_bgxt.shape[2]).clamp(min=1)
        x_bgxt = x_bgxt.masked_fill(~real_b11t, 0.0)
        mean = x_bgxt.sum((2, 3), keepdim=True) / count_b111
        centred = (x_bgxt - mean).masked_fill(~real_b11t, 0.0)
        variance = centred.square().sum((2, 3), keepdim=True) / count_b111
        normed = (centred * torch.rsqrt(variance + self.eps)).view(batch, channels, frames)
        return (normed * self.weight.float()[:, None] + self.bias.float()[:, None]).to(x_bct.dtype)


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation (arXiv:1502.03167) over the real frames of the batch.

    The running statistics stay float32 whatever the module is cast to: in bfloat16 a momentum of 0.1
    would stop moving them.
    """

    def _apply(self: ModuleT, fn: Callable[..., Any], recurse: bool = True) -> ModuleT:
        super()._apply(fn, recurse)
        for name in ("running_mean", "running_var"):
            setattr(self, name, getattr(self, name).float())
        return self

    def forward(self, x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; in training the running statistics follow the real frames.

        Parameters
        ----------
        x_bct : Tensor, shape (batch, channels, frames)
        mask_bt : Tensor of bool, shape (batch, frames), optional

        Returns
        -------
        Tensor, shape (batch, channels, frames)
        """
        x = x_bct.float()
        weight, bias = self.weight.float(), self.bias.float()
        mean, variance = self.running_mean, self.running_var
        assert mean is not None
        assert variance is not None
        assert self.momentum is not None
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        if mask_bt is None or not self.training:
            normed = functional.batch_norm(x, mean, variance, weight, bias, self.training, self.momentum, self.eps)
            return normed.to(x_bct.dtype)
        real_b1t = mask_bt[:, None, :]
        count = real_b1t.sum().clamp(min=1)
        batch_mean = x.masked_fill(~real_b1t, 0.0).sum((0, 2)) / count
        centred = (x - batch_mean[:, None]).masked_fill(~real_b1t, 0.0)
        batch_variance = centred.square().sum((0, 2)) / count
        with torch.no_grad():  # PyTorch keeps the unbiased variance
            unbiased = batch_variance * count / (count - 1).clamp(min=1)
            mean.lerp_(batch_mean.detach(), self.momentum)
            variance.lerp_(unbiased.detach(), self.momentum)
        scale = weight * torch.rsqrt(batch_variance + self.eps)
        return (centred * scale[:, None] + bias[:, None]).to(x_bct.dtype)
