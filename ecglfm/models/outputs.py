"""What the logits of a model mean: probabilities, a quantity in its own unit, or a log hazard ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.config.reference import look_up

#: How the outputs of a record's windows may become the record's.
AGGREGATES = ("mean", "max", "median")
_SMALLEST = 1e-7  # probabilities are kept so far from 0 and 1 where a logit is made of them


@dataclass(frozen=True)
class Link:
    """Between logits and outputs, as the link function of a generalised linear model; here they are the same.

    A kind of task names the class of its own (`TaskKind.link`).

    Attributes
    ----------
    kind : TaskKind
    mean, scale : sequence of float
        Of each label's training targets, where the kind is `standardized`; else empty.
    """

    kind: TaskKind
    mean: Sequence[float] = ()
    scale: Sequence[float] = ()

    def outputs(self, logits: Tensor) -> Tensor:
        """Outputs of logits, both (batch, labels)."""
        return logits

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits of outputs, both (batch, labels), as far as outputs tell them."""
        return outputs


class Logistic(Link):
    """The logistic function of each logit: probabilities of labels that are there or not."""

    def outputs(self, logits: Tensor) -> Tensor:
        """Probabilities."""
        return logits.sigmoid()

    def logits(self, outputs: Tensor) -> Tensor:
        """Log odds."""
        return torch.logit(outputs, eps=_SMALLEST)


class Softmax(Link):
    """Softmax over the labels: probabilities of classes of which a record has exactly one."""

    def outputs(self, logits: Tensor) -> Tensor:
        """Probabilities, which sum to 1."""
        return logits.softmax(dim=-1)

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits up to a constant."""
        return outputs.clamp(min=_SMALLEST).log()


class Standardized(Link):
    """Logit x scale + mean: numbers in their own unit, whose logits have mean 0 and deviation 1 in train."""

    def outputs(self, logits: Tensor) -> Tensor:
        """Numbers."""
        return logits * logits.new_tensor(self.scale) + logits.new_tensor(self.mean)

    def logits(self, outputs: Tensor) -> Tensor:
        """Numbers as the logits are."""
        return (outputs - outputs.new_tensor(self.mean)) / outputs.new_tensor(self.scale)


def link_of(kind: str, mean: Sequence[float] = (), scale: Sequence[float] = ()) -> Link:
    """What the logits of a kind of task mean; `mean` and `scale` as of `Link`."""
    found: type[Link] = look_up(KINDS[kind].link)
    return found(KINDS[kind], mean, scale)
