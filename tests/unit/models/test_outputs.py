"""Logits and outputs of every kind of task, by hand and there and back."""

from __future__ import annotations

import math

import pytest
import torch

from ecglfm.models.outputs import link_of

LOG3 = math.log(3)


@pytest.mark.parametrize(
    ("kind", "logits", "outputs"),
    [
        ("binary", [[LOG3], [0.0]], [[0.75], [0.5]]),
        ("multilabel", [[LOG3, -LOG3]], [[0.75, 0.25]]),
        ("multiclass", [[LOG3, 0.0]], [[0.75, 0.25]]),
        ("multiclass", [[LOG3 + 5, 5.0]], [[0.75, 0.25]]),  # a constant in all logits says nothing
        ("survival", [[LOG3, -2.0]], [[LOG3, -2.0]]),
    ],
)
def test_by_hand_and_back(kind: str, logits: list[list[float]], outputs: list[list[float]]) -> None:
    link = link_of(kind)
    torch.testing.assert_close(link.outputs(torch.tensor(logits)), torch.tensor(outputs))
    torch.testing.assert_close(link.outputs(link.logits(torch.tensor(outputs))), torch.tensor(outputs))


def test_quantities_are_in_their_own_unit() -> None:
    link = link_of("regression", [60.0, 1.0], [10.0, 0.5])
    logits, years = torch.tensor([[0.0, 2.0], [-1.5, -2.0]]), torch.tensor([[60.0, 2.0], [45.0, 0.0]])
    torch.testing.assert_close(link.outputs(logits), years)
    torch.testing.assert_close(link.logits(years), logits)


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_certain_probabilities_have_finite_logits(kind: str) -> None:
    logits = link_of(kind).logits(torch.tensor([[1.0, 0.0]]))
    assert logits.isfinite().all()
    assert logits[0, 0] > logits[0, 1] + 15
