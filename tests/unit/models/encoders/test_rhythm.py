"""The mean beat and what moves it, of signals that are known; rhythm in numbers is in test_statistics.py."""

from __future__ import annotations

import pytest
import torch

from ecglfm.models.encoders.rhythm import ascending, shifted
from tests.unit.models.encoders.test_statistics import RATE, encoder_of


def test_the_mean_beat_is_the_planted_one() -> None:
    """Triangles of 0.1 s, 1 mV high in I and -0.5 mV in II, one a second, on an offset: the beat is that without it."""
    time = torch.arange(10 * RATE) / RATE
    beat = (1 - ((time % 1.0) - 0.5).abs() / 0.05).clamp(min=0)
    _, beat_blk = encoder_of(("I", "II")).describe(torch.stack([beat + 0.3, -0.5 * beat])[None])
    assert beat_blk.shape == (1, 2, 67)
    high = beat_blk[0, 0]
    assert float(high.max()) == pytest.approx(0.92, abs=1e-4)  # the mean at 0, 2, 4, 6 and 8 ms behind the top
    assert int(high.argmax()) == pytest.approx(24, abs=5)  # a beat is where it is steep: within 50 ms of its top
    assert float(high.sum()) / 100 == pytest.approx(0.05, abs=0.002)  # mV s of a triangle
    torch.testing.assert_close(beat_blk[0, 1], -0.5 * high, atol=1e-5, rtol=0)
    assert encoder_of(rate=250).beat_samples() == round(0.42 * 125) + round(0.24 * 125) + 1


def test_what_is_ordered_by_numpy_is_as_torch_orders_it_and_gradients_still_flow() -> None:
    x = torch.randn(3, 4, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ascending(x), x.sort(dim=-1).values)
    learning = x.clone().requires_grad_()
    ascending(learning)[..., -1].sum().backward()
    assert learning.grad is not None
    assert torch.equal(learning.grad.argmax(-1), x.argmax(-1))


def test_shifts_are_those_that_are_written_down() -> None:
    moved = shifted(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), -1, 2)
    assert moved.tolist() == [[[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 0], [3, 4, 0, 0]]]


def test_tensors_without_memory_are_ordered_by_torch() -> None:
    """As `torch.func` and `torch.export` have them, which whoever uses the encoder as a library may call."""
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.func.vmap(ascending)(x), x.sort(dim=-1).values)
