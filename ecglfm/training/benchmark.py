"""One measurement of the pretraining step: the real batches, objective and engine, beside a bare matrix product.

Machines are noisy, so products are timed between the steps, and a step is set against the products right before and
after it. Signals are noise; the time does not depend on them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import torch

from ecglfm import distributed
from ecglfm.config import EncoderSlice, ModelConfig, PretrainConfig, UserError
from ecglfm.data.batches import Batch, PretrainBatches
from ecglfm.data.dataset import Signals
from ecglfm.data.pairs import PairSampler
from ecglfm.models.flops import PASSES, forward_flops
from ecglfm.models.objective import PretrainingObjective
from ecglfm.training.engine import HALF, bf16_is_fast, initialize
from ecglfm.training.loop import update
from ecglfm.training.pretrain import build_encoder

PARTS = ("load", "forward", "backward", "optimizer", "rest")
_PRODUCT_SECONDS = 0.15  # of each shape between two steps


@dataclass(frozen=True)
class Measurement:
    """What was measured of one training.

    Attributes
    ----------
    device, torch : str
    threads, parameters, segments : int
        CPU threads; parameters of encoder, quantizer and heads; segments of a step.
    build_seconds : float
        For encoder, quantizer and heads with their first weights.
    seconds, busy : list of float
        Each step: by the clock, and processor time of all threads, which other work on the machine hardly changes.
    split : dict of str to list of float
        Seconds of each step in each of `PARTS`.
    rates, rates_fp32, rates_busy : list of float
        Operations a second of matrix products around each step: in the numbers of the step, in fp32, and in the
        numbers of the step by processor time.
    flops : float
        Of one step, without recomputation (`ecglfm.models.flops`).
    memory : dict of str to float
        Peak bytes of the process after `imports`, `build` and `steps`; on a GPU also `gpu`, in tensors.
    """

    device: str
    torch: str
    threads: int
    parameters: int
    segments: int
    build_seconds: float
    seconds: list[float]
    busy: list[float]
    split: dict[str, list[float]]
    rates: list[float]
    rates_fp32: list[float]
    rates_busy: list[float]
    flops: float
    memory: dict[str, float]

    @property
    def utilisation(self) -> list[float]:
        """Share of the matrix rate that each step reaches."""
        return [self.flops / seconds / rate for seconds, rate in zip(self.seconds, self.rates, strict=True)]

    @property
    def utilisation_busy(self) -> list[float]:
        """The same by processor time: what one thread does alone counts for less."""
        return [self.flops / seconds / rate for seconds, rate in zip(self.busy, self.rates_busy, strict=True)]


def measure(slice_: EncoderSlice, *, segments: int, steps: int, warmup: int) -> Measurement:
    """Train for a few updates of one forward each.

    Parameters
    ----------
    slice_ : EncoderSlice
        Its `pretrain` section says precision, ZeRO stage and so on; `batch_size` and `accumulate` are overridden.
    segments : int
        Even; a pair of recordings is two.
    steps, warmup : int
        Updates that count, and updates before them.

    Raises
    ------
    UserError
        As `ecglfm.training.engine.initialize`, or bf16 on a processor that would take hours.
    """
    assert slice_.config.pretrain is not None
    config = slice_.config.pretrain.model_copy(update={"batch_size": segments // 2, "accumulate": 1, "num_workers": 0})
    if config.precision == "bf16" and not bf16_is_fast():
        raise UserError("precision: bf16 is not measured here: this processor has no bf16 instructions")
    device = distributed.init()
    memory = {"imports": _peak()}
    began = time.perf_counter()
    objective = PretrainingObjective(build_encoder(slice_, config.seed), config)
    parameters = sum(parameter.numel() for parameter in objective.parameters())
    build_seconds = time.perf_counter() - began
    memory["build"] = _peak()
    engine = initialize(objective, config)
    encoder, samples = objective.encoder, round(config.crop_seconds * slice_.preprocess.sampling_rate)
    frames = encoder.frontend.frames(samples)
    products = _Products(encoder.config, segments * frames, HALF.get(config.precision, torch.float32), device)
    clock = _Clock(device)
    rates, fractions = [], []
    with tempfile.TemporaryDirectory() as folder:
        batches = clock.load(_batches(slice_, config, Path(folder)).load(0, warmup + steps))
        timed = _TimedEngine(engine, clock)
        engine.train()
        for step in range(warmup + steps):
            if step == warmup:
                clock.forget()
                rates.append(products.rates())
            clock.start()
            done = update(timed, batches, step, config)
            clock.stop()
            if step >= warmup:
                rates.append(products.rates())
                fractions.append(float(done.terms[0]["masked_fraction"]))
    memory["steps"] = _peak()
    if device.type == "cuda":
        memory["gpu"] = torch.cuda.max_memory_allocated()
    around = [(before + after) / 2 for before, after in pairwise(rates)]
    masked = fmean(fractions) * frames
    once = forward_flops(
        encoder.config, config, segments=segments, leads=len(encoder.leads), samples=samples, masked=masked
    )
    return Measurement(
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        parameters=parameters,
        segments=segments,
        build_seconds=build_seconds,
        seconds=clock.seconds,
        busy=clock.busy,
        split=clock.split(),
        rates=[rate[0] for rate in around],
        rates_fp32=[rate[1] for rate in around],
        rates_busy=[rate[2] for rate in around],
        flops=PASSES * sum(once.values()),
        memory=memory,
    )


def _peak() -> float:
    """Most memory that this process ever held, bytes; not getrusage's, which begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024.0 * int(status.split("VmHWM:")[1].split()[0])


def _batches(slice_: EncoderSlice, config: PretrainConfig, folder: Path) -> PretrainBatches:
    """Noise in memory-mapped files that were just written, and so lie in memory: a batch and its successors."""
    rate = slice_.preprocess.sampling_rate
    length = round(config.crop_seconds * rate)
    leads = len(slice_.preprocess.leads)
    count = 2 * max(config.batch_size, 8)  # recordings, two a patient
    samples = np.random.default_rng(0).normal(0, 300, (count * 2 * length, leads)).astype(np.int16)
    (folder / "benchmark").mkdir()
    np.save(folder / "benchmark" / "000.npy", samples)
    records = pd.DataFrame({"record_id": [f"benchmark/{number}" for number in range(count)]})
    records = records.assign(
        source="benchmark", patient_id=[f"benchmark/p{number // 2}" for number in range(count)], split="train",
        sampling_rate=rate, n_samples=2 * length, shard=0, offset=np.arange(count) * 2 * length,
    )  # fmt: skip
    sampler = PairSampler(records, split="train", length=length)
    return PretrainBatches(
        Signals(records, folder),
        sampler,
        batch_size=config.batch_size,
        seed=config.seed,
        lead_mask_probability=config.lead_mask_probability,
    )


class _Clock:
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

    def split(self) -> dict[str, list[float]]:
        """Seconds of each step in each part."""
        split = {part: [0.0] * len(self.steps) for part in PARTS}
        for number, marks in enumerate(self.steps):
            for (_, before), (part, after) in pairwise(marks):
                split[part][number] += before.elapsed_time(after) / 1000 if self.cuda else after - before
        return split

    def load(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; what came before one of them belongs to `rest`, the way to the model to `load`."""
        while True:
            self.mark("rest")
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch


class _TimedEngine:
    """An engine that tells the clock where a step stands."""

    def __init__(self, engine: Any, clock: _Clock) -> None:
        self._engine, self._clock = engine, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._clock.mark("load")
        output = self._engine(*args, **kwargs)
        self._clock.mark("forward")
        return output

    def backward(self, *args: Any, **kwargs: Any) -> Any:
        self._clock.mark("rest")
        output = self._engine.backward(*args, **kwargs)
        self._clock.mark("backward")
        return output

    def step(self, *args: Any, **kwargs: Any) -> Any:
        self._clock.mark("rest")
        output = self._engine.step(*args, **kwargs)
        self._clock.mark("optimizer")
        return output


class _Products:
    """Matrix products of the shapes of the model's layers, and a square one: the best of them is the machine's rate."""

    def __init__(self, model: ModelConfig, rows: int, dtype: torch.dtype, device: torch.device) -> None:
        square = 8192 if device.type == "cuda" else 1024
        self.shapes = [(rows, model.dim, model.ffn_dim), (rows, model.ffn_dim, model.dim), (square, square, square)]
        self.dtype, self.device = dtype, device

    def rates(self) -> np.ndarray:
        """Operations a second now: in the numbers of the step, in fp32, in the former by processor time."""
        own = np.max([self._rate(shape, self.dtype) for shape in self.shapes], axis=0)
        fp32 = (
            own if self.dtype == torch.float32 else np.max([self._rate(s, torch.float32) for s in self.shapes], axis=0)
        )
        return np.array([own[0], fp32[0], own[1]])

    def _rate(self, shape: tuple[int, int, int], dtype: torch.dtype) -> tuple[float, float]:
        """Operations a second by the clock and by processor time."""
        rows, inner, columns = shape
        a = torch.randn((rows, inner), device=self.device).to(dtype)  # a GPU multiplies ones faster
        b = torch.randn((inner, columns), device=self.device).to(dtype)
        out = a @ b  # warm-up
        self._wait()
        began, busy, count = time.perf_counter(), time.process_time(), 0
        while (took := time.perf_counter() - began) < _PRODUCT_SECONDS:
            for _ in range(1 if self.device.type == "cpu" else 50):
                torch.mm(a, b, out=out)
                count += 1
            self._wait()
        operations = 2.0 * rows * inner * columns * count
        return operations / took, operations / (time.process_time() - busy)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
