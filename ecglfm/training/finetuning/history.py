"""What a supervised training has done so far, which is also what an interrupted one goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass
class EarlyStopping:
    """Remembers the best epoch and says when `patience` epochs have passed without a better one."""

    patience: int
    larger_is_better: bool = False
    value: float | None = None
    epoch: int = 0

    def improves(self, epoch: int, value: float) -> bool:
        """Note the validation score of an epoch; True where it is the best so far."""
        sign = 1 if self.larger_is_better else -1
        if self.value is not None and sign * value <= sign * self.value:
            return False
        self.value, self.epoch = value, epoch
        return True

    def is_over(self, epoch: int) -> bool:
        """Whether training ends after this epoch."""
        return epoch - self.epoch >= self.patience


@dataclass
class EpochPart:
    """What was done of one epoch, on this rank.

    Attributes
    ----------
    batches : int
    loss, known : float
        Sum of the losses, each times the known labels of its batch; and of these.
    outputs, targets : list of ndarray of float32, shape (records, …)
        Of each batch.
    random : dict of Tensor
        States of the generators before the next batch, where they are to be set: `cpu`, and `cuda` on a GPU.
    """

    batches: int = 0
    loss: float = 0.0
    known: float = 0.0
    outputs: list[np.ndarray] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    random: dict[str, Tensor] = field(default_factory=dict)

    def add(self, loss: float, outputs: np.ndarray, target: np.ndarray) -> None:
        """Count a batch."""
        known = float((~np.isnan(target)).sum())
        self.loss, self.known, self.batches = self.loss + loss * known, self.known + known, self.batches + 1
        self.outputs.append(outputs)
        self.targets.append(target)

    def set_random(self) -> None:
        """Set the generators, once."""
        if self.random:
            torch.set_rng_state(self.random.pop("cpu"))
        if self.random:
            torch.cuda.set_rng_state(self.random.pop("cuda"))


@dataclass
class TrainingHistory:
    """What a training did.

    Attributes
    ----------
    best : EarlyStopping
        The best epoch and its validation score.
    rows : list of dict
        Rows of `history.csv`: `epoch, split, loss`, the criterion's metrics, `lr, head_lr`; the rates are those of
        the epoch's last update, `lr` that of the encoder's last layer. Of training, metrics are of what the module
        said on the way, and on several ranks the mean of those of each rank's records.
    weights : dict
        State of the module after the best epoch, float32 on the CPU.
    epochs : int
        Finished ones.
    part : EpochPart
        Of the epoch after them.
    """

    best: EarlyStopping
    rows: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    epochs: int = 0
    part: EpochPart = field(default_factory=EpochPart)

    @classmethod
    def of_start(cls, scores: dict[str, float], select_by: str, larger_is_better: bool) -> TrainingHistory:
        """That of a model which no step made: what it scores on the validation records, as epoch 0."""
        history = cls(EarlyStopping(1, larger_is_better))
        history.rows.append({"epoch": 0, "split": "valid", **scores})
        history.best.improves(0, scores[select_by])
        return history

    def end_epoch(self) -> None:
        """Another epoch is finished."""
        self.epochs, self.part = self.epochs + 1, EpochPart()
