"""What a fit minimises, what is written down of an epoch, and what chooses the best one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ecglfm.config import FinetuneConfig
from ecglfm.config.reference import look_up
from ecglfm.models.outputs import Link
from ecglfm.training.finetuning.losses import Loss, cox, make_loss
from ecglfm.training.finetuning.scores import Score


@dataclass(frozen=True)
class Criterion:
    """One fit's.

    Attributes
    ----------
    link : Link
        What the logits mean.
    loss : Loss
        (logits, target) to a scalar.
    select_by : str
        `loss`, or one of `metrics`.
    metrics : tuple of str
        Scores of an epoch besides the loss.
    """

    link: Link
    loss: Loss
    select_by: str
    metrics: tuple[str, ...]

    @property
    def larger_is_better(self) -> bool:
        """Direction of `select_by`."""
        return self.select_by != "loss" and self._score(self.select_by).larger_is_better

    @property
    def is_mean(self) -> bool:
        """Whether the loss is a mean over known labels; Cox's compares the records of a batch with each other."""
        return self.loss is not cox

    def measure(self, target: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Value of each of `metrics`; both arrays are (records, labels)."""
        return {name: self._score(name).of(target, outputs) for name in self.metrics}

    def validate(self, target: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Loss, in double precision, and `metrics` of the outputs of all validation records."""
        logits = self.link.logits(torch.from_numpy(outputs.astype(np.float64)))
        loss = float(self.loss(logits, torch.from_numpy(target.astype(np.float64))))
        return {"loss": loss, **self.measure(target, outputs)}

    def _score(self, name: str) -> Score:
        found: Score = look_up(self.link.kind.scores[name])
        return found


def make_criterion(config: FinetuneConfig, link: Link, target: np.ndarray) -> Criterion:
    """Criterion of a fit; `target` (records, labels) is of its training records."""
    names = [next(iter(link.kind.scores)), config.select_by]
    metrics = tuple(name for name in dict.fromkeys(names) if name != "loss")
    return Criterion(link, make_loss(config, link, target), config.select_by, metrics)
