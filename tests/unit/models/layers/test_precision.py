"""In which numbers something is taken under autocast, on a CPU and as a GPU does it."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo import explain

from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.models.layers.precision import at_least_float32, cast_once, in_autocast, in_float32, never, scores


def test_half_precision_becomes_float32_and_nothing_else_does():
    for given, expected in [(torch.bfloat16, torch.float32), (torch.float16, torch.float32)]:
        assert at_least_float32(torch.ones(2, dtype=given)).dtype == expected
    for kept in (torch.float32, torch.float64):
        x = torch.ones(2, dtype=kept)
        assert at_least_float32(x) is x


def test_a_stage_in_float32_gives_what_autocast_takes():
    """257 is no bfloat16: 256 and 258 are."""
    x = torch.tensor([[257.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = in_float32(lambda millivolts: millivolts @ torch.ones(1, 1) - 256, x)
        assert (x @ torch.ones(1, 1) - 256).item() != 1.0
    assert (found.item(), found.dtype) == (1.0, torch.bfloat16)
    assert in_float32(lambda millivolts: millivolts, x) is x


def test_what_several_products_take_is_cast_on_a_gpu_only():
    x, of_gpu = torch.ones(2), torch.ones(2, device="meta")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert cast_once(x) is x
    with gpu_rules():
        assert cast_once(of_gpu) is of_gpu
        with torch.autocast("meta", dtype=torch.bfloat16):
            assert cast_once(of_gpu).dtype == torch.bfloat16


def test_scores_are_float32_under_autocast():
    """255 x 257 is 65,535, and 257 no bfloat16."""
    x, y = torch.tensor([[255.0]]), torch.tensor([[257.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (x @ y).item() != 65535.0
        found = scores(x, y)
        half = scores(x.bfloat16(), y)
    assert (found.item(), found.dtype, half.item()) == (65535.0, torch.float32, 65535.0)
    assert scores(x.double(), y.double()).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_scores_that_have_no_part_stay_finite_in_the_numbers_of_attention(dtype: torch.dtype) -> None:
    """The lowest number of float32 is minus infinity in both halves, and that of float16 with a score below -16."""
    lowest = torch.tensor(never(torch.ones(1, dtype=dtype))).to(dtype)
    assert torch.tensor([lowest, lowest - 100]).isfinite().all()
    assert torch.equal(
        torch.stack([lowest - 100, lowest + 100, lowest * 0]).softmax(0), torch.tensor([0, 0, 1]).to(dtype)
    )
    if dtype != torch.float32:
        with torch.autocast("cpu", dtype=dtype):
            assert never(torch.ones(1)) == lowest


def test_a_compiler_that_cannot_follow_whether_there_is_autocast_makes_one_graph(monkeypatch):
    """As that of torch 2.11."""
    monkeypatch.setattr(torch.amp, "is_autocast_available", torch.compiler.disable(torch.amp.is_autocast_available))
    with torch.autocast("cpu"):
        found = explain(lambda x: in_autocast(x) + never(x))(torch.ones(2))
    assert (found.graph_count, found.break_reasons) == (1, [])
