"""What a training asks of a device, in a process of its own; a JSON line for each thing that was seen.

    python -m ecglfm.app.doctor.device_trial compare SLICE    a device by itself: its numbers against the processor's
    python -m ecglfm.app.doctor.device_trial train SLICE      a rank: an all-reduce, then updates as the config has them

Signals are noise on an electrode offset; what is learnt of them is nothing, and nothing is written.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from ecglfm import distributed, gpu
from ecglfm.config import EncoderSlice, ReportAlignmentConfig, load
from ecglfm.data.loading import ReportVectors, on_device
from ecglfm.models.placement import make_on
from ecglfm.models.pretraining import Objective, make_objective
from ecglfm.models.text import text_encoder
from ecglfm.process import end_process
from ecglfm.training.engine import initialize, prepare_layers
from ecglfm.training.precision import calculating
from ecglfm.training.pretraining import Upcoming, build_encoder, peak_of_process, update

PAIRS = 2  # of the comparison: on a processor, 600M parameters take seconds for them
UPDATES = 3  # the last is timed, when memory is there and layers are compiled
ROUNDS = 5
OFFSET = 2000  # uV, of an electrode
_FRONT = ("encoder.frontend", "encoder.vit.patches")
_PART = re.compile(r"encoder\.frontend|encoder\.vit\.patches|encoder\.\w+\.layers\.\d+")


def noise_of(slice_: EncoderSlice, pairs: int) -> dict[str, Tensor]:
    """A batch as `PretrainBatches` has it: noise of 0.3 mV on an offset, and noise as reports where they are read."""
    assert slice_.config.pretrain is not None
    samples = round(slice_.config.pretrain.crop_seconds * slice_.sampling_rate)
    leads = len(slice_.leads)
    signal = np.random.default_rng(0).normal(OFFSET, 300, (2 * pairs, samples, leads)).astype(np.int16)
    if slice_.input is not None:  # which gives float32, of whatever unit
        signal = (signal / np.float32(1000)).astype(np.float32)
    batch = {"signal": torch.from_numpy(signal), "lead_mask": torch.ones(2 * pairs, leads, dtype=torch.bool)}
    if isinstance(said := slice_.config.pretrain.objective, ReportAlignmentConfig):
        rows = np.arange(2 * pairs)
        vectors = np.random.default_rng(1).normal(0, 1, (2 * pairs, text_encoder(said.text_encoder).dim))
        batch |= ReportVectors(rows, vectors.astype(np.float32)).of(rows)
    return batch


def compare(slice_: EncoderSlice, device: torch.device) -> Iterator[dict[str, Any]]:
    """One step of the objective in each precision on a device, held against float32 on the processor.

    Weights, signals, masks and noise are the same, and there is no dropout. Beside the loss of the whole, in which a
    change of the input is lost among roundings, the front end and each layer get the processor's own input.

    Yields
    ------
    dict
        `precision`; `loss`, the difference as a share of the processor's; `frontend` (or what makes tokens of patches),
        norms of the differences of its output and of the gradient of its weights, as shares of the processor's norms;
        `layer`, name and larger share of the layer that is farthest off.
    """
    config = slice_.config
    if hasattr(config.model, "dropout"):
        config = config.model_copy(update={"model": config.model.model_copy(update={"dropout": 0.0})})
    slice_ = slice_.model_copy(update={"config": config})
    assert config.pretrain is not None
    objective = make_objective(build_encoder(slice_, 0), config.pretrain).train()
    prepare_layers(objective, config.pretrain.model_copy(update={"compile": False, "activation_checkpointing": False}))
    batch, cpu = noise_of(slice_, PAIRS), torch.device("cpu")
    called: dict[str, tuple[Any, Any]] = {}
    parts = {name: part for name, part in objective.named_modules() if _PART.fullmatch(name)}
    hooks = [
        part.register_forward_pre_hook(
            lambda _, args, kwargs, name=name: called.update({name: (args, kwargs)}), with_kwargs=True
        )
        for name, part in parts.items()
    ]
    true_loss = _loss(objective, batch, "fp32", cpu)
    for hook in hooks:
        hook.remove()
    true = {name: _alone(parts[name], *inputs, "fp32", cpu) for name, inputs in called.items()}
    for precision in ("fp32", "tf32", "bf16"):
        loss = _loss(objective, batch, precision, device)
        shares = {
            name: list(map(_distance, _alone(parts[name], *inputs, precision, device), true[name]))
            for name, inputs in called.items()
        }
        front = next(shares.pop(name) for name in _FRONT if name in shares)
        layer = max(((name, max(share, key=_size)) for name, share in shares.items()), key=lambda one: _size(one[1]))
        yield {"precision": precision, "loss": abs(loss / true_loss - 1), "frontend": front, "layer": layer}


def _size(share: float) -> float:
    return math.inf if math.isnan(share) else share


def _loss(objective: Objective, batch: dict[str, Tensor], precision: str, device: torch.device) -> float:
    """Loss of a forward of a copy, whose backward is made, too."""
    copy = deepcopy(objective).to(device)
    (noise,) = copy.draw([batch], 0, copy.prepare([batch], 0))
    x, mask = on_device(batch, device)
    with gpu.tf32(precision == "tf32"):
        with calculating(precision, device):
            loss = copy(x, step=0, noise=noise, mask=mask)["loss"]
        loss.backward()
    return loss.item()


def _alone(
    part: nn.Module, args: Any, kwargs: Any, precision: str, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of a copy of a part, and gradients of its weights for drawn ones of the outputs; on the processor."""
    copy = deepcopy(part).to(device)
    args, kwargs = tree_map_only(Tensor, lambda x: x.detach().to(device), (args, kwargs))
    with gpu.tf32(precision == "tf32"):
        with calculating(precision, device):
            found = [x for x in tree_leaves(copy(*args, **kwargs)) if isinstance(x, Tensor) and x.is_floating_point()]
        generator = torch.Generator().manual_seed(0)
        drawn = [torch.randn(x.shape, generator=generator).to(device) for x in found]
        torch.stack([(x.float() * gradient).sum() for x, gradient in zip(found, drawn, strict=True)]).sum().backward()
    gradients = [weight.grad.cpu() for weight in copy.parameters() if weight.grad is not None]
    return [x.detach().float().cpu() for x in found], gradients


def _distance(found: list[Tensor], true: list[Tensor]) -> float:
    """Norm of the difference as a share of the true ones' norm."""
    away = [one.double() - other.double() for one, other in zip(found, true, strict=True)]
    squares = [sum(float(x.double().square().sum()) for x in each) for each in (away, true)]
    return math.sqrt(squares[0] / squares[1]) if squares[1] else math.sqrt(squares[0])


def bandwidth(device: torch.device, numbers: int = 64_000_000) -> float:
    """GB/s of an all-reduce on the busiest link: NCCL's bus bandwidth, 2 (n - 1) / n of the bytes a second."""
    buffer = torch.ones(numbers, device=device)
    for number in range(1 + ROUNDS):
        if number == 1:  # the first finds out who is where
            began = time.perf_counter()
        dist.all_reduce(buffer)
        if device.type == "cuda":
            torch.cuda.synchronize()
    seconds, ranks = time.perf_counter() - began, distributed.world_size()
    return 2 * (ranks - 1) / ranks * 4 * numbers * ROUNDS / seconds / 1e9


def train(slice_: EncoderSlice) -> Iterator[dict[str, Any]]:
    """What ranks do together; all of them must run it.

    Yields
    ------
    dict
        `bandwidth`, GB/s of an all-reduce, where there are several ranks; then of updates as configured: `seconds` of
        the last, `segments` of it, `memory`, most GB of any GPU (0 on a processor), and `host`, peak GB of all ranks.
    """
    config = slice_.config.pretrain
    assert config is not None
    device = distributed.init()
    if distributed.world_size() > 1:
        yield {"bandwidth": bandwidth(device, 64_000_000 if device.type == "cuda" else 100_000)}
    objective = make_on(device, lambda: make_objective(build_encoder(slice_, config.seed), config))
    engine = initialize(objective, config)
    engine.train()
    batch = noise_of(slice_, config.batch_size)
    upcoming = Upcoming(objective, itertools.repeat(batch, UPDATES * config.accumulate), config)
    for step in range(UPDATES):
        began = time.perf_counter()
        update(engine, upcoming, step, config)
        if device.type == "cuda":
            torch.cuda.synchronize()
    seconds, ranks = time.perf_counter() - began, distributed.world_size()
    memory = torch.cuda.max_memory_reserved() if device.type == "cuda" else 0
    slowest, most = distributed.reduce_values([seconds, memory / 1e9], "max")
    host = ranks * distributed.reduce_values([peak_of_process() / 1e9])[0]
    segments = 2 * config.batch_size * config.accumulate * ranks
    yield {"seconds": slowest, "segments": segments, "memory": most, "host": host}


def main() -> None:
    """Do what the arguments say; whatever goes wrong is raised."""
    what, path = sys.argv[1:]
    slice_ = load(EncoderSlice, Path(path))
    for seen in compare(slice_, distributed.choose_device()) if what == "compare" else train(slice_):
        if distributed.is_main():
            sys.stdout.write(json.dumps(seen) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
    end_process(0)
