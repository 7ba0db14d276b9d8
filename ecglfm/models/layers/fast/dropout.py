"""Dropout (arXiv:1207.0580) that costs little on a CPU.

PyTorch's dropout draws on a CPU from one thread, a float per element, which took a tenth of a training step, and
keeps that float for the backward pass. Here four decisions come out of one 64-bit draw and a byte of each is kept.
Random numbers come from PyTorch's global generator. The plain form is PyTorch's, which draws others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers.fast.choice import fast


def keep_mask(x: Tensor, probability: float) -> Tensor:
    """Which elements of `x` stay, on a CPU; the others are dropped with `probability`.

    Parameters
    ----------
    x : Tensor
        For its shape.
    probability : float
        Rounded to a multiple of 2^-16.

    Returns
    -------
    Tensor of bool, shape of `x`
    """
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    return (words.view(torch.int16)[: x.numel()] >= round(probability * 2**16) - 2**15).view(x.shape)


class Dropout(nn.Dropout):
    """As `nn.Dropout`; on a CPU by `keep_mask`."""

    @property
    def probability(self) -> float:
        """With which an element is dropped now: 0 unless in training."""
        return self.p if self.training else 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements in training and scale the others, so that the mean stays."""
        if not self.probability:
            return x
        if not fast(x, inference=True):
            return functional.dropout(x, self.p)
        return x.mul(keep_mask(x, self.p)).mul_(1 / (1 - self.p))


def drop_out(x: Tensor, keep: Tensor | None, probability: float) -> Tensor:
    """Zero what is not `keep`, scale the rest; in place on a CPU, elsewhere in one kernel that gives the same."""
    if keep is not None and x.device.type != "cpu":
        return torch.ops.aten.native_dropout_backward(x, keep, 1 / (1 - probability))
    return x if keep is None else x.mul_(keep).mul_(1 / (1 - probability))


def dropped(x: Tensor, probability: float) -> tuple[Tensor, Tensor | None]:
    """`x` with some elements zeroed, in place on a CPU, and which ones stay; None where none is dropped."""
    if not probability:
        return x, None
    if x.device.type != "cpu":
        return torch.native_dropout(x, probability, True)
    keep = keep_mask(x, probability)
    return drop_out(x, keep, probability), keep
