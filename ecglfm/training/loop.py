"""The training loop of pretraining: load, step, log, validate, save.

Everything random is drawn from (seed, step, forward, rank), so there is no generator state to save.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.config import PretrainConfig, UserError
from ecglfm.data.batches import PretrainBatches, on_device
from ecglfm.tracking import Run
from ecglfm.training.checkpoint import Checkpoints
from ecglfm.training.engine import broadcast_buffers, gradient_norm, set_learning_rate
from ecglfm.training.schedule import is_due, learning_rate, seed_of

logger = logging.getLogger(__name__)

#: What the objective gives in each forward, in the order of history.csv.
TERMS = [
    "loss", "contrastive", "mlm", "diversity", "feature_penalty", "cmsc", "contrastive_accuracy", "mlm_accuracy",
    "cmsc_accuracy", "code_perplexity", "prob_perplexity", "masked_fraction", "temperature",
]  # fmt: skip
LOG_SECONDS = 30.0  # between lines of the log, where no progress bar can be shown

# Streams of random numbers: what a seed is for is part of its key.
_DROPOUT, _NOISE, _VALIDATION = 1, 2, 3

Batches = Iterator[dict[str, torch.Tensor]]


class Job(Protocol):
    """What the loop trains: `ecglfm.training.pretrain.Pretraining`.

    Attributes
    ----------
    config : PretrainConfig
    train, valid : PretrainBatches
        Validation is None where the split has too few pairs.
    total, save_every : int
        Updates in all, and between checkpoints.
    checkpoints : Checkpoints
    """

    config: PretrainConfig
    train: PretrainBatches
    valid: PretrainBatches | None
    total: int
    save_every: int
    checkpoints: Checkpoints

    def log(self, run: Run, step: int, split: str, row: Mapping[str, float | None]) -> None:
        """Write one line of history.csv, the same to MLflow."""


def train(engine: Any, job: Job, *, start: int, run: Run, stop: distributed.StopFlag | None = None) -> int:
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

    Returns
    -------
    int
        0 when all updates are done, `distributed.STOPPED` when a signal came (the state is saved).
    """
    config, total = job.config, job.total
    batches = job.train.load(start, total, num_workers=config.num_workers)
    segments = 2 * job.train.batch_size * config.accumulate * distributed.world_size()
    engine.train()
    progress = Progress(start, total)
    saved, seconds, updates = start, 0.0, 0
    for step in range(start + 1, total + 1):  # the number of the update
        if distributed.any_rank(bool(stop)):
            if step - 1 > saved:
                job.checkpoints.save(engine, step - 1)
            progress.close()
            logger.warning("stopped by a signal at step %d of %d; a rerun resumes", step - 1, total)
            return distributed.STOPPED
        began = time.perf_counter()
        rate = learning_rate(step - 1, peak=config.lr, warmup_steps=config.warmup_steps)
        set_learning_rate(engine, rate)
        terms, norm = update(engine, batches, step - 1, config)
        seconds, updates = seconds + time.perf_counter() - began, updates + 1
        if is_due(step, config.log_every, total):
            row = average(terms) | {"lr": rate, "grad_norm": norm, "segments_per_second": segments * updates / seconds}
            job.log(run, step, "train", row)
            progress.describe(row)
            seconds, updates = 0.0, 0
        if job.valid is not None and is_due(step, config.validate_every, total):
            job.log(run, step, "valid", {"lr": rate} | validate(engine, job.valid, step, config))
        if is_due(step, job.save_every, total):
            job.checkpoints.save(engine, step)
            saved = step
        progress.update(step)
    progress.close()
    return 0


def update(engine: Any, batches: Batches, step: int, config: PretrainConfig) -> tuple[list[dict[str, Any]], float]:
    """One update of the weights.

    Parameters
    ----------
    engine : DeepSpeedEngine
    batches : iterator of dict
        Gives the forwards of this update next.
    step : int
        Updates done before.
    config : PretrainConfig

    Returns
    -------
    terms : list of dict
        What the objective gave in each forward of this rank.
    norm : float
        2-norm of the gradients before clipping.

    Raises
    ------
    UserError
        A loss or a gradient is not finite. No update is made of it, or none that is kept.
    """
    terms, norm = [], None
    for forward in range(config.accumulate):
        key = (step, forward, distributed.rank())
        x, mask = on_device(next(batches), engine.device)
        torch.manual_seed(seed_of(config.seed, _DROPOUT, *key))
        output = engine(x, generator_seed=seed_of(config.seed, _NOISE, *key), step=step, mask=mask)
        if distributed.any_rank(not math.isfinite(output["loss"].item())):
            raise _not_finite("loss", step)
        engine.backward(output["loss"])
        if forward == config.accumulate - 1:
            norm = gradient_norm(engine)
            if norm is not None and not math.isfinite(norm):
                raise _not_finite("gradient", step)
        engine.step()
        terms.append({name: output[name].detach() for name in TERMS})
    if norm is None:
        norm = float(engine.get_global_grad_norm() or 0.0)
        if not math.isfinite(norm) and config.precision != "fp16":  # fp16 skips such updates and scales down
            raise _not_finite("gradient", step)
    return terms, norm


def _not_finite(what: str, step: int) -> UserError:
    return UserError(
        f"the {what} is not finite at step {step + 1}: stopped before it counts, the last checkpoint is good."
        " Lower `pretrain.lr`, set `pretrain.clip_norm` (say 1.0) or `warmup_steps`, or look for broken signals"
    )


def average(terms: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Mean of each term over forwards and ranks; a collective operation."""
    values = [sum(float(forward[name]) for forward in terms) / len(terms) for name in TERMS]
    return dict(zip(TERMS, distributed.reduce_values(values), strict=True))


def validate(engine: Any, batches: PretrainBatches, step: int, config: PretrainConfig) -> dict[str, float]:
    """Terms on the validation pairs: the same crops, masks and negatives every time.

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
    terms = []
    with torch.no_grad():
        loaded = batches.load(0, batches.updates_per_epoch, num_workers=config.num_workers)
        for index, batch in enumerate(loaded):
            seed = seed_of(config.seed, _VALIDATION, index, distributed.rank())
            x, mask = on_device(batch, engine.device)
            output = engine(x, generator_seed=seed, step=step, mask=mask)
            terms.append({name: output[name].detach() for name in TERMS})
    engine.train()
    return average(terms)


class Progress:
    """A bar with the remaining time on a terminal, elsewhere a line of the log now and then; rank 0 only."""

    def __init__(self, start: int, total: int) -> None:
        bar = distributed.is_main() and sys.stderr.isatty()
        self._bar = tqdm(initial=start, total=total, unit="step", disable=not bar)
        self._lines = distributed.is_main() and not bar
        self._start, self._total = start, total
        self._began = self._spoke = time.monotonic()
        self._text = ""

    def describe(self, row: dict[str, float]) -> None:
        """Remember the figures to show."""
        self._text = f"loss {row['loss']:.3f}, {row['segments_per_second']:.0f} segments/s"
        self._bar.set_postfix_str(self._text, refresh=False)

    def update(self, step: int) -> None:
        """One update is done."""
        self._bar.update(1)
        now = time.monotonic()
        if self._lines and (now - self._spoke > LOG_SECONDS or step == self._total):
            remaining = (now - self._began) / (step - self._start) * (self._total - step)
            logger.info("step %d of %d, %s, %s left", step, self._total, self._text, tqdm.format_interval(remaining))
            self._spoke = now

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
