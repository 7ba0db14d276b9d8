"""An exponential moving average of weights: smoother than the last ones, for the price of a copy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class EMA:
    """Average of a module's weights and running statistics over the updates, float32, where the module lies.

    Parameters
    ----------
    module : nn.Module
        Whole on every rank (ZeRO 0 to 2). The average begins with its present weights.
    decay : float
        Below 1. In update n it is at most (1 + n) / (10 + n), so that the random beginning is soon forgotten
        (as TensorFlow's `tf.train.ExponentialMovingAverage` with `num_updates`).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.average = {name: _float(value).clone() for name, value in module.state_dict().items()}

    def update(self, step: int) -> None:
        """Take in the weights after update number `step`, the first is 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        averages, values = [], []
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                averages.append(self.average[name])
                values.append(_float(value))
            else:  # a counter
                self.average[name].copy_(value)
        torch._foreach_lerp_(averages, values, weight)

    def state_dict(self) -> dict[str, Tensor]:
        """The average by the module's own names; the tensors are not copied."""
        return self.average

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from an average that was saved."""
        for name, value in self.average.items():
            value.copy_(state[name])


def _float(value: Tensor) -> Tensor:
    return value.detach().float() if value.is_floating_point() else value.detach()
