"""One measurement of the pretraining step: the real batches, objective and engine, beside a bare matrix product.

Machines are noisy, so products are timed between the steps, and a step is set against the products right before and
after it. Signals are noise; the time does not depend on them. A step is all that a training does in every update: it
loads, draws, clips, hears of what is not finite, and keeps the averages of weights; not what it does in some: lines of
`history.csv`, validation, checkpoints. Batches are read by the process itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import torch

from ecglfm import distributed
from ecglfm.benchmark.training.flops import PASSES, forward_flops
from ecglfm.benchmark.training.kernels import Kernel, longest_of
from ecglfm.benchmark.training.original import OriginalObjective
from ecglfm.benchmark.training.stopwatch import Clock, Products, TimedEngine
from ecglfm.config import EncoderSlice, PretrainConfig, UserError
from ecglfm.data.loading import PairSampler, PretrainBatches
from ecglfm.data.signals import signals_for
from ecglfm.models.encoders import Encoder
from ecglfm.models.placement import make_on
from ecglfm.models.pretraining import Cpc, Jepa, Mae, MaskedCodes, Objective, SignalStatistics, make_objective
from ecglfm.training.ema import EMA
from ecglfm.training.engine import initialize
from ecglfm.training.precision import HALF, bf16_is_fast
from ecglfm.training.pretraining import Upcoming, Update, build_encoder, peak_of_process, update


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
        Seconds of each step in each of `ecglfm.benchmark.training.stopwatch.PARTS`.
    rates, rates_fp32, rates_busy : list of float
        Operations a second of matrix products around each step: in the numbers of the step, in fp32, and in the
        numbers of the step by processor time.
    flops : float
        Of one step, without recomputation (`ecglfm.benchmark.training.flops`).
    memory : dict of str to float
        Peak bytes of the process after `imports`, `build` and `steps`; on a GPU also `gpu`, in tensors of a step.
    kernels : list of Kernel
        Of one more step: all together, then the longest; empty where not asked.
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
    kernels: list[Kernel] = field(default_factory=list)

    @property
    def utilisation(self) -> list[float]:
        """Share of the matrix rate that each step reaches."""
        return [self.flops / seconds / rate for seconds, rate in zip(self.seconds, self.rates, strict=True)]

    @property
    def utilisation_busy(self) -> list[float]:
        """The same by processor time: what one thread does alone counts for less."""
        return [self.flops / seconds / rate for seconds, rate in zip(self.busy, self.rates_busy, strict=True)]


def measure(
    slice_: EncoderSlice, *, segments: int, steps: int, warmup: int, original: bool = False, kernels: int = 0
) -> Measurement:
    """Train for a few updates of one forward each.

    Parameters
    ----------
    slice_ : EncoderSlice
        Its `pretrain` section says precision, ZeRO stage and so on; `batch_size` and `accumulate` are overridden.
    segments : int
        Even; a pair of recordings is two.
    steps, warmup : int
        Updates that count, and updates before them.
    original : bool
        Compute them as ECG-LFM's code does (`ecglfm.benchmark.training.original`).
    kernels : int
        So many of the longest kernels of one more step are named.

    Raises
    ------
    UserError
        As `ecglfm.training.engine.initialize` and `OriginalObjective`; another objective than ECG-LFM's, or bf16 on a
        processor that would take hours.
    """
    assert slice_.config.pretrain is not None
    config = slice_.config.pretrain.model_copy(update={"batch_size": segments // 2, "accumulate": 1, "num_workers": 0})
    if config.precision == "bf16" and not bf16_is_fast():
        raise UserError("precision: bf16 is not measured here: this processor has no bf16 instructions")
    device = distributed.init()
    memory: dict[str, float] = {"imports": peak_of_process()}
    began = time.perf_counter()
    objective = _objective(slice_, config, device, original)
    parameters = sum(parameter.numel() for parameter in objective.parameters())
    build_seconds = time.perf_counter() - began
    memory["build"] = peak_of_process()
    engine = initialize(objective, config)
    ema = None if config.ema is None or original else EMA(objective.encoder, config.ema)
    encoder, samples = objective.encoder, round(config.crop_seconds * slice_.sampling_rate)
    rows = segments * encoder.frames(samples)
    products = Products(encoder.config, rows, HALF.get(config.precision, torch.float32), device)
    clock = Clock(device)
    rates, fractions, peaks, longest = [], [], [0], list[Kernel]()
    with tempfile.TemporaryDirectory() as folder:
        batches = clock.load(_batches(slice_, config, Path(folder)).load(0, warmup + steps + 2))  # one is fetched ahead
        upcoming = Upcoming(objective, batches, config)
        timed = TimedEngine(engine, clock)
        engine.train()
        for step in range(warmup + steps):
            if step == warmup:
                clock.forget()
                rates.append(products.rates())
            done = _timed_update(timed, upcoming, step, config, ema, clock)
            if step >= warmup:
                peaks.append(clock.memory())
                rates.append(products.rates())
                fractions.append(float(done.terms[0].get("masked_fraction", 0.0)))
        memory["steps"], split = peak_of_process(), clock.split()
        if kernels:
            longest = longest_of(lambda: update(engine, upcoming, warmup + steps, config), device, kernels)
    if clock.cuda:
        memory["gpu"] = max(peaks)
    around = [(before + after) / 2 for before, after in pairwise(rates)]
    return Measurement(
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        parameters=parameters,
        segments=segments,
        build_seconds=build_seconds,
        seconds=clock.seconds,
        busy=clock.busy,
        split=split,
        rates=[rate[0] for rate in around],
        rates_fp32=[rate[1] for rate in around],
        rates_busy=[rate[2] for rate in around],
        flops=_flops(encoder, config, segments, samples, fmean(fractions)),
        memory=memory,
        kernels=longest,
    )


def _timed_update(
    engine: TimedEngine, upcoming: Upcoming, step: int, config: PretrainConfig, ema: EMA | None, clock: Clock
) -> Update:
    """An update, and the average of the weights that follows it."""
    clock.start()
    done = update(engine, upcoming, step, config)
    if ema is not None:
        clock.mark("rest")
        ema.update(step + 1)
        clock.mark("optimizer")
    clock.stop()
    return done


def _objective(slice_: EncoderSlice, config: PretrainConfig, device: torch.device, original: bool) -> Objective:
    """With an encoder of new weights, on a device."""
    make: Callable[..., Objective] = OriginalObjective if original else make_objective
    objective = make_on(device, lambda: make(build_encoder(slice_, config.seed), config))
    if not isinstance(objective, MaskedCodes | Cpc | Jepa | Mae | SignalStatistics):
        raise UserError(f"pretrain.objective.kind: nothing says what a step of {config.objective.kind!r} needs")
    return objective


def _flops(encoder: Encoder, config: PretrainConfig, segments: int, samples: int, hidden: float) -> float:
    """Of a step in which such a share of the frames is hidden."""
    masked, leads = hidden * encoder.frames(samples), len(encoder.leads)
    return PASSES * sum(
        forward_flops(encoder.config, config, segments=segments, leads=leads, samples=samples, masked=masked).values()
    )


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
    signals = signals_for(slice_, records, folder)
    records = records.assign(n_samples=signals.n_samples)
    sampler = PairSampler(records, split="train", length=round(config.crop_seconds * slice_.sampling_rate))
    return PretrainBatches(
        signals,
        sampler,
        batch_size=config.batch_size,
        seed=config.seed,
        lead_mask_probability=config.lead_mask_probability,
    )
