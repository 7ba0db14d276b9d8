"""The loop of supervised training: train an epoch, validate, keep the best, stop when it gets no better."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.models.encoders import Encoder
from ecglfm.tracking import Run
from ecglfm.training.checkpoints import SavedTraining
from ecglfm.training.engine import broadcast_buffers, full_state_dict, initialize
from ecglfm.training.finetuning.batches import Batch, Shares
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.history import EarlyStopping, EpochPart, TrainingHistory
from ecglfm.training.finetuning.resume import FitState
from ecglfm.training.finetuning.tracked import spelled
from ecglfm.training.loss_scale import make_update
from ecglfm.training.progress import TrainingProgress
from ecglfm.training.schedule import rate_factor, seed_of

logger = logging.getLogger(__name__)


Inputs = list[torch.Tensor | None]


@dataclass
class Learner:
    """What learns, from what, and how it is judged.

    Attributes
    ----------
    module : Module
        `module(*batch.inputs)` gives logits (batch, labels).
    batches : callable
        (epoch, number of the first) -> its batches from that on.
    validate : callable
        (stop) -> outputs of the validation records, float32 (records, labels); raises `Stopped` where that takes long.
    forwards : int
        Batches of an epoch.
    change : callable, optional
        (epoch, number of the batch, its inputs on the device) -> what the module is called with in training.
    known : callable, optional
        As `Shares` takes it; without it each batch of an update counts as much as any other.
    """

    module: nn.Module
    batches: Callable[[int, int], Iterator[Batch]]
    validate: Callable[[distributed.StopFlag | None], np.ndarray]
    forwards: int
    change: Callable[[int, int, Inputs], Inputs] | None = None
    known: Callable[[int], np.ndarray] | None = None

    def shares(self, accumulate: int) -> Shares | None:
        """What each batch counts, where that is known."""
        about = {"forwards": self.forwards, "accumulate": accumulate, "world_size": distributed.world_size()}
        return None if self.known is None else Shares(self.known, **about)


def train(
    learner: Learner,
    config: FinetuneConfig,
    criterion: Criterion,
    *,
    seed: int,
    target: np.ndarray,
    run: Run | None = None,
    saved: SavedTraining | None = None,
    stop: distributed.StopFlag | None = None,
) -> TrainingHistory:
    """Train until the validation score gets no better; the weights of the best epoch are kept in memory.

    Parameters
    ----------
    learner : Learner
    config : FinetuneConfig
    criterion : Criterion
    seed : int
        Of dropout; the batches have their own.
    target : ndarray, shape (records, labels)
        Labels of the validation records.
    run : Run, optional
        Gets the metrics by epoch.
    saved : SavedTraining, optional
        State of an interrupted training to go on from, and where it is saved.
    stop : StopFlag, optional
        Ends the training after the batch, or within the validation, that is under way.

    Raises
    ------
    UserError
        A loss is not finite, or what chooses the epoch is not defined on the validation records.
    Stopped
        `stop` was raised; the state is saved.
    """
    groups = parameter_groups(learner.module, config)
    rates = Rates(config, [group["lr"] for group in groups], learner.forwards)
    history = TrainingHistory(EarlyStopping(config.patience, criterion.larger_is_better))
    if saved is not None:
        saved.restore_weights(learner.module)
    engine = initialize(learner.module, config, groups)
    state = FitState(saved, engine, learner.module, history, config, learner.forwards)
    state.restore()
    rates.note(max(0, engine.global_steps - 1))
    total, done = config.epochs * learner.forwards, history.epochs * learner.forwards + history.part.batches
    folder = saved.checkpoints.folder.parent if saved is not None else None
    with TrainingProgress(folder, start=done, total=total, unit="batch", at_most=True) as progress:
        while history.epochs < config.epochs and not history.best.is_over(history.epochs):
            epoch = history.epochs + 1
            torch.manual_seed(seed_of(seed, epoch, distributed.rank()))
            progress.part = f"epoch {epoch} of {config.epochs}"
            try:
                scores = {"train": _train_epoch(engine, learner, criterion, rates, state, progress, stop)}
                broadcast_buffers(engine)
                scores["valid"] = _validate(learner, criterion, target, epoch, stop if state.is_whole else None)
            except distributed.Stopped:
                state.save()
                logger.warning("stopped by a signal after %s; a rerun resumes", state.describe())
                raise
            for split, score in scores.items():
                history.rows.append({"epoch": epoch, "split": split, **score, **rates.last})
            if run is not None:
                run.log(spelled(scores, rates.last), epoch)
            if history.best.improves(epoch, scores["valid"][criterion.select_by]):
                weights = full_state_dict(engine, learner.module)
                history.weights = {key: value.clone() for key, value in weights.items()}  # training goes on in place
            history.end_epoch()
            state.save_epoch()
            logger.info(
                "epoch %d of %d: loss train %.4f, valid %.4f; valid %s%s",
                epoch, config.epochs, scores["train"]["loss"], scores["valid"]["loss"],
                ", ".join(f"{name} {scores['valid'][name]:.4f}" for name in criterion.metrics), progress.left("; "),
            )  # fmt: skip
    logger.info("best epoch: %d, validation %s %.4f", history.best.epoch, criterion.select_by, history.best.value)
    return history


def _validate(
    learner: Learner, criterion: Criterion, target: np.ndarray, epoch: int, stop: distributed.StopFlag | None
) -> dict[str, float]:
    """Loss and metrics on the validation records; the same on ranks that round otherwise, which must stop together."""
    outputs = learner.validate(stop)
    if not np.isfinite(outputs).all():
        raise UserError(f"the validation loss is nan in epoch {epoch}; lower `finetune.lr`")
    scores = criterion.validate(target, outputs)
    if not math.isfinite(scores["loss"]):
        raise UserError(f"the validation loss is {scores['loss']} in epoch {epoch}; lower `finetune.lr`")
    if math.isnan(scores[criterion.select_by]):
        raise UserError(
            f"finetune.select_by: {criterion.select_by} is not defined on the validation split, where every label"
            " is of one class or has no pair to compare; write loss"
        )
    return dict(zip(scores, distributed.reduce_values(list(scores.values()), "max"), strict=True))


class Rates:
    """Learning rates of one fit: every group's own, times what the schedule says of an update.

    Parameters
    ----------
    config : FinetuneConfig
    peaks : list of float
        Rate of each parameter group.
    forwards : int
        Batches of an epoch.

    Attributes
    ----------
    last : dict
        `lr` and `head_lr` of the newest update.
    """

    def __init__(self, config: FinetuneConfig, peaks: list[float], forwards: int) -> None:
        self._config, self._peaks = config, peaks
        self._total = max(1, config.epochs * forwards // config.accumulate)
        self.note(0)

    def set(self, engine: Any) -> None:
        """Set the rates of the update that the engine makes next."""
        factor = self.note(engine.global_steps)
        for group, peak in zip(engine.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def note(self, step: int) -> float:
        """Remember the rates of an update, which `step` others were made before; returns the schedule's factor."""
        config = self._config
        factor = rate_factor(step, total=self._total, schedule=config.schedule)
        self.last = {"lr": config.lr * factor, "head_lr": (config.head_lr or config.lr) * factor}
        return factor


def _train_epoch(
    engine: Any, learner: Learner, criterion: Criterion, rates: Rates, state: FitState, progress: TrainingProgress,
    stop: distributed.StopFlag | None,
) -> dict[str, float]:  # fmt: skip
    """The rest of an epoch; mean loss and metrics of what the module said on the way."""
    epoch, part = state.history.epochs + 1, state.history.part
    engine.train()
    began, seen, before = time.monotonic(), 0, (epoch - 1) * learner.forwards
    shares = learner.shares(engine.gradient_accumulation_steps()) if criterion.is_mean else None
    for batch in learner.batches(epoch, part.batches):
        part.set_random()  # not earlier: a loader that begins draws, too
        inputs = [None if tensor is None else tensor.to(engine.device) for tensor in batch.inputs]
        if learner.change is not None:
            inputs = learner.change(epoch, part.batches, inputs)
        logits = engine(*inputs)
        loss = criterion.loss(logits, batch.target.to(engine.device))
        # A GPU is waited for here, once: while it is at work on the rest, the next batch is fetched.
        value, outputs = loss.item(), criterion.link.outputs(logits.detach().float()).cpu().numpy()
        if distributed.any_rank(not math.isfinite(value)):
            raise UserError(
                f"the training loss is {value} in epoch {epoch}, batch {part.batches + 1}; "
                "lower `finetune.lr` or `finetune.head_lr`, or use `precision: fp32`"
            )
        share = 1.0 if shares is None else shares(epoch, part.batches, batch.target)
        engine.backward(loss if share == 1.0 else loss * share)
        rates.set(engine)
        if make_update(engine):
            raise UserError(
                f"a gradient is not finite in epoch {epoch}, batch {part.batches + 1}; "
                "lower `finetune.lr` or `finetune.head_lr`, or use `precision: fp32`"
            )
        part.add(value, outputs, batch.target.numpy())
        seen += len(batch.target) * distributed.world_size()
        loss_so_far, rate = part.loss / max(part.known, 1.0), seen / (time.monotonic() - began)
        progress.describe(loss=loss_so_far, segments_per_second=rate)
        progress.update(before + part.batches)
        if state.is_whole:
            distributed.end_if(stop)
    return _over_ranks(part, criterion.measure(np.concatenate(part.targets), np.concatenate(part.outputs)))


def _over_ranks(part: EpochPart, measured: Mapping[str, float]) -> dict[str, float]:
    """Loss of all known labels, and of each metric the mean over the ranks on whose records it is defined."""
    values = np.array(list(measured.values()))
    defined = ~np.isnan(values)
    told = [part.loss, part.known, *np.where(defined, values, 0.0), *defined]
    total, count, *rest = distributed.reduce_values([float(value) for value in told])
    sums, shares = rest[: len(values)], rest[len(values) :]
    means = [one / share if share else math.nan for one, share in zip(sums, shares, strict=True)]
    return {"loss": total / max(count, 1.0), **dict(zip(measured, means, strict=True))}


def parameter_groups(module: nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Parameters that learn, with their rates: the encoder's at `lr`, the head's at `head_lr`.

    With `layer_decay` below 1, layer l of L gets lr * layer_decay^(L - l), and what comes before the first
    layer counts as layer 0 (as BEiT, arXiv:2106.08254, where the decay also parts head and last layer). `UserError`
    where the names of the encoder's weights do not tell the layers.
    """
    encoder: Any = getattr(module, "encoder", None)
    if config.layer_decay < 1 and encoder is not None:  # of a linear probe the head is all that there is
        _check_layers(encoder, config.layer_decay)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        is_head = not name.startswith("encoder.")
        rate = config.head_lr or config.lr
        if not is_head:
            below = encoder.config.depth - layer_of(name, encoder)
            rate = config.lr * config.layer_decay**below
        groups.setdefault((is_head, rate), []).append(parameter)
    return [{"params": parameters, "lr": rate} for (_, rate), parameters in sorted(groups.items(), key=lambda g: g[0])]


def _check_layers(encoder: Encoder, decay: float) -> None:
    """Raise `UserError` where a layer has no weight of its own, so that it would learn as if before the first."""
    found = {layer_of(f"encoder.{name}", encoder) for name, _ in encoder.named_parameters()}
    lacking = [str(layer) for layer in range(1, encoder.config.depth + 1) if layer not in found]
    if lacking:
        raise UserError(
            f"finetune.layer_decay: {decay}: the weights of this encoder ({encoder.config.kind}) tell no layer"
            f" {', '.join(lacking)}: its class names them otherwise than MODULE.layers.N; write 1"
        )


def layer_of(name: str, encoder: Encoder) -> int:
    """Layer of an encoder's parameter, 1 for the first; 0 for the front end and what else comes before it."""
    match = re.match(r"encoder\.\w+\.layers\.(\d+)\.", name)
    if match:
        return int(match[1]) + 1
    return encoder.config.depth if name.startswith(tuple(f"encoder.{closing}." for closing in encoder.closing)) else 0
