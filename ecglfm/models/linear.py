"""Linear layers behind something cheap, which is worked out again in the backward pass instead of being kept.

Of a step's activations these are a third. Doing them twice costs less than writing them to memory and reading them.
"""

from __future__ import annotations

from typing import Any, cast

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


def normed_linear(x: Tensor, norm: nn.LayerNorm, *layers: tuple[Tensor, Tensor | None]) -> tuple[Tensor, ...]:
    """Linear layers of one LayerNorm; of both only the input is kept.

    Parameters
    ----------
    x : Tensor, shape (…, inputs)
    norm : nn.LayerNorm
    *layers : pairs of Tensor
        Weight (outputs, inputs) and bias (outputs,) or None of each layer.

    Returns
    -------
    tuple of Tensor, each of shape (…, outputs)
    """
    plain = not torch.is_grad_enabled() or torch.jit.is_tracing() or torch.compiler.is_compiling()
    kinds = {x.dtype, norm.weight.dtype, *(weight.dtype for weight, _ in layers)}
    if plain or x.device.type != "cpu" or len(kinds) > 1 or torch.is_autocast_enabled("cpu"):
        normed = norm(x)
        return tuple(functional.linear(normed, weight, bias) for weight, bias in layers)
    parameters = [parameter for layer in layers for parameter in layer]
    return _NormedLinear.apply(x, norm.weight, norm.bias, norm.eps, *parameters)


class _NormedLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float, *parameters: Tensor | None
    ) -> tuple[Tensor, ...]:
        normed, mean, inverse = torch.native_layer_norm(x, scale.shape, scale, shift, eps)
        weights, biases = cast(tuple[Tensor, ...], parameters[0::2]), parameters[1::2]
        ctx.save_for_backward(x, scale, shift, mean, inverse, *weights)
        ctx.eps = eps
        return tuple(functional.linear(normed, *layer) for layer in zip(weights, biases, strict=True))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, mean, inverse, *weights = ctx.saved_tensors
        needed = ctx.needs_input_grad
        normed_sf = torch.native_layer_norm(x, scale.shape, scale, shift, ctx.eps)[0].view(-1, x.shape[-1])
        grad_normed_sf: Tensor | None = None
        of_parameters: list[Tensor | None] = []
        for number, (grad, weight) in enumerate(zip(grads, weights, strict=True)):
            grad_so = grad.reshape(-1, grad.shape[-1])
            of_parameters.append(grad_so.t() @ normed_sf if needed[4 + 2 * number] else None)
            of_parameters.append(grad_so.sum(0) if needed[5 + 2 * number] else None)
            grad_normed_sf = grad_so @ weight if grad_normed_sf is None else grad_normed_sf.addmm_(grad_so, weight)
        del normed_sf
        assert grad_normed_sf is not None
        of_norm = torch.ops.aten.native_layer_norm_backward(
            grad_normed_sf.view(x.shape), x, scale.shape, mean, inverse, scale, shift, needed[:3]
        )
        return *of_norm, None, *of_parameters
