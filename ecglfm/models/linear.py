"""Linear layers behind something cheap, which is worked out again in the backward pass instead of being kept.

Of a step's activations these are a third. Doing them twice costs less than writing them to memory and reading them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.dropout import drop_out, kept
from ecglfm.models.initialization import Linear


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


def normed_linear(x: Tensor, norm: nn.LayerNorm, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Linear of the LayerNorm of `x`; keeps `x` only. Without gradients, on a GPU and under autocast: as it is."""
    plain = not torch.is_grad_enabled() or torch.jit.is_tracing() or torch.compiler.is_compiling()
    if plain or x.device.type != "cpu" or not x.dtype == weight.dtype == norm.weight.dtype or _autocast():
        return functional.linear(norm(x), weight, bias)
    return _NormedLinear.apply(x, norm.weight, norm.bias, weight, bias, norm.eps)


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu")


class _NormedLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor | None, eps: float
    ) -> Tensor:
        normed, mean, inverse = torch.native_layer_norm(x, scale.shape, scale, shift, eps)
        ctx.save_for_backward(x, scale, shift, weight, mean, inverse)
        ctx.eps = eps
        return functional.linear(normed, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, weight, mean, inverse = ctx.saved_tensors
        grad_sf, needed = grad.reshape(-1, grad.shape[-1]), ctx.needs_input_grad
        grad_weight = grad_bias = None
        if needed[3]:
            normed = torch.native_layer_norm(x, scale.shape, scale, shift, ctx.eps)[0]
            grad_weight = grad_sf.t() @ normed.view(-1, normed.shape[-1])
            del normed
        if needed[4]:
            grad_bias = grad_sf.sum(0)
        grad_normed = (grad_sf @ weight).view(x.shape)
        grads = torch.ops.aten.native_layer_norm_backward(
            grad_normed, x, scale.shape, mean, inverse, scale, shift, needed[:3]
        )
        return *grads, grad_weight, grad_bias, None
