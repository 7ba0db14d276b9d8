"""The loop of supervised training: train an epoch, validate, keep the best, stop when it gets no better."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.models.encoders import Encoder
from ecglfm.tracking import Run
from ecglfm.training.engine import broadcast_buffers, full_state_dict, initialize
from ecglfm.training.finetuning.batches import Batch
from ecglfm.training.finetuning.course import Course, EarlyStopping
from ecglfm.training.finetuning.criterion import Criterion
from ecglfm.training.finetuning.resume import SavedFit
from ecglfm.training.schedule import rate_factor, seed_of

logger = logging.getLogger(__name__)


@dataclass
class Learner:
    """What learns, from what, and how it is judged.

    Attributes
    ----------
    module : Module
        `module(*batch.inputs)` gives logits (batch, labels).
    batches : callable
        Epoch -> its batches.
    validate : callable
        () -> outputs of the validation records, float32 (records, labels).
    forwards : int
        Batches of an epoch.
    """

    module: nn.Module
    batches: Callable[[int], Iterator[Batch]]
    validate: Callable[[], np.ndarray]
    forwards: int


def train(
    learner: Learner,
    config: FinetuneConfig,
    criterion: Criterion,
    *,
    seed: int,
    target: np.ndarray,
    run: Run | None = None,
    saved: SavedFit | None = None,
) -> Course:
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
    saved : SavedFit, optional
        State of an interrupted training to go on from, and where each epoch's is saved.

    Raises
    ------
    UserError
        A loss is not finite, or what chooses the epoch is not defined on the validation records.
    """
    groups = parameter_groups(learner.module, config)
    rates = Rates(config, [group["lr"] for group in groups], learner.forwards)
    course = Course(EarlyStopping(config.patience, criterion.larger_is_better))
    if saved is not None:
        saved.restore_weights(learner.module)
    engine = initialize(learner.module, config, groups)
    if saved is not None:
        saved.restore(engine, learner.module, course)
    first = 1 if saved is None else saved.epoch + 1
    started = time.monotonic()
    for epoch in range(first, config.epochs + 1):
        if course.best.is_over(epoch - 1):
            break
        torch.manual_seed(seed_of(seed, epoch, distributed.rank()))
        scores = {"train": _train_epoch(engine, learner, criterion, epoch, rates)}
        broadcast_buffers(engine)
        scores["valid"] = _validate(learner, criterion, target, epoch)
        for split, score in scores.items():
            course.rows.append({"epoch": epoch, "split": split, **score, **rates.last})
        if run is not None:
            values = {f"{split}/{key}": value for split, score in scores.items() for key, value in score.items()}
            run.log(values | rates.last, epoch)
        if course.best.improves(epoch, scores["valid"][criterion.select_by]):
            state = full_state_dict(engine, learner.module)
            course.weights = {key: value.clone() for key, value in state.items()}  # training goes on in place
        if saved is not None:
            saved.save(engine, learner.module, course, epoch, learner.forwards)
        left = (time.monotonic() - started) / (epoch - first + 1) * (config.epochs - epoch)
        logger.info(
            "epoch %d of %d: loss train %.4f, valid %.4f; valid %s; at most %.0f s left",
            epoch, config.epochs, scores["train"]["loss"], scores["valid"]["loss"],
            ", ".join(f"{name} {scores['valid'][name]:.4f}" for name in criterion.metrics), left,
        )  # fmt: skip
    logger.info("best epoch: %d, validation %s %.4f", course.best.epoch, criterion.select_by, course.best.value)
    return course


def _validate(learner: Learner, criterion: Criterion, target: np.ndarray, epoch: int) -> dict[str, float]:
    """Loss and metrics on the validation records."""
    outputs = learner.validate()
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
    return scores


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
        self._note(0)

    def set(self, engine: Any) -> None:
        """Set the rates of the update that the engine makes next."""
        factor = self._note(engine.global_steps)
        for group, peak in zip(engine.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def _note(self, step: int) -> float:
        config = self._config
        factor = rate_factor(step, total=self._total, schedule=config.schedule)
        self.last = {"lr": config.lr * factor, "head_lr": (config.head_lr or config.lr) * factor}
        return factor


def _train_epoch(engine: Any, learner: Learner, criterion: Criterion, epoch: int, rates: Rates) -> dict[str, float]:
    """One pass over the training records; mean loss and metrics of what the module said on the way."""
    engine.train()
    total = count = 0.0
    outputs, targets = [], []
    for number, batch in enumerate(tqdm(learner.batches(epoch), desc=f"epoch {epoch}", leave=False, disable=None)):
        inputs = [None if part is None else part.to(engine.device) for part in batch.inputs]
        target = batch.target.to(engine.device)
        logits = engine(*inputs)
        loss = criterion.loss(logits, target)
        if distributed.any_rank(not math.isfinite(loss.item())):
            raise UserError(
                f"the training loss is {loss.item()} in epoch {epoch}, batch {number + 1}; "
                "lower `finetune.lr` or `finetune.head_lr`, or use `precision: fp32`"
            )
        engine.backward(loss)
        rates.set(engine)
        engine.step()
        known = float((~torch.isnan(target)).sum())
        total, count = total + loss.item() * known, count + known
        outputs.append(criterion.link.outputs(logits.detach().float()).cpu().numpy())
        targets.append(batch.target.numpy())
    total, count = distributed.reduce_values([total, count])
    measured = criterion.measure(np.concatenate(targets), np.concatenate(outputs))
    return {"loss": total / max(count, 1.0), **measured}


def parameter_groups(module: nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Parameters that learn, with their rates: the encoder's at `lr`, the head's at `head_lr`.

    With `layer_decay` below 1, layer l of L gets lr * layer_decay^(L - l), and what comes before the first
    layer counts as layer 0 (as BEiT, arXiv:2106.08254, where the decay also parts head and last layer).
    """
    encoder: Any = getattr(module, "encoder", None)
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


def layer_of(name: str, encoder: Encoder) -> int:
    """Layer of an encoder's parameter, 1 for the first; 0 for the front end and what else comes before it."""
    match = re.match(r"encoder\.\w+\.layers\.(\d+)\.", name)
    if match:
        return int(match[1]) + 1
    return encoder.config.depth if name.startswith(tuple(f"encoder.{closing}." for closing in encoder.closing)) else 0
