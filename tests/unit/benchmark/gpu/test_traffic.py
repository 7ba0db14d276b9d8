"""Bytes and operations of a few steps, added up by hand."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.benchmark.gpu.traffic import Traffic
from ecglfm.models.encoders.conformer import ConformerLayer
from tests.unit.architectures import architecture


def meta(*shape: int, dtype: torch.dtype = torch.float32, learns: bool = False) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta", requires_grad=learns)


def found(traffic: Traffic) -> list[tuple[str, int, int]]:
    return [(one.name, one.bytes, one.flops) for one in traffic.operations]


def test_a_linear_layer_and_its_gradients():
    """8 rows of 32 to 16: input 256, weight 512, bias 16, output 128 numbers of 4 bytes."""
    layer = nn.Linear(32, 16, device="meta")
    x = meta(8, 32, learns=True)
    with Traffic() as traffic:
        layer(x).backward(meta(8, 16))
    product = 2 * 8 * 32 * 16
    assert found(traffic) == [
        ("addmm", 4 * (256 + 512 + 16 + 128), product),
        ("mm", 4 * (128 + 512 + 256), product),  # of the input
        ("mm", 4 * (128 + 256 + 512), product),  # of the weight
        ("sum", 4 * (128 + 16), 0),  # of the bias
    ]


@pytest.mark.parametrize(
    ("action", "moved"),
    [
        (lambda x: x.transpose(0, 1)[2:4].view(2, 2, 5), []),  # another look at the same memory
        (lambda x: x.to(torch.bfloat16), [10 * 6 * (4 + 2)]),
        (lambda x: x + x[:1], [(60 + 6 + 60) * 4]),
        (lambda x: x + x[:1].expand(10, 6), [(60 + 6 + 60) * 4]),  # a row is read once
        (lambda x: x.mul_(2), [60 * 4 * 2]),
        (lambda x: x.copy_(x[:1]), [(6 + 60) * 4]),
        (lambda x: x.bernoulli_(0.5), [60 * 4]),
        (lambda x: torch.zeros_like(x), [60 * 4]),
        (lambda x: torch.empty_like(x), []),
        (lambda x: functional.pad(x, (0, 2)), [(80 + 60 + 60) * 4]),  # filled, and then copied
        (lambda x: torch.add(x, x, out=meta(10, 6)), [(60 + 60 + 60) * 4]),
    ],
)
def test_bytes_of_an_operation(action, moved):
    x = meta(10, 6)
    with Traffic() as traffic:
        action(x)
    assert [one.bytes for one in traffic.operations] == moved


def test_what_the_cpu_does_is_not_counted():
    with Traffic() as traffic:
        torch.ones(3) + 1
    assert traffic.operations == []


def test_a_depthwise_convolution_multiplies_within_a_channel():
    """4 records of 6 channels and 20 places, 5 taps: 4 x 6 x 20 outputs of 5 products; backward twice as many."""
    conv = nn.Conv1d(6, 6, 5, padding=2, groups=6, bias=False, device="meta")
    with Traffic() as traffic:
        conv(meta(4, 6, 20, learns=True)).backward(meta(4, 6, 20))
    flops = Counter({one.name: one.flops for one in traffic.operations})
    assert flops["convolution"] == 2 * 4 * 6 * 20 * 5
    assert flops["convolution_backward"] == 2 * 2 * 4 * 6 * 20 * 5


def test_parts_of_a_layer():
    """Forward and backward of one Conformer layer of width 32: each kernel counts for what asked for it."""
    model = architecture(layers=1, dim=32, ffn_dim=64, heads=2, kernel=5, dropout=0.1)
    with torch.device("meta"):
        layer, x = ConformerLayer(model).train(), meta(3, 10, 32, learns=True)
    traffic = Traffic()
    with gpu_rules(traffic.mark), traffic:
        layer(x, meta(19, 32)).sum().backward()
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for one in traffic.operations:
        names[one.part][one.name] += 1
    assert names["norms"]["native_layer_norm"] == names["norms"]["native_layer_norm_backward"] == 5
    assert names["attention kernel"].total() == 2
    # position scores, and their gradients by both factors
    assert names["attention bias"]["bmm"] == 3
    # two in each half feed-forward, q, k, v, out and positions, two pointwise: as many for each gradient; depthwise
    linear = names["matrix products"]["mm"] + names["matrix products"]["addmm"]
    assert linear == 3 * 11 - 1  # the positions want no gradient
    assert names["matrix products"]["convolution"] == names["matrix products"]["convolution_backward"] == 1
    # outputs of the four modules and the backward pass of each
    assert names["residual stream"]["native_dropout"] == names["residual stream"]["native_dropout_backward"] == 4
    assert names["activations"]["silu_backward"] == 3
    assert "casts" not in names
