"""Patches, what is added to tell where they lie, and the scale of the input, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from ecglfm.models.encoders.patches import PatchEmbedding, fixed_positions, grid_positions, normalized
from tests.unit.architectures import small


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_fixed_positions():
    """First half of the width: time; second: lead. In each sines, then cosines, of rates 1 and 1/100 at width 8."""
    added = grid_positions(3, 5, 8, joined=False, like=torch.zeros(0))
    assert added.shape == (3, 5, 8)
    expected = [math.sin(4), math.sin(0.04), math.cos(4), math.cos(0.04), math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)]  # fmt: skip
    torch.testing.assert_close(added[2, 4], torch.tensor(expected))
    together = grid_positions(1, 5, 8, joined=True, like=torch.zeros(0))
    torch.testing.assert_close(together[0, 4], fixed_positions(torch.tensor([4.0]), 8)[0])
    assert grid_positions(3, 5, 8, joined=False, like=torch.zeros(0).bfloat16()).dtype == torch.bfloat16


def test_a_patch_is_a_product_with_its_samples():
    apart, x = PatchEmbedding(3, small("vit")), noise(1, 3, 110)  # the last ten samples are no patch
    weight, bias = apart.linear.weight, apart.linear.bias
    torch.testing.assert_close(apart(apart.cut(x))[0, 2, 3], weight @ x[0, 2, 60:80] + bias)
    together = PatchEmbedding(3, small("vit", tokens="leads"))
    weight, bias = together.linear.weight, together.linear.bias
    torch.testing.assert_close(together(together.cut(x))[0, 0, 3], weight @ x[0, :, 60:80].flatten() + bias)


@pytest.mark.parametrize("masked", [False, True])
def test_the_scale_of_a_record_is_over_all_its_leads(masked):
    x = noise(2, 3, 240) * torch.tensor([1.0, 2.0, 5.0])[:, None] + 3
    real, mask = (100 if masked else 240), torch.ones(2, 240, dtype=torch.bool)
    mask[:, real:] = False
    given = mask if masked else None
    whole = normalized(x, given, "record")[..., :real]
    torch.testing.assert_close(whole.mean((1, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.flatten(1).std(1, correction=0), torch.ones(2))
    part = x[..., :real]
    low, high = part.amin((1, 2), keepdim=True), part.amax((1, 2), keepdim=True)
    torch.testing.assert_close(normalized(x, given, "range")[..., :real], (part - low) / (high - low))
    assert normalized(x, given, "none") is x
    for how in ("record", "range"):
        assert not normalized(torch.full((1, 3, 20), 2.0), None, how).any()  # nothing but a level
