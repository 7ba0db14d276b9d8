"""The longest kernels of a training step, by PyTorch's profiler."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile


class Kernel(NamedTuple):
    """All calls of one kernel in a step; on a CPU, of one operation.

    Attributes
    ----------
    name : str
    calls : int
    seconds : float
        Of all calls; on a CPU of all threads.
    """

    name: str
    calls: int
    seconds: float


def longest_of(step: Callable[[], object], device: torch.device, number: int) -> list[Kernel]:
    """Do a step under the profiler: `all` of its kernels together, then so many of them, the longest first.

    Where that does not work, as on a GPU without CUPTI, one of no call that says so: what was measured before stays.
    """
    cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    try:
        with profile(activities=activities) as profiler:
            step()
            if cuda:
                torch.cuda.synchronize()
    except RuntimeError as error:
        return [Kernel(f"no profile: {next(iter(str(error).splitlines()), '')}", 0, 0.0)]
    found = by_length(profiler.key_averages(), cuda=cuda)
    if not found:
        return [Kernel("no profile: PyTorch's profiler saw no kernel", 0, 0.0)]
    return [Kernel("all", sum(one.calls for one in found), sum(one.seconds for one in found)), *found[:number]]


def by_length(events: Iterable[Any], *, cuda: bool) -> list[Kernel]:
    """What a profile says of kernels, the longest first.

    On a GPU of what ran there: not of the operations that asked for it, which have the same time again, nor of what is
    only named, such as the optimizer's step.
    """
    kernels = []
    for event in events:
        own = event.self_device_time_total if cuda else event.self_cpu_time_total
        there = event.device_type == (DeviceType.CUDA if cuda else DeviceType.CPU)
        if there and own > 0 and not getattr(event, "is_user_annotation", False):
            kernels.append(Kernel(event.key, event.count, own / 1e6))
    return sorted(kernels, key=lambda kernel: -kernel.seconds)
