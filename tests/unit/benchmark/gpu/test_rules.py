"""What PyTorch does on CUDA, done on the device `meta`: numbers of each function, kernels, and PyTorch as it was before."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.benchmark.gpu.traffic import Traffic
from ecglfm.models.layers import AUTOCAST, in_float32


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def test_numbers_under_autocast():
    """As https://docs.pytorch.org/docs/stable/amp.html lists them for CUDA."""
    x, half = meta(4, 8), meta(4, 8, dtype=torch.bfloat16)
    with gpu_rules(), torch.autocast("meta", dtype=torch.bfloat16):
        assert functional.linear(x, meta(3, 8)).dtype == (x @ x.T).dtype == torch.bfloat16
        assert functional.layer_norm(half, (8,)).dtype == half.softmax(-1).dtype == torch.float32
        assert functional.silu(half).dtype == torch.bfloat16
        assert (half + x).dtype == torch.float32  # the wider of both
        assert in_float32(lambda signal: functional.conv1d(signal, meta(2, 4, 3)), x).dtype == torch.bfloat16
        with torch.autocast("meta", enabled=False):
            assert functional.linear(x, meta(3, 8)).dtype == torch.float32
    with gpu_rules():
        assert functional.linear(x, meta(3, 8)).dtype == torch.float32


def test_the_first_product_of_millivolts_is_in_float32():
    with gpu_rules(), torch.autocast("meta", dtype=torch.bfloat16), Traffic() as traffic:
        in_float32(lambda signal: signal @ meta(8, 3), meta(4, 8))
    assert [(one.name, one.dtype) for one in traffic.operations] == [
        ("mm", torch.float32),
        ("_to_copy", torch.float32),
    ]


def test_a_weight_is_cast_once_and_again_where_it_is_computed_again():
    layer = nn.Linear(8, 8, device="meta")
    x = meta(4, 8).requires_grad_()

    def casts(action) -> int:
        with gpu_rules(), Traffic() as traffic:
            with torch.autocast("meta", dtype=torch.bfloat16):
                out = action()
            out.sum().backward()
        return sum(one.name == "_to_copy" and one.bytes == 64 * 6 for one in traffic.operations)

    # forward once, and the gradient back to float32 once
    assert casts(lambda: layer(layer(x))) == 2
    # and with the second forward, whose casts are its own
    assert casts(lambda: checkpoint(lambda y: layer(layer(y)), x, use_reentrant=False)) == 3


@pytest.mark.parametrize(("keys", "copies"), [(16, 0), (12, 1)])
def test_a_bias_of_unaligned_rows_is_padded(keys, copies):
    """Of 12 keys to 16, filled and copied: 2 x 3 x 5 rows."""
    q, k = meta(2, 3, 5, 4), meta(2, 3, keys, 4)
    with gpu_rules(), Traffic() as traffic:
        functional.scaled_dot_product_attention(q, k, k, attn_mask=meta(2, 3, 5, keys))
    names = [one.name for one in traffic.operations]
    assert names == ["constant_pad_nd"] * copies + ["_scaled_dot_product_efficient_attention"]
    attention = traffic.operations[-1]
    assert attention.flops == 2 * (2 * 3) * 5 * keys * (4 + 4)
    if copies:
        assert traffic.operations[0].bytes == 4 * 30 * (16 + 12 + 12)


def test_dropout_is_one_kernel_that_writes_a_mask():
    with gpu_rules(), Traffic() as traffic:
        functional.dropout(meta(10, 6), 0.1)
        functional.dropout(meta(10, 6), 0.1, training=False)
    assert [(one.name, one.bytes) for one in traffic.operations] == [("native_dropout", 60 * (4 + 4 + 1))]


def test_pytorch_is_as_it_was_afterwards():
    names, devices = ("autocast", "is_autocast_enabled", "get_autocast_dtype"), set(AUTOCAST)
    before = [getattr(torch, name) for name in names] + [torch.amp.autocast, torch.amp.is_autocast_available]

    def fail() -> None:
        with gpu_rules():
            assert torch.autocast is not before[0]
            assert devices < AUTOCAST
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert devices == AUTOCAST
    assert before == [getattr(torch, name) for name in names] + [torch.amp.autocast, torch.amp.is_autocast_available]
