"""Relative attention: the shift, and the two ways in which it is worked out."""

from __future__ import annotations

import math

import pytest
import torch

from ecglfm.models.layers.attention import RelativeAttention, sinusoids
from ecglfm.models.layers.fast import attention
from ecglfm.models.layers.fast.choice import SWITCH


def test_shift_by_formula():
    scores = torch.randn(2, 3, 4, 7, requires_grad=True)
    shifted = attention.relative_shift(scores)
    for i in range(4):
        for j in range(4):
            assert torch.equal(shifted[..., i, j], scores[..., i, 3 - i + j])
    shifted.sum().backward()
    assert scores.grad.sum() == 2 * 3 * 16  # every score that is used, once


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_relative_shift_has_a_second_form_for_export(monkeypatch, frames):
    scores = torch.randn(2, 3, frames, 2 * frames - 1)
    monkeypatch.setattr(attention, "exporting", lambda: True)
    shifted = attention.relative_shift(scores)
    for i in range(frames):
        assert torch.equal(shifted[:, :, i], scores[:, :, i, frames - 1 - i : 2 * frames - 1 - i])


@pytest.mark.parametrize("together", [1, 2, 5], ids=lambda n: f"{n} records together")
@pytest.mark.parametrize("masked", [False, True])
def test_training_attends_as_pytorch_does(monkeypatch, together, masked):
    """Also where the last portion of the batch is smaller than the others."""
    batch, frames, dim, heads = 5, 7, 12, 3
    monkeypatch.setattr(attention, "_TOGETHER", together * heads * frames * frames)
    torch.manual_seed(0)
    layer = RelativeAttention(dim, heads=heads, dropout=0.0).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x, positions = torch.randn(batch, frames, dim, dtype=torch.float64), sinusoids(frames, dim).double()
    mask = torch.arange(frames) < torch.tensor([[7], [4], [1], [7], [2]]) if masked else None
    weight, norm = torch.randn(batch, frames, dim, dtype=torch.float64), torch.nn.LayerNorm(dim).double()

    def outcome() -> tuple[torch.Tensor, ...]:
        of = x.clone().requires_grad_()
        y = layer(of, positions, mask, norm=norm)
        return y, *torch.autograd.grad((y * weight).sum(), (of, *layer.parameters()))

    ours = outcome()
    monkeypatch.setenv(SWITCH, "0")  # takes the way of PyTorch's attention
    torch.testing.assert_close(ours, outcome(), rtol=1e-9, atol=1e-11)


def test_training_drops_attention_weights():
    """Against the formula with the same draws; the gradients against finite differences."""
    torch.manual_seed(0)
    batch, frames, dim, heads, probability = 2, 5, 6, 2, 0.4
    shapes = [(batch, frames, dim)] * 3 + [(2 * frames - 1, dim), (heads, dim // heads), (heads, dim // heads)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def attend(*tensors: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return attention._Attend.apply(*tensors, None, probability)

    assert torch.autograd.gradcheck(attend, inputs)
    query, key, value, position, u, v = inputs
    torch.manual_seed(1)
    keep = attention.keep_mask(torch.empty(batch, heads, frames, frames), probability)
    for b in range(batch):
        for h in range(heads):
            part = slice(3 * h, 3 * h + 3)
            for i in range(frames):
                score = [
                    (query[b, i, part] + u[h]) @ key[b, j, part]
                    + (query[b, i, part] + v[h]) @ position[frames - 1 - i + j, part]
                    for j in range(frames)
                ]
                weights = torch.stack(score).div(math.sqrt(3)).softmax(0) * keep[b, h, i] / (1 - probability)
                torch.testing.assert_close(attend(*inputs)[b, i, part], weights @ value[b, :, part])


def test_training_keeps_nothing_of_the_size_of_the_weights_but_them():
    sizes: list[int] = []
    layer, x = RelativeAttention(8, heads=2, dropout=0.0), torch.randn(3, 40, 8)

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x, sinusoids(40, 8), norm=torch.nn.LayerNorm(8))
    assert [size for size in sizes if size > x.numel()] == [3 * 2 * 40 * 40]
