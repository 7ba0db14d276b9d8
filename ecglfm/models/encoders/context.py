"""What the layers of an encoder must offer so that it can be pretrained; the one place where that is written down.

`Stack` is what every training asks for: layers that are watched, compiled and recomputed. A `Context` is the stack
behind a front end; what an encoder on patches offers stands in `ecglfm.models.encoders.patched`.

Shapes: b batch, t frames, d width.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class Stack(Protocol):
    """Layers, one after the other; an `nn.Module` whose call gives a list with the frames after each of them.

    Where no gradients are taken those after the last layer will do.

    Attributes
    ----------
    layers : nn.ModuleList
        As many as `depth` of the architecture says. A name `layers.3.…` tells the rate by which its weight learns
        (`finetune.layer_decay`), and each may be compiled by itself.
    dropout : nn.Module
        Its output, (batch, frames, dim), is what enters the first layer.
    checkpointing : bool
        To be set: keep only what enters each layer, and compute the rest again in the backward pass.
    """

    checkpointing: bool

    @property
    def layers(self) -> nn.ModuleList:  # noqa: D102
        ...

    @property
    def dropout(self) -> nn.Module:  # noqa: D102
        ...

    def register_forward_hook(self, hook: Any, *, prepend: bool = False) -> RemovableHandle:
        """As `nn.Module` has it: the training looks at what a forward gives."""
        ...


class Context(Stack, Protocol):
    """What follows an `ECGEncoder`'s front end: frames in, the frames after each layer out. It is an `nn.Module`.

    Parameters
    ----------
    config : ContextConfig
        Of its own kind.

    Attributes
    ----------
    closing : tuple of str
        Names of modules behind the last layer, which learn as that does.
    adapted : tuple of str
        Names of the Linears of queries and values, beside which adapters learn (`ecglfm.models.adapters`).
    """

    def __init__(self, config: Any) -> None: ...

    @property
    def closing(self) -> tuple[str, ...]:  # noqa: D102
        ...

    @property
    def adapted(self) -> tuple[str, ...]:  # noqa: D102
        ...

    def __call__(self, x_btd: Tensor, mask_bt: Tensor | None = None, /) -> list[Tensor]:
        """Outputs of every layer, the first layer's first.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
            Any number of frames; in pretraining some are the mask embedding.
        mask_bt : Tensor of bool, shape (batch, frames), optional
            True where a frame is real. The real frames of a padded record come out as they do alone; the others are
            finite.

        Returns
        -------
        list of Tensor, each of shape (batch, frames, dim)
        """
        ...

    @staticmethod
    def flops(config: Any, *, segments: int, frames: int) -> float:
        """Operations of one forward, as `ecglfm.benchmark.training.flops` counts; `config` is of its own kind."""
        ...
