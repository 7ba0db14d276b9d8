"""Sums that cross ranks and let gradients back: what makes a training on several ranks one on all their records.

The convention of every function here: the loss is the mean of the ranks' losses, as DeepSpeed averages gradients
over ranks. A value that went to every rank therefore gets the sum of every rank's gradient back. With one process
all of them return what they are given.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def ranks() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def group_rank() -> int:
    """Number of this process among them."""
    return dist.get_rank() if ranks() > 1 else 0


def _changed(result: Tensor) -> Tensor:
    """What a `forward` has changed in place, to be returned: compiled by torch 2.11, itself would have no gradient."""
    return result.view_as(result)


class _Sum(torch.autograd.Function):
    """All-reduce; the gradient is summed over the ranks, too."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return _changed(total)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(_ctx, gradient)


class _Gather(torch.autograd.Function):
    """All-gather along the first dimension; each rank gets the sum of all ranks' gradients of its rows."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        everything = x.new_empty((ranks() * x.shape[0], *x.shape[1:]))
        dist.all_gather_into_tensor(everything, x.contiguous())
        return _changed(everything)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(ranks())[group_rank()]


def mean_over_ranks(x: Tensor) -> Tensor:
    """Mean of a tensor over the ranks, element by element; every rank must ask, with the same shape."""
    return x if ranks() == 1 else _Sum.apply(x) / ranks()


def gather_rows(x: Tensor) -> Tensor:
    """Rows of all ranks, rank after rank; every rank must ask, with the same shape.

    Parameters
    ----------
    x : Tensor, shape (n, ...)

    Returns
    -------
    Tensor, shape (ranks * n, ...)
    """
    return x if ranks() == 1 else _Gather.apply(x)
