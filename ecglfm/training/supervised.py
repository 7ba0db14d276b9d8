"""The loop of supervised training: train an epoch, validate, keep the best, stop when it gets no better."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, UserError
from ecglfm.tracking import Run
from ecglfm.training.engine import broadcast_buffers, full_state_dict, initialize
from ecglfm.training.labelled import Batch
from ecglfm.training.losses import macro_auroc, masked_bce, probability_bce
from ecglfm.training.schedule import seed_of

logger = logging.getLogger(__name__)


@dataclass
class EarlyStopping:
    """Remembers the best epoch and says when `patience` epochs have passed without a better one."""

    patience: int
    loss: float = math.inf
    epoch: int = 0

    def improves(self, epoch: int, loss: float) -> bool:
        """Note the validation loss of an epoch; True where it is the best so far."""
        if loss >= self.loss:
            return False
        self.loss, self.epoch = loss, epoch
        return True

    def is_over(self, epoch: int) -> bool:
        """Whether training ends after this epoch."""
        return epoch - self.epoch >= self.patience


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
        () -> probabilities of the validation records, float32 (records, labels).
    """

    module: nn.Module
    batches: Callable[[int], Iterator[Batch]]
    validate: Callable[[], np.ndarray]


@dataclass
class Course:
    """What a training did.

    Attributes
    ----------
    best : EarlyStopping
        The best epoch and its validation loss.
    rows : list of dict
        Rows of `history.csv`: `epoch, split, loss, auroc, lr, head_lr`.
    weights : dict
        State of the module after the best epoch, float32 on the CPU.
    """

    best: EarlyStopping
    rows: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)


def train(learner: Learner, config: FinetuneConfig, *, seed: int, target: np.ndarray, run: Run | None = None) -> Course:
    """Train until the validation loss gets no better; the weights of the best epoch are kept in memory.

    Parameters
    ----------
    learner : Learner
    config : FinetuneConfig
    seed : int
        Of dropout; the batches have their own.
    target : ndarray, shape (records, labels)
        Labels of the validation records.
    run : Run, optional
        Gets the metrics by epoch.

    Raises
    ------
    UserError
        A loss is not finite.
    """
    engine = initialize(learner.module, config, _groups(learner.module, config))
    course = Course(EarlyStopping(config.patience))
    rates = {"lr": config.lr, "head_lr": config.head_lr or config.lr}
    started = time.monotonic()
    for epoch in range(1, config.epochs + 1):
        torch.manual_seed(seed_of(seed, epoch, distributed.rank()))
        scores = {"train": _train_epoch(engine, learner, epoch)}
        broadcast_buffers(engine)
        probability = learner.validate()
        scores["valid"] = {"loss": probability_bce(target, probability), "auroc": macro_auroc(target, probability)}
        if not math.isfinite(scores["valid"]["loss"]):
            raise UserError(f"the validation loss is {scores['valid']['loss']} in epoch {epoch}; lower `finetune.lr`")
        for split, score in scores.items():
            course.rows.append({"epoch": epoch, "split": split, **score, **rates})
        if run is not None:
            values = {f"{split}/{key}": value for split, score in scores.items() for key, value in score.items()}
            run.log(values | rates, epoch)
        if course.best.improves(epoch, scores["valid"]["loss"]):
            state = full_state_dict(engine, learner.module)
            course.weights = {key: value.clone() for key, value in state.items()}  # training goes on in place
        left = (time.monotonic() - started) / epoch * (config.epochs - epoch)
        logger.info(
            "epoch %d of %d: loss train %.4f, valid %.4f; valid AUROC %.4f; at most %.0f s left",
            epoch, config.epochs, scores["train"]["loss"], scores["valid"]["loss"], scores["valid"]["auroc"], left,
        )  # fmt: skip
        if course.best.is_over(epoch):
            break
    logger.info("best epoch: %d, validation loss %.4f", course.best.epoch, course.best.loss)
    return course


def _train_epoch(engine: Any, learner: Learner, epoch: int) -> dict[str, float]:
    """One pass over the training records; mean loss and macro AUROC of what the module said on the way."""
    engine.train()
    total = count = 0.0
    logits, targets = [], []
    for number, batch in enumerate(tqdm(learner.batches(epoch), desc=f"epoch {epoch}", leave=False, disable=None)):
        inputs = [None if part is None else part.to(engine.device) for part in batch.inputs]
        target = batch.target.to(engine.device)
        output = engine(*inputs)
        loss = masked_bce(output, target)
        if distributed.any_rank(not math.isfinite(loss.item())):
            raise UserError(
                f"the training loss is {loss.item()} in epoch {epoch}, batch {number + 1}; "
                "lower `finetune.lr` or `finetune.head_lr`, or use `precision: fp32`"
            )
        engine.backward(loss)
        engine.step()
        known = float((~torch.isnan(target)).sum())
        total, count = total + loss.item() * known, count + known
        logits.append(output.detach().float().cpu().numpy())
        targets.append(batch.target.numpy())
    total, count = distributed.reduce_values([total, count])
    return {"loss": total / max(count, 1.0), "auroc": macro_auroc(np.concatenate(targets), np.concatenate(logits))}


def _groups(module: nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Parameters that learn, the encoder's at `lr` and the head's at `head_lr`."""
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    encoder = [parameter for name, parameter in named if name.startswith("encoder.")]
    head = [parameter for name, parameter in named if not name.startswith("encoder.")]
    groups = [{"params": encoder, "lr": config.lr}, {"params": head, "lr": config.head_lr or config.lr}]
    return [group for group in groups if group["params"]]
