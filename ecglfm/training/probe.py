"""What each layer of an encoder does to one batch, and what gradient it gets back: to tell dead layers from live ones.

Measured where a line of history.csv is due, so it costs next to nothing. The hooks are on modules that are neither
compiled nor recomputed, and need no weights: every ZeRO stage gives the same numbers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm import distributed

_PROBED = 8  # records of a batch that are measured: enough to tell nothing from something


class LayerState(NamedTuple):
    """What one layer did to the first records of a batch.

    Attributes
    ----------
    change : float
        1 - correlation between a frame's vector before and after the layer, mean over frames: 0 when the layer
        gives back its input, up to scale (after the Block Influence of arXiv:2403.03853).
    spread : float
        Share of the output's mean square that differs from frame to frame: 0 when all get the same vector.
    gradient : float
        2-norm of the loss's gradient in the layer's output.
    """

    change: float
    spread: float
    gradient: float


class LayerProbe:
    """Measures every layer of an encoder in the first forward within a `with` block, and in its backward.

    Parameters
    ----------
    context : nn.Module
        `ECGEncoder.context`: its `dropout` gives what enters the first layer, its forward the output of each.
    active : bool
        False measures nothing.
    """

    def __init__(self, context: nn.Module, *, active: bool = True) -> None:
        self._context, self._active = context, active
        self._handles: list[Any] = []
        self._entered: Tensor | None = None
        self._measured: list[Tensor] = []
        self._gradients: dict[int, Tensor] = {}

    def __enter__(self) -> LayerProbe:
        if self._active:
            dropout: Any = self._context.dropout
            self._handles = [
                dropout.register_forward_hook(self._enter),
                self._context.register_forward_hook(self._leave),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def states(self) -> list[LayerState]:
        """State of every layer, the largest values of any rank; a collective operation."""
        values = torch.stack(self._measured).double().cpu()
        gradients = [float(self._gradients.get(layer, 0.0)) for layer in range(len(values))]
        flat = [*values.flatten().tolist(), *gradients]
        flat = distributed.reduce_values([math.inf if math.isnan(value) else value for value in flat], "max")
        count = len(values)
        return [LayerState(flat[2 * i], flat[2 * i + 1], flat[2 * count + i]) for i in range(count)]

    def _enter(self, _module: nn.Module, _args: Any, output: Tensor) -> None:
        if self._entered is None:
            self._entered = output.detach()[:_PROBED].float()

    @torch.no_grad()
    def _leave(self, _module: nn.Module, _args: Any, outputs: list[Tensor]) -> None:
        before = self._entered
        if self._measured or before is None:
            return
        for layer, output in enumerate(outputs):
            after = output.detach()[:_PROBED].float()
            self._measured.append(torch.stack([_change(before, after), _spread(after)]))
            before = after
            if output.requires_grad:
                output.register_hook(lambda gradient, layer=layer: self._note(layer, gradient))
        self._entered = torch.empty(0)  # measured; nothing is kept

    def _note(self, layer: int, gradient: Tensor) -> None:
        self._gradients[layer] = torch.linalg.vector_norm(gradient.detach(), dtype=torch.float32)


def _change(before_btd: Tensor, after_btd: Tensor) -> Tensor:
    """`LayerState.change`, as half the squared distance of the standardised vectors: exact where it is small."""
    a, b = (functional.layer_norm(x, x.shape[-1:], eps=1e-12) for x in (before_btd, after_btd))
    return 0.5 * (a - b).square().mean()


def _spread(x_btd: Tensor) -> Tensor:
    """`LayerState.spread`."""
    x_nd = x_btd.flatten(0, 1)
    return (x_nd - x_nd.mean(dim=0)).square().mean() / x_nd.square().mean().clamp(min=1e-30)
