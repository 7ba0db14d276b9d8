"""Millivolts to patches, and what is added to tell where they lie: the way into a vision transformer.

Shapes: b batch, l leads, n samples, p patches of a lead, s samples of a patch, d width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ecglfm.config import VitConfig
from ecglfm.models.layers import at_least_float32, in_float32


def fixed_positions(places: Tensor, dim: int) -> Tensor:
    """Sines, then cosines, of places (arXiv:1706.03762, 3.5), (places, dim); `dim` is even."""
    rate_k = torch.exp(torch.arange(dim // 2, device=places.device) * (-math.log(10000.0) / (dim // 2)))
    angle_pk = places[:, None] * rate_k
    return torch.cat([angle_pk.sin(), angle_pk.cos()], dim=1)


def grid_positions(lines: int, patches: int, dim: int, *, joined: bool, like: Tensor) -> Tensor:
    """Fixed positions of patches, (lines, patches, dim): half of the width tells the time, half the lead.

    Where patches are of all leads together (`joined`) all of it tells the time.
    """
    times = torch.arange(patches, device=like.device, dtype=torch.float32)
    if joined:
        return fixed_positions(times, dim)[None].to(like.dtype)
    leads = torch.arange(lines, device=like.device, dtype=torch.float32)
    of_time, of_lead = fixed_positions(times, dim // 2)[None], fixed_positions(leads, dim // 2)[:, None]
    both = [of_time.expand(lines, -1, -1), of_lead.expand(-1, patches, -1)]
    return torch.cat(both, dim=2).to(like.dtype)


class PatchEmbedding(nn.Module):
    """A Linear on each patch; with `patch_norm` between two LayerNorms."""

    def __init__(self, leads: int, config: VitConfig) -> None:
        super().__init__()
        self.patch, self.joined = config.patch, config.tokens == "leads"
        size = config.patch * (leads if self.joined else 1)
        self.norm_in = nn.LayerNorm(size) if config.patch_norm else nn.Identity()
        self.linear = nn.Linear(size, config.dim, bias=config.patch_bias)
        self.norm_out = nn.LayerNorm(config.dim) if config.patch_norm else nn.Identity()

    def cut(self, x_bln: Tensor) -> Tensor:
        """Samples of each patch, (batch, leads, patches, samples), of one lead where patches are of all of them."""
        patches = x_bln.shape[2] // self.patch
        x_blps = x_bln[..., : patches * self.patch].unflatten(2, (-1, self.patch))
        return x_blps.transpose(1, 2).flatten(2)[:, None] if self.joined else x_blps

    def forward(self, patches: Tensor) -> Tensor:
        """Tokens, (..., dim), of the samples of patches, (..., samples)."""
        return self.norm_out(in_float32(lambda x: self.linear(self.norm_in(x)), patches))


def normalized(x_bln: Tensor, mask_bn: Tensor | None, how: str) -> Tensor:
    """A record at mean 0 and deviation 1 (`record`) or from 0 to 1 (`range`), over real samples of all its leads."""
    if how == "none":
        return x_bln
    x = at_least_float32(x_bln)
    real = torch.ones_like(x[:, :1], dtype=torch.bool) if mask_bn is None else mask_bn[:, None]
    if how == "range":
        low = x.masked_fill(~real, math.inf).amin((1, 2), keepdim=True)
        high = x.masked_fill(~real, -math.inf).amax((1, 2), keepdim=True)
        known = real.any(2, keepdim=True)
        low, high = low.masked_fill(~known, 0.0), high.masked_fill(~known, 0.0)
        return ((x - low) / (high - low + 1e-8)).masked_fill(~real, 0.0)
    count = (real.sum(2, keepdim=True) * x.shape[1]).clamp(min=1)
    mean = x.masked_fill(~real, 0.0).sum((1, 2), keepdim=True) / count
    centred = (x - mean).masked_fill(~real, 0.0)
    deviation = (centred.square().sum((1, 2), keepdim=True) / count).sqrt()
    return torch.where(deviation > 1e-4, centred / deviation.clamp(min=1e-4), 0.0)
