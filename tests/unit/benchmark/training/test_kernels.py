"""What is said of the kernels of a step."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from ecglfm.benchmark.training.kernels import Kernel, by_length, longest_of


def event(key: str, device: DeviceType, *, cpu: float = 0.0, there: float = 0.0, count: int = 1, named: bool = False):
    return SimpleNamespace(
        key=key, device_type=device, self_cpu_time_total=cpu, self_device_time_total=there, count=count,
        is_user_annotation=named,
    )  # fmt: skip


def test_a_gpu_has_kernels_and_a_cpu_operations():
    """On a GPU what asked for a kernel has its time again, and so has what is only named."""
    events = [
        event("aten::mm", DeviceType.CPU, cpu=7, there=3_000_000),
        event("gemm", DeviceType.CUDA, there=3_000_000, count=2),
        event("softmax", DeviceType.CUDA, there=4_000_000),
        event("Optimizer.step#AdamW.step", DeviceType.CUDA, there=9_000_000, named=True),
        event("cudaLaunchKernel", DeviceType.CPU, cpu=5),
    ]
    assert by_length(events, cuda=True) == [Kernel("softmax", 1, 4.0), Kernel("gemm", 2, 3.0)]
    assert [kernel.name for kernel in by_length(events, cuda=False)] == ["aten::mm", "cudaLaunchKernel"]


def test_all_and_the_longest_of_a_step():
    x = torch.ones(300, 300)
    every, longest = longest_of(lambda: [x @ x for _ in range(3)], torch.device("cpu"), 1)
    assert longest[:2] == ("aten::mm", 3)
    assert every.name == "all"
    assert every.calls >= 6  # `matmul` asks for `mm`
    assert every.seconds >= longest.seconds == pytest.approx(longest.seconds)


def test_a_step_that_cannot_be_profiled_says_so():
    def fails() -> None:
        raise RuntimeError("CUPTI_ERROR_NOT_INITIALIZED\nmore")

    (told,) = longest_of(fails, torch.device("cpu"), 10)
    assert told == Kernel("no profile: CUPTI_ERROR_NOT_INITIALIZED", 0, 0.0)
    (told,) = longest_of(lambda: None, torch.device("cpu"), 10)
    assert told.calls == 0
