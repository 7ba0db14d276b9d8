"""What a supervised training has done so far, which is also what an interrupted one goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
class Course:
    """What a training did.

    Attributes
    ----------
    best : EarlyStopping
        The best epoch and its validation score.
    rows : list of dict
        Rows of `history.csv`: `epoch, split, loss`, the criterion's metrics, `lr, head_lr`; the rates are those of
        the epoch's last update, `lr` that of the encoder's last layer.
    weights : dict
        State of the module after the best epoch, float32 on the CPU.
    """

    best: EarlyStopping
    rows: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
