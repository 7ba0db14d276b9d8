"""Dropout (arXiv:1207.0580) that costs little on a CPU, and a Linear behind it that keeps little.

PyTorch's dropout draws on a CPU from one thread, a float per element, which took a tenth of a training step, and
keeps that float for the backward pass. Here four decisions come out of one 64-bit draw and a byte of each is kept.
Random numbers come from PyTorch's global generator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.initialization import Linear


def kept(x: Tensor, probability: float) -> Tensor:
    """Which elements of `x` stay; the others are dropped with `probability`.

    Parameters
    ----------
    x : Tensor
        For its shape and device.
    probability : float
        On a CPU rounded to a multiple of 2^-16.

    Returns
    -------
    Tensor of bool, shape of `x`
    """
    if x.device.type != "cpu":
        return torch.empty(x.shape, dtype=torch.bool, device=x.device).bernoulli_(1 - probability)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    return (words.view(torch.int16)[: x.numel()] >= round(probability * 2**16) - 2**15).view(x.shape)


class Dropout(nn.Dropout):
    """As `nn.Dropout`; on a CPU by `kept`."""

    @property
    def active(self) -> bool:
        """Whether anything is dropped now."""
        return self.training and self.p > 0

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements in training and scale the others, so that the mean stays."""
        if not self.active:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        return x.mul(kept(x, self.p)).mul_(1 / (1 - self.p))


class SwishLinear(Linear):
    """Linear of the dropped-out swish of its input; for the backward pass only the input is kept.

    The swish is worked out again then, which costs less than reading it from memory would.

    Parameters
    ----------
    inputs, outputs : int
    dropout : float
    """

    def __init__(self, inputs: int, outputs: int, *, dropout: float) -> None:
        super().__init__(inputs, outputs)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Transform (…, inputs) to (…, outputs)."""
        return swish_linear(x, self.weight, self.bias, self.dropout if self.training else 0.0)


def swish_linear(x: Tensor, weight: Tensor, bias: Tensor | None, probability: float = 0.0) -> Tensor:
    """Linear of the swish of `x`, of which elements are dropped out with `probability`; keeps `x` only."""
    if not torch.is_grad_enabled() or torch.jit.is_tracing():
        return functional.linear(functional.silu(x), weight, bias)
    keep = kept(x, probability) if probability else None
    bias = None if bias is None else bias.to(x.dtype)
    return _SwishLinear.apply(x, keep, probability, weight.to(x.dtype), bias)


def drop_out(x: Tensor, keep: Tensor | None, probability: float) -> Tensor:
    """Zero what is not `keep`, scale the rest; in place."""
    return x if keep is None else x.mul_(keep).mul_(1 / (1 - probability))


class _SwishLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, keep: Tensor | None, probability: float, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, keep, weight)
        ctx.probability = probability
        return functional.linear(drop_out(functional.silu(x), keep, probability), weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, keep, weight = ctx.saved_tensors
        grad_x = grad_weight = grad_bias = None
        grad_sf = grad.reshape(-1, grad.shape[-1])
        if ctx.needs_input_grad[3]:
            active = drop_out(functional.silu(x), keep, ctx.probability)
            grad_weight = grad_sf.t() @ active.reshape(-1, active.shape[-1])
            del active
        if ctx.needs_input_grad[4]:
            grad_bias = grad_sf.sum(0)
        if ctx.needs_input_grad[0]:
            grad_x = drop_out((grad_sf @ weight).view(x.shape), keep, ctx.probability)
            grad_x = torch.ops.aten.silu_backward(grad_x, x)
        return grad_x, None, None, grad_weight, grad_bias
