"""Sums over ranks and what their gradients must be, with another rank that is played: its tensors are known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from ecglfm.models.layers import collectives
from ecglfm.models.layers.collectives import gather_rows, group_rank, mean_over_ranks, ranks


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is rank 1; whatever it holds, rank 0 holds ten times as much."""

    def all_reduce(total: torch.Tensor) -> None:
        total += 10 * total.clone()

    def all_gather(everything: torch.Tensor, own: torch.Tensor) -> None:
        everything.copy_(torch.cat([10 * own, own]))

    monkeypatch.setattr(collectives.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(collectives.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(collectives.dist, "get_rank", lambda: 1)
    monkeypatch.setattr(collectives.dist, "all_reduce", all_reduce)
    monkeypatch.setattr(collectives.dist, "all_gather_into_tensor", all_gather)


def test_alone_everything_is_what_it_was() -> None:
    x = torch.randn(3, 2)
    assert (ranks(), group_rank()) == (1, 0)
    assert mean_over_ranks(x) is x
    assert gather_rows(x) is x


@pytest.fixture(params=["called", "compiled"])
def called(request: pytest.FixtureRequest) -> Callable[..., Callable[[torch.Tensor], torch.Tensor]]:
    """What `pretrain.compile` makes of a layer that asks other ranks; torch 2.11 loses gradients there, if it can."""
    return partial(torch.compile, backend="aot_eager") if request.param == "compiled" else lambda function: function


@pytest.mark.usefixtures("second_of_two")
def test_a_mean_and_its_gradient(called: Callable) -> None:
    assert (ranks(), group_rank()) == (2, 1)
    x = torch.tensor([2.0, 4.0], requires_grad=True)
    mean = called(mean_over_ranks)(x)
    assert mean.tolist() == [11.0, 22.0]  # (20 + 2) / 2, (40 + 4) / 2
    assert x.tolist() == [2.0, 4.0]
    mean.backward(torch.tensor([1.0, 3.0]))
    # half of the sum of both ranks' gradients, of which rank 0's are ten times ours
    assert x.grad.tolist() == [5.5, 16.5]


@pytest.mark.usefixtures("second_of_two")
def test_rows_of_all_ranks_and_their_gradient(called: Callable) -> None:
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    everything = called(gather_rows)(x)
    assert everything.flatten().tolist() == [10, 20, 1, 2]
    everything.backward(torch.tensor([[100.0], [200.0], [3.0], [4.0]]))
    assert x.grad.flatten().tolist() == [33, 44]  # ours are the last two rows; 11 times what we ask
