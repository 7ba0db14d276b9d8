"""Which patches of a record are hidden, and which are seen: blocks of time and leads.

Each record's are drawn from its own key (`ecglfm.models.pretraining.random`), and how many it hides follows from the
config and its length alone, so the shapes of a step are always the same. Blocks come in a random order of all places
that a block may have, those that reach over an end among them, and hide what is not hidden yet until there are enough;
the last one hides the first patches of its own that it needs. So the last patches of a record, and of its leads, are
hidden a little less often than others: of 20 patches at a share of 0.5 in blocks of 10 each in 0.414 to 0.585 of the
draws, of the 200 of `ecg-jepa-xs` (0.8, 10) in 0.788 to 0.803.

Shapes: b batch, l lines (leads whose patches are drawn apart, or 1), p patches of a line, u patches, h hidden, v seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.config import HiddenConfig
from ecglfm.models.pretraining.random import substream, uniform

_BLOCKS = 0  # what a record's numbers are for


class Places(NamedTuple):
    """Numbers of the patches of each record that are seen, and of those that are hidden, as `PatchEncoder` counts them.

    Attributes
    ----------
    seen_bv, hidden_bh : Tensor of int64, shape (batch, places)
        As many in every record. A shorter one has fewer, and then patches of padding.
    real_seen_bv, real_hidden_bh : Tensor of bool, shape (batch, places), or None
        Which of them are no padding; None: all.
    """

    seen_bv: Tensor
    hidden_bh: Tensor
    real_seen_bv: Tensor | None = None
    real_hidden_bh: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Places:
        """The same with every tensor changed."""
        return Places(*(None if part is None else change(part) for part in self))  # type: ignore[arg-type]


def hidden_of(units: Tensor, share: float) -> Tensor:
    """Units (int64) of so many that are hidden: at least one, and one is left to see."""
    return torch.minimum((units * share).round().long().clamp(min=1), units - 1)


def draw_places(keys_b: Tensor, real_b: Tensor, grid: tuple[int, int], config: HiddenConfig) -> Places:
    """Patches of each record that are seen and hidden.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (batch,)
        On the CPU.
    real_b : Tensor of int64, shape (batch,)
        Real patches of a line of each record, which come first.
    grid : (int, int)
        Lines, and patches of each, of the batch: `PatchEncoder.grid`.
    config : HiddenConfig
        Without `leads` all lines hide the same patches.

    Raises
    ------
    ValueError
        A record has fewer than two units to choose from: nothing could be hidden and something left to see.
    """
    lines, patches = grid
    rows = 1 if config.leads is None else lines
    units_b = rows * real_b
    if int(units_b.min()) < 2:
        raise ValueError(f"a segment has {int(real_b.min())} patches; hiding needs 2: leave such short records out")
    high, long = min(config.leads or 1, rows), min(config.length, patches)
    first_b1lp = uniform(substream(keys_b, _BLOCKS), (rows + high - 1) * (patches + long - 1))
    first_b1lp = first_b1lp.view(-1, 1, rows + high - 1, patches + long - 1)
    turn_blp = -functional.max_pool2d(-first_b1lp, (high, long), stride=1)[:, 0]  # of the first block that hides it
    real_bu = (torch.arange(patches) < real_b[:, None])[:, None].expand(-1, rows, -1).flatten(1)
    rank_bu = (turn_blp.flatten(1) + 2.0 * ~real_bu).argsort(dim=1, stable=True).argsort(dim=1)
    hidden_bu = rank_bu < hidden_of(units_b, config.share)[:, None]
    most = int(hidden_of(torch.tensor(rows * patches), config.share))
    seen_bv = _first(real_bu & ~hidden_bu, ~real_bu, rows * patches - most)
    hidden_bh = _first(hidden_bu, ~real_bu, most)
    offset_l1 = patches * torch.arange(lines // rows)[:, None]  # of lines that hide the same patches
    places = [(units_bv[:, None] + offset_l1).flatten(1) for units_bv in (seen_bv, hidden_bh)]
    if bool(real_bu.all()):
        return Places(*places)
    real = [real_bu.gather(1, units_bv).repeat(1, lines // rows) for units_bv in (seen_bv, hidden_bh)]
    return Places(*places, *real)


def _first(wanted_bu: Tensor, padding_bu: Tensor, count: int) -> Tensor:
    """The first units that are wanted, ascending, and where there are less than so many, of padding."""
    return (~wanted_bu + (~wanted_bu & ~padding_bu).long()).argsort(dim=1, stable=True)[:, :count]
