"""What the logits of a model mean: probabilities, a quantity in its own unit, or a log hazard ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: Kinds of task, and so of model.
KINDS = ("binary", "multilabel", "multiclass", "regression", "survival")
#: Kinds whose outputs are probabilities, with a threshold per label.
CLASSIFICATION = ("binary", "multilabel", "multiclass")
#: How the outputs of a record's windows may become the record's.
AGGREGATES = ("mean", "max", "median")
_SMALLEST = 1e-7  # probabilities are kept so far from 0 and 1 where a logit is made of them


@dataclass(frozen=True)
class Link:
    """Between logits and outputs, as the link function of a generalised linear model.

    Attributes
    ----------
    kind : str
        Of `KINDS`. Outputs of binary and multilabel: the logistic function of each logit; of multiclass: softmax over
        the labels; of regression: logit x scale + mean; of survival: the logit, a log hazard ratio.
    mean, scale : sequence of float
        `regression` only: of each label's training targets.
    """

    kind: str
    mean: Sequence[float] = ()
    scale: Sequence[float] = ()

    def outputs(self, logits: Tensor) -> Tensor:
        """Outputs of logits, both (batch, labels)."""
        if self.kind in ("binary", "multilabel"):
            return logits.sigmoid()
        if self.kind == "multiclass":
            return logits.softmax(dim=-1)
        if self.kind == "regression":
            return logits * logits.new_tensor(self.scale) + logits.new_tensor(self.mean)
        return logits

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits of outputs, both (batch, labels); of multiclass up to a constant."""
        if self.kind in ("binary", "multilabel"):
            return torch.logit(outputs, eps=_SMALLEST)
        if self.kind == "multiclass":
            return outputs.clamp(min=_SMALLEST).log()
        if self.kind == "regression":
            return self.standardized(outputs)
        return outputs

    def standardized(self, target: Tensor) -> Tensor:
        """`regression`: targets as the logits are, with mean 0 and deviation 1 in train."""
        return (target - target.new_tensor(self.mean)) / target.new_tensor(self.scale)
