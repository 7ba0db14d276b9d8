"""Relative attention: the shift, and the two ways in which it is worked out."""

from __future__ import annotations

import math

import pytest
import torch

from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.benchmark.gpu.traffic import Traffic
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


@pytest.mark.parametrize("fused", [False, True])
def test_a_record_of_padding_only_is_finite_in_half_precision(monkeypatch, fused):
    """By the formula, which PyTorch's kernels need not follow: some have no answer where all scores are infinite."""

    def formula(query, key, value, *, attn_mask, dropout_p):
        return (query @ key.mT / query.shape[-1] ** 0.5 + attn_mask).softmax(-1) @ value

    monkeypatch.setenv(SWITCH, "0")
    monkeypatch.setattr(attention, "_fused", lambda x: fused)
    monkeypatch.setattr(attention.functional, "scaled_dot_product_attention", formula)
    query, position, bias = (torch.full(shape, 6.0, dtype=torch.half) for shape in ((2, 3, 4), (5, 4), (1, 4)))
    found = attention.attend(query, -query, query, 0 * position, bias, bias, torch.tensor([[True] * 3, [False] * 3]))
    torch.testing.assert_close(found, query, rtol=1e-2, atol=0)


@pytest.mark.parametrize("frames", [1, 3, 8, 13])
@pytest.mark.parametrize("masked", [False, True])
def test_a_gpu_attends_as_a_cpu_does(monkeypatch, frames, masked):
    """Its bias is made in another way; here the way is taken on a CPU, where the numbers can be compared."""
    torch.manual_seed(0)
    monkeypatch.setenv(SWITCH, "0")
    shapes = [(3, frames, 12)] * 3 + [(2 * frames - 1, 12), (2, 6), (2, 6)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    mask = torch.arange(frames) < torch.tensor([[frames], [max(1, frames - 2)], [0]]) if masked else None
    weight = torch.randn(3, frames, 12, dtype=torch.float64)

    def outcome() -> tuple[torch.Tensor, ...]:
        y = attention.attend(*inputs, mask)
        real = y if mask is None else y * mask.any(1)[:, None, None]  # the last has nothing to attend to
        return y, *torch.autograd.grad((real * weight).sum(), inputs)

    plain = outcome()
    monkeypatch.setattr(attention, "_fused", lambda x: True)
    torch.testing.assert_close(outcome(), plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("frames", [3, 8, 156])
def test_rows_of_the_bias_of_a_gpu_are_aligned(frames):
    bias = attention.aligned_bias(torch.randn(2, frames, 8), torch.randn(2 * frames - 1, 8), torch.randn(2, 4), None)
    assert bias.shape == (2, 2, frames, frames)
    assert [step % 8 for step in (*bias.stride()[:3], bias.storage_offset())] == [0, 0, 0, 0]
    assert bias.stride(3) == 1


def test_pytorch_does_not_copy_the_bias_of_a_gpu():
    """4 x 2 x 156 x 156 scores; only the table of positions is padded, by one row of 311."""
    inputs = [torch.empty(4, 156, 16, device="meta", requires_grad=True) for _ in range(3)]
    inputs += [torch.empty(shape, device="meta", requires_grad=True) for shape in ((311, 16), (2, 8), (2, 8))]
    traffic = Traffic()
    with gpu_rules(traffic.mark), traffic:
        attention.attend(*inputs).sum().backward()
    padded = [one.bytes for one in traffic.operations if one.name == "constant_pad_nd"]
    assert padded == [4 * 16 * (312 + 311 + 311), 4 * 16 * (311 + 312 + 312)]  # and its gradient
    large = [one.name for one in traffic.operations if one.bytes > 4 * 2 * 156 * 156 * 4]
    kernels = ("_scaled_dot_product_efficient_attention", "_scaled_dot_product_efficient_attention_backward")
    assert sorted(large) == sorted([*kernels, "bmm", "clone", "new_zeros", "copy_", "bmm", "bmm"])
