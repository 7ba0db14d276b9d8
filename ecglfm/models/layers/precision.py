"""In which numbers millivolts, statistics and losses are taken: never in fewer digits than float32 has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ecglfm import gpu

#: Types of device that know autocast. Asked once: the compiler of torch 2.11 cannot follow the question, and would cut
#: each layer into a dozen graphs.
AUTOCAST = {device for device in ("cpu", "cuda", "mps", "xpu", "hpu") if torch.amp.is_autocast_available(device)}


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32; float32 and float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def in_float32(stage: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a first convolution and its norm make of millivolts, without autocast or TF32; the result is autocast's.

    There is little to multiply, and bfloat16 would have two digits of the millivolts: of 2 mV of electrode offset,
    which the norm takes away, 7 % of the signal's size would be left as noise. TF32 has three bits more: 1 %.
    That holds for the forward pass: gradients are taken after it, in TF32 where the training is.

    Parameters
    ----------
    stage : callable
        Convolution and norm.
    x : Tensor
        Millivolts.

    Returns
    -------
    Tensor
        `stage(x)`; under autocast computed outside it and in its type of numbers.
    """
    device = x.device.type
    with gpu.tf32(False) if x.is_cuda else nullcontext():
        if not _autocast(device):
            return stage(x)
        with without_autocast(x):
            return stage(x).to(torch.get_autocast_dtype(device))


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Inside, products where `x` lies are taken in the numbers that their factors have."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if _autocast(device) else nullcontext()


def scores(x: Tensor, y: Tensor) -> Tensor:
    """`x @ y` in float32 at least, whatever autocast would take: what the cross entropy of a loss compares.

    bfloat16 keeps three digits: of a cosine over a temperature of 0.1 the nearest values are 0.03 apart, which is more
    than hundreds of updates change.
    """
    with without_autocast(x):
        return at_least_float32(x) @ at_least_float32(y)


def never(like: Tensor) -> float:
    """What is added to a score of attention that is to have no part, in the numbers that attention is taken in.

    Half the lowest of those, so that a score may be added: from minus infinity at every key, of a record without one
    real frame, comes NaN.

    Parameters
    ----------
    like : Tensor
        In the numbers in which the layers hand on frames; autocast takes attention in its own.
    """
    device = like.device.type
    dtype = torch.get_autocast_dtype(device) if _autocast(device) else like.dtype
    return torch.finfo(dtype).min / 2


def _autocast(device: str) -> bool:
    """Whether products on such a device are taken in half precision now."""
    return device in AUTOCAST and torch.is_autocast_enabled(device)


def in_autocast(x: Tensor) -> Tensor:
    """In the numbers in which autocast takes products; `x` where there is none."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if _autocast(device) else x


def cast_once(x: Tensor) -> Tensor:
    """`in_autocast` of what several products take: else each has its own copy, and its own cast backward.

    On a CPU `x` as it is.
    """
    return x if x.device.type == "cpu" else in_autocast(x)
