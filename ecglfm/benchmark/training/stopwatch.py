"""What times the parts of a training step, and the bare matrix products beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ecglfm import gpu
from ecglfm.config import Architecture, AttentionConfig, VitConfig
from ecglfm.data.loading import PairBatch

PARTS = ("load", "forward", "backward", "optimizer", "rest")
_PRODUCT_SECONDS = 0.15  # of each shape between two steps
_QUEUED = 1e13  # operations that a GPU is asked for at a time, in at most 50 products: milliseconds, even in fp32


class Clock:
    """Times of the parts of a step; on a GPU by events in its queue, so that measuring makes nothing wait."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.forget()

    def forget(self) -> None:
        """Leave out the steps so far."""
        self.steps: list[list[tuple[str, Any]]] = []
        self.seconds: list[float] = []
        self.busy: list[float] = []

    def mark(self, part: str) -> None:
        """End of a part, since the mark before."""
        if self.cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.steps[-1].append((part, event))
        else:
            self.steps[-1].append((part, time.perf_counter()))

    def start(self) -> None:
        """Begin a step."""
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()  # what bare products took is no part of it
        self.steps.append([])
        self.mark("")
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """End it."""
        self.mark("rest")
        if self.cuda:
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self._began[0])
        self.busy.append(time.process_time() - self._began[1])

    def memory(self) -> int:
        """Most bytes in tensors on a GPU since the newest step began; 0 on a CPU."""
        return torch.cuda.max_memory_allocated() if self.cuda else 0

    def split(self) -> dict[str, list[float]]:
        """Seconds of each step in each part."""
        split = {part: [0.0] * len(self.steps) for part in PARTS}
        for number, marks in enumerate(self.steps):
            for (_, before), (part, after) in pairwise(marks):
                split[part][number] += before.elapsed_time(after) / 1000 if self.cuda else after - before
        return split

    def load(self, batches: Iterator[PairBatch]) -> Iterator[PairBatch]:
        """The same batches; what came before one of them belongs to `rest`, and the way to the model to `load`, too."""
        while True:
            self.mark("rest")
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.mark("load")
            yield batch


class TimedEngine:
    """An engine that tells the clock where a step stands."""

    def __init__(self, engine: Any, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Forward."""
        self._clock.mark("load")
        output = self._engine(*args, **kwargs)
        self._clock.mark("forward")
        return output

    def backward(self, *args: Any, **kwargs: Any) -> Any:
        """Backward pass; what came before it since the forward is `rest`."""
        self._clock.mark("rest")
        output = self._engine.backward(*args, **kwargs)
        self._clock.mark("backward")
        return output

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Update; what came before it is `rest`."""
        self._clock.mark("rest")
        output = self._engine.step(*args, **kwargs)
        self._clock.mark("optimizer")
        return output


class Products:
    """Matrix products of the shapes of the model's layers, and a square one: the best of them is the machine's rate."""

    def __init__(self, model: Architecture, rows: int, dtype: torch.dtype, device: torch.device) -> None:
        square = 8192 if device.type == "cuda" else 1024
        inner = model.ffn_dim if isinstance(model, AttentionConfig | VitConfig) else 2 * model.dim
        self.shapes = [(rows, model.dim, inner), (rows, inner, model.dim), (square, square, square)]
        self.dtype, self.device = dtype, device

    def rates(self) -> np.ndarray:
        """Operations a second now: in the numbers of the step, in fp32, in the former by processor time."""
        own = fp32 = np.max([self._rate(shape, self.dtype) for shape in self.shapes], axis=0)
        if self.dtype != torch.float32 or torch.backends.cuda.matmul.allow_tf32:
            with gpu.tf32(False):
                fp32 = np.max([self._rate(shape, torch.float32) for shape in self.shapes], axis=0)
        return np.array([own[0], fp32[0], own[1]])

    def _rate(self, shape: tuple[int, int, int], dtype: torch.dtype) -> tuple[float, float]:
        """Operations a second by the clock and by processor time."""
        rows, inner, columns = shape
        a = torch.randn((rows, inner), device=self.device).to(dtype)  # a GPU multiplies ones faster
        b = torch.randn((inner, columns), device=self.device).to(dtype)
        out = a @ b  # warm-up
        self._wait()
        began, busy, count = time.perf_counter(), time.process_time(), 0
        queued = 1 if self.device.type == "cpu" else min(50, 1 + int(_QUEUED / (2 * rows * inner * columns)))
        while (took := time.perf_counter() - began) < _PRODUCT_SECONDS:
            for _ in range(queued):
                torch.mm(a, b, out=out)
                count += 1
            self._wait()
        operations = 2.0 * rows * inner * columns * count
        return operations / took, operations / (time.process_time() - busy)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
