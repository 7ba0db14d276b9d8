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
from ecglfm.models.encoders import Stack

_PROBED = 8  # records of a batch that are measured: enough to tell nothing from something


class LayerState(NamedTuple):
    """What one layer did to the first records of a batch.

    Attributes
    ----------
    change : float
        1 - correlation of a channel over frames before and after the layer, mean over channels: 0 when the layer
        gives back its input, be it through its LayerNorm (after the Block Influence of arXiv:2403.03853, which
        takes the cosine of frames and so cannot see past a LayerNorm's weights).
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
    context : Stack
        Of the encoder: its `dropout` gives what enters the first layer, its forward the output of each.
    active : bool
        False measures nothing.
    """

    def __init__(self, context: Stack, *, active: bool = True) -> None:
        self._context, self._active = context, active
        self._handles: list[Any] = []
        self._entered: Tensor | None = None
        self._measured: list[Tensor] = []
        self._gradients: dict[int, Tensor] = {}

    def __enter__(self) -> LayerProbe:
        if self._active:
            dropout: Any = self._context.dropout
            # the second before ZeRO 3, which gives other tensors in the place of those that the next layer reads
            self._handles = [
                dropout.register_forward_hook(self._enter),
                self._context.register_forward_hook(self._leave, prepend=True),
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
    """`LayerState.change`, as half the squared distance of standardised channels: exact where it is small."""
    normed_btd = functional.layer_norm(before_btd, before_btd.shape[-1:], eps=1e-12)
    after_nd = _standardized(after_btd)
    distances = [(_standardized(x) - after_nd).square().mean() for x in (before_btd, normed_btd)]
    return 0.5 * torch.stack(distances).min()


def _standardized(x_btd: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the frames of each channel, (frames, dim); a constant channel is 0."""
    x_nd = x_btd.flatten(0, 1)
    x_nd = x_nd - x_nd.mean(dim=0)
    return x_nd / x_nd.square().mean(dim=0).sqrt().clamp(min=1e-12)


def _spread(x_btd: Tensor) -> Tensor:
    """`LayerState.spread`."""
    x_nd = x_btd.flatten(0, 1)
    return (x_nd - x_nd.mean(dim=0)).square().mean() / x_nd.square().mean().clamp(min=1e-30)
