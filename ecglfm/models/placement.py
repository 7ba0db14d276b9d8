"""Modules that are made on the host and live elsewhere: never whole on both.

Initial weights are drawn on the host, because a GPU draws other numbers: the same seed gives the same weights on every
device. What is drawn leaves layer by layer, so the host never holds more than one of them, however many processes of
a machine start at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from ecglfm.process import give_back_memory

Made = TypeVar("Made", bound=nn.Module)


def make_on(device: torch.device, make: Callable[[], Made]) -> Made:
    """Make a module and have it on a device, each layer as soon as it is whole.

    Parameters
    ----------
    device : torch.device
    make : callable
        Makes it on the host. What enters an `nn.ModuleList` counts as whole: its weights are drawn for good.

    Returns
    -------
    nn.Module
        With the numbers that it would have on the host, bit for bit.
    """
    if device.type == "cpu":
        return make()

    def move(parent: nn.Module, _name: str, child: nn.Module | None) -> None:
        if isinstance(parent, nn.ModuleList) and child is not None:
            child.to(device)
            give_back_memory()  # else holes are left, too small by a few bytes for the same tensor of the next layer

    hook = register_module_module_registration_hook(move)
    try:
        return make().to(device)
    finally:
        hook.remove()
