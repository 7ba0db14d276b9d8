"""The training loop of pretraining: load, step, log, validate, save.

Everything random is drawn from (seed, step, place in the global batch), and dropout from (seed, step, forward,
rank), so there is no generator state to save. With group or synchronised normalisation and without dropout, a
training does not depend on how its global batch is spread over ranks; nor over forwards, but for the terms that
compare records or count codes within a forward (CMSC and diversity).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from ecglfm import distributed
from ecglfm.config import PretrainConfig
from ecglfm.data.loading import PretrainBatches, on_device
from ecglfm.models.encoders import ECGEncoder, PatchEncoder
from ecglfm.models.pretraining import Objective
from ecglfm.tracking import Run
from ecglfm.training.checkpoints import Saver
from ecglfm.training.ema import EMA
from ecglfm.training.engine import broadcast_buffers, set_learning_rate, unwrap
from ecglfm.training.pretraining.layer_probe import LayerProbe
from ecglfm.training.pretraining.upcoming import Upcoming
from ecglfm.training.pretraining.watchdog import Guard, Watchdog
from ecglfm.training.progress import TrainingProgress
from ecglfm.training.schedule import is_due, learning_rate, seed_of

logger = logging.getLogger(__name__)

# Streams of random numbers: what a seed is for is part of its key; 2 and 4 are `upcoming`'s.
_DROPOUT, _VALIDATION = 1, 3


def history_columns(columns: Sequence[str]) -> list[str]:
    """Columns of history.csv, around those of an objective."""
    before, after = ["step", "epoch", "split", "lr"], ["grad_norm", "skipped", "memory_mb", "segments_per_second"]
    return [*before, "loss", *columns, *after]


class Job(Protocol):
    """What the loop trains: `ecglfm.training.pretraining.pretrain.Pretraining`.

    Attributes
    ----------
    config : PretrainConfig
    train, valid : PretrainBatches
        Validation is None where the split has too few pairs.
    total, save_every : int
        Updates in all, and between checkpoints.
    encoder : ECGEncoder or PatchEncoder
        Inside the objective.
    ema : EMA or None
        Of the encoder.
    watchdog : Watchdog
    saver : Saver
    output : path
        Folder of what it makes.
    """

    config: PretrainConfig
    train: PretrainBatches
    valid: PretrainBatches | None
    total: int
    save_every: int
    encoder: ECGEncoder | PatchEncoder
    ema: EMA | None
    watchdog: Watchdog
    saver: Saver
    output: Path

    def save(self, engine: Any, step: int) -> None:
        """Have a checkpoint written; every rank must call it."""

    def log(self, run: Run, step: int, split: str, row: Mapping[str, float | None]) -> None:
        """Write one line of history.csv, the same to MLflow."""


def train(engine: Any, job: Job, *, start: int, run: Run, stop: distributed.StopFlag | None = None) -> None:
    """The loop: load, step, log, validate, save.

    Parameters
    ----------
    engine : DeepSpeedEngine
        Around the objective.
    job : Job
    start : int
        Updates done already.
    run : Run
    stop : StopFlag, optional

    Raises
    ------
    Stopped
        `stop` was raised before all updates were done; the state is saved.
    """
    config, total = job.config, job.total
    batches = job.train.load(start, total, num_workers=config.num_workers)
    upcoming = Upcoming(unwrap(engine), batches, config, start)
    segments = 2 * job.train.batch_size * config.accumulate * distributed.world_size()
    engine.train()
    saved, seconds, updates = start, 0.0, 0
    stopping = distributed.any_rank(bool(stop))
    with TrainingProgress(job.output, start=start, total=total) as progress:
        for step in range(start + 1, total + 1):  # the number of the update
            if stopping:
                if step - 1 > saved:
                    job.save(engine, step - 1)
                job.saver.finish()
                logger.warning("stopped by a signal at step %d of %d; a rerun resumes", step - 1, total)
                raise distributed.Stopped
            began = time.perf_counter()
            rate = learning_rate(step - 1, peak=config.lr, total=total, schedule=config.schedule)
            set_learning_rate(engine, rate)
            with LayerProbe(job.encoder.context, active=is_due(step, config.log_every, total)) as probe:
                done = update(engine, upcoming, step - 1, config, lambda: (bool(stop), job.saver.busy))
            stopping, busy = done.flags
            job.saver.poll(busy)
            job.watchdog.note_update(step, done.fault, run)
            if job.ema is not None and done.fault is None:
                job.ema.update(step)
            seconds, updates = seconds + time.perf_counter() - began, updates + 1
            if is_due(step, config.log_every, total):
                row = average(done.terms) | {"lr": rate, "grad_norm": done.norm, "skipped": job.watchdog.skipped}
                if done.fault is None:
                    job.watchdog.examine(step, unwrap(engine).warnings(row), probe.states(), run)
                row |= {"memory_mb": peak_memory_mb(), "segments_per_second": segments * updates / seconds}
                job.log(run, step, "train", row)
                progress.describe(loss=row["loss"], segments_per_second=row["segments_per_second"])
                seconds, updates = 0.0, 0
            if job.valid is not None and is_due(step, config.validate_every, total):
                job.log(run, step, "valid", {"lr": rate} | validate(engine, job.valid, step, config))
            if is_due(step, job.save_every, total):
                job.save(engine, step)
                saved = step
            progress.update(step)
        job.saver.finish()


class Update(NamedTuple):
    """What one update did.

    Attributes
    ----------
    terms : list of dict
        What the objective gave in each forward of this rank: `loss` and its columns.
    norm : float
        2-norm of the gradients before clipping; NaN where no update was made.
    fault : str or None
        Why it was skipped.
    flags : list of bool
        Whether each flag that was asked for is true on any rank.
    """

    terms: list[dict[str, Any]]
    norm: float
    fault: str | None
    flags: list[bool]


def update(
    engine: Any, upcoming: Upcoming, step: int, config: PretrainConfig, ask: Callable[[], Sequence[bool]] = tuple
) -> Update:
    """One update of the weights.

    The host runs ahead of a GPU, and draws the next update's masks there, until all is sent off but the step of the
    optimizer: then it waits, once, to hear from all ranks in one all-reduce what each of them must know (`Guard`).

    Parameters
    ----------
    engine : DeepSpeedEngine
    upcoming : Upcoming
        Gives the forwards of this update next.
    step : int
        Updates done before.
    config : PretrainConfig
    ask : callable
        Gives flags of this rank, when all are to hear of them.

    Raises
    ------
    UserError
        A loss or a gradient is not finite, and `non_finite` says stop. No update is made of it.
    """
    terms, guard, objective = [], Guard(engine, config, step), unwrap(engine)
    for forward, (batch, noise) in enumerate(upcoming.take()):
        x, mask = on_device(batch, engine.device, upcoming.change(step, forward, len(batch["signal"])))
        torch.manual_seed(seed_of(config.seed, _DROPOUT, step, forward, distributed.rank()))
        output = engine(x, step=step, noise=noise, mask=mask)
        terms.append(logged(output, objective))
        if forward == config.accumulate - 1:
            upcoming.prepare()
        engine.backward(output["loss"])
        if forward < config.accumulate - 1:
            engine.step()  # counts the forward; the last one's updates
    norm, flags = guard.finish(terms, ask())
    return Update(terms, norm, guard.fault, flags)


def logged(output: dict[str, torch.Tensor], objective: Objective) -> dict[str, torch.Tensor]:
    """What history.csv says of a forward."""
    return {name: output[name].detach() for name in ("loss", *objective.columns)}


def peak_of_process() -> int:
    """Most memory that this process ever held, bytes; not getrusage's, which begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def peak_memory_mb() -> float:
    """Largest memory so far of any rank, MB: on the GPU where there is one, else of the process; all must ask."""
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_of_process()
    return distributed.reduce_values([peak / 1e6], "max")[0]


def average(terms: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Mean of each term over forwards and ranks; a collective operation."""
    values = [sum(float(forward[name]) for forward in terms) / len(terms) for name in terms[0]]
    return dict(zip(terms[0], distributed.reduce_values(values), strict=True))


def validate(engine: Any, batches: PretrainBatches, step: int, config: PretrainConfig) -> dict[str, float]:
    """Terms on the validation pairs: the same crops and draws every time.

    Parameters
    ----------
    engine : DeepSpeedEngine
        Is in training mode afterwards.
    batches : PretrainBatches
        Not for training.
    step : int
        Updates done.
    config : PretrainConfig

    Returns
    -------
    dict
        Mean of each term over batches and ranks.
    """
    broadcast_buffers(engine)
    engine.eval()
    terms, objective = [], unwrap(engine)
    with torch.no_grad():
        loaded = batches.load(0, batches.updates_per_epoch, num_workers=config.num_workers)
        for index, batch in enumerate(loaded):
            seed = seed_of(config.seed, _VALIDATION, index)
            (noise,) = objective.draw([batch], seed, objective.prepare([batch], seed))
            x, mask = on_device(batch, engine.device)
            output = engine(x, step=step, noise=noise, mask=mask)
            terms.append(logged(output, objective))
    engine.train()
    return average(terms)
