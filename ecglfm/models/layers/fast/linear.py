"""Linear layers behind something cheap, which is worked out again in the backward pass instead of being kept.

Of a step's activations these are a third. Doing them twice costs less than writing them to memory and reading them.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers.convolution import Pointwise
from ecglfm.models.layers.fast.choice import fast
from ecglfm.models.layers.fast.dropout import Dropout, drop_out, dropped
from ecglfm.models.layers.initialization import Linear
from ecglfm.models.layers.normalization import ResidualNorm
from ecglfm.models.layers.precision import cast_once

_LINEAR = (Linear, nn.Linear, Pointwise)


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Weight (outputs, inputs) and bias of one of `_LINEAR`."""
    of = cast(nn.Linear, layer)
    return of.weight.flatten(1), of.bias  # a Pointwise's has one tap


def swish_linear(x: Tensor, layer: nn.Module, dropout: Dropout | None = None) -> Tensor:
    """Linear of the dropped-out swish; fast, on a CPU only `x` is kept, and on a GPU both.

    On a CPU the swish is worked out again in the backward pass, which costs less than reading it from memory would.

    Parameters
    ----------
    x : Tensor, shape (…, inputs)
    layer : nn.Module
        From (…, inputs) to (…, outputs).
    dropout : Dropout, optional

    Returns
    -------
    Tensor, shape (…, outputs)
    """
    dropouts = [] if dropout is None else [dropout]
    if not fast(x, (layer, _LINEAR), *((module, (Dropout,)) for module in dropouts), anywhere=True):
        active = functional.silu(x)
        return cast(Tensor, layer(active if dropout is None else dropout(active)))
    probability = dropout.probability if dropout is not None else 0.0
    weight, bias = _parameters(layer)
    bias = None if bias is None else bias.to(x.dtype)
    return cast(Tensor, _SwishLinear.apply(x, probability, weight.to(x.dtype), bias))


class _SwishLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float, weight: Tensor, bias: Tensor | None) -> Tensor:
        active, keep = dropped(functional.silu(x), probability)
        ctx.save_for_backward(x, keep, weight, None if x.device.type == "cpu" else active)
        ctx.probability = probability
        return functional.linear(active, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, keep, weight, active = ctx.saved_tensors
        grad_x = grad_weight = grad_bias = None
        grad_sf = grad.reshape(-1, grad.shape[-1])
        if ctx.needs_input_grad[2]:
            if active is None:
                active = drop_out(functional.silu(x), keep, ctx.probability)
            grad_weight = grad_sf.t() @ active.reshape(-1, active.shape[-1])
        del active
        if ctx.needs_input_grad[3]:
            grad_bias = grad_sf.sum(0)
        if ctx.needs_input_grad[0]:
            grad_x = drop_out((grad_sf @ weight).view(x.shape), keep, ctx.probability)
            grad_x = torch.ops.aten.silu_backward(grad_x, x)
        return grad_x, None, grad_weight, grad_bias


def normed_linear(x: Tensor, norm: nn.Module, *layers: nn.Module) -> tuple[Tensor, ...]:
    """Linear layers of one LayerNorm; fast, of both only the input is kept.

    Parameters
    ----------
    x : Tensor, shape (…, inputs)
    norm : nn.Module
        Such as `nn.LayerNorm`.
    *layers : nn.Module
        From (…, inputs) to (…, outputs) each.

    Returns
    -------
    tuple of Tensor, each of shape (…, outputs)
    """
    if not fast(x, (norm, (nn.LayerNorm, ResidualNorm)), *((layer, _LINEAR) for layer in layers)) or not _alike(
        x, norm, *layers
    ):
        normed = norm(x) if len(layers) == 1 else cast_once(norm(x))
        return tuple(layer(normed) for layer in layers)
    norm = cast(nn.LayerNorm, norm)
    parameters = [parameter for layer in layers for parameter in _parameters(layer)]
    return cast(tuple[Tensor, ...], _NormedLinear.apply(x, norm.weight, norm.bias, norm.eps, *parameters))


def _alike(x: Tensor, *modules: nn.Module) -> bool:
    """Whether the products are of numbers of one kind, and the norm has a scale and a shift."""
    parameters = [cast(nn.Linear, module).weight for module in modules]
    whole = cast(nn.LayerNorm, modules[0]).bias is not None
    return whole and not torch.is_autocast_enabled("cpu") and all(weight.dtype == x.dtype for weight in parameters)


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
