"""Which patches are hidden: as many as the config says, in blocks, each nearly as often as any other, of real ones only."""

from __future__ import annotations

import pytest
import torch

from ecglfm.config import HiddenConfig
from ecglfm.models.pretraining.blocks import draw_places, hidden_of
from ecglfm.models.pretraining.random import record_keys


def places_of(grid: tuple[int, int], records: int = 3, real: list[int] | None = None, seed: int = 5, **config):
    real_b = torch.full((records,), grid[1]) if real is None else torch.tensor(real)
    return draw_places(record_keys(seed, 0, len(real_b)), real_b, grid, HiddenConfig(**config))


def mask_of(places_bh: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """True where a patch is among them, (records, lines, patches)."""
    mask = torch.zeros(len(places_bh), grid[0] * grid[1], dtype=torch.bool).scatter(1, places_bh, value=True)
    return mask.unflatten(1, grid)


def test_how_many_by_hand() -> None:
    assert hidden_of(torch.tensor([200, 10, 9, 2, 3]), 0.75).tolist() == [150, 8, 7, 1, 2]  # 7.5 is rounded to even
    assert hidden_of(torch.tensor([10]), 0.01).tolist() == [1]


@pytest.mark.parametrize("leads", [None, 2])
def test_every_patch_is_seen_or_hidden_and_as_many_as_is_said(leads) -> None:
    grid = (3, 20)
    places = places_of(grid, share=0.6, length=4, leads=leads)
    assert places.real_seen_bv is None
    assert places.real_hidden_bh is None
    assert (places.seen_bv.shape, places.hidden_bh.shape) == ((3, 24), (3, 36))
    together = torch.cat([places.seen_bv, places.hidden_bh], 1).sort(1).values
    assert torch.equal(together, torch.arange(60).expand(3, -1))
    hidden = mask_of(places.hidden_bh, grid)
    same = bool((hidden == hidden[:, :1]).all())
    assert same == (leads is None)


@pytest.mark.parametrize(("leads", "high"), [(None, 3), (2, 2), (9, 3)])
def test_what_is_hidden_are_blocks(leads, high) -> None:
    """One block is enough: five patches long, but where it reaches over an end, and so many leads high."""
    grid, shapes = (3, 20), set()
    rows = 1 if leads is None else 3
    for seed in range(40):
        hidden = mask_of(places_of(grid, 1, seed=seed, share=5 * (high if rows == 3 else 1) / (20 * rows), length=5,
                                   leads=leads).hidden_bh, grid)[0]  # fmt: skip
        lines, times = hidden.any(1).nonzero().flatten(), hidden.any(0).nonzero().flatten()
        if hidden[lines[0] : lines[-1] + 1, times[0] : times[-1] + 1].all() and len(times) == 5:
            shapes.add((len(lines), int(times[-1] - times[0]) + 1))
    assert shapes == {(high, 5)}


def test_a_patch_at_the_end_is_hidden_as_often_as_one_in_the_middle() -> None:
    hidden = mask_of(places_of((4, 12), 4000, share=0.5, length=5, leads=2).hidden_bh, (4, 12)).float().mean(0)
    assert float((hidden - 0.5).abs().max()) < 0.06  # five deviations are 0.04; the last block's first are favoured


def test_places_are_a_records_own_whatever_it_lies_beside() -> None:
    config = HiddenConfig(length=3, leads=1)
    together = draw_places(record_keys(5, 0, 6), torch.full((6,), 9), (3, 9), config)
    apart = [draw_places(record_keys(5, first, 3), torch.full((3,), 9), (3, 9), config) for first in (0, 3)]
    for number in (0, 1):
        assert torch.equal(together[number], torch.cat([half[number] for half in apart]))
    assert not torch.equal(together.hidden_bh[0], together.hidden_bh[1])


@pytest.mark.parametrize("leads", [None, 1])
def test_a_shorter_record_hides_the_same_share_of_what_is_real(leads) -> None:
    grid, real = (2, 12), [12, 6, 2]
    places = places_of(grid, real=real, share=0.75, length=2, leads=leads)
    assert (places.seen_bv.shape, places.hidden_bh.shape) == ((3, 6), (3, 18))
    assert places.real_seen_bv.sum(1).tolist() == [6, 4 if leads is None else 3, 2 if leads is None else 1]
    assert places.real_hidden_bh.sum(1).tolist() == [18, 8 if leads is None else 9, 2 if leads is None else 3]
    for row, length in enumerate(real):
        for at, is_real in ((places.seen_bv, places.real_seen_bv), (places.hidden_bh, places.real_hidden_bh)):
            assert torch.equal(at[row] % 12 < length, is_real[row])
        both = torch.cat(
            [places.seen_bv[row][places.real_seen_bv[row]], places.hidden_bh[row][places.real_hidden_bh[row]]]
        )
        assert sorted(both.tolist()) == [12 * line + time for line in range(2) for time in range(length)]
        assert len(set(places.seen_bv[row].tolist())) == 6


def test_a_record_with_nothing_to_choose_is_an_error() -> None:
    with pytest.raises(ValueError, match="a segment has 1 patches; hiding needs 2"):
        places_of((3, 5), real=[5, 1])
    assert places_of((3, 5), real=[5, 1], leads=1).real_hidden_bh[1].sum() == 2
