"""The order of the patients in an epoch: shuffled one by one, or in blocks of neighbours on disk.

Both are functions of (seed, epoch) alone: any batch of any epoch can be made directly.

A full shuffle reads every recording from another place. With blocks, patients are cut, in the order of the
disk, into blocks of `block` neighbours; the blocks are shuffled, and the patients inside each; the list is
then folded into `size` slots, and place `s` of every batch walks through slot `s`:

    list    [ block 7 | block 2 | block 9 | block 4 | block 0 | block 5 ]
    slot      0 . . . . . . . 1 . . . . . . . . . 2 . . . . . . . . . .
    batch 0   x               x                   x
    batch 1     x               x                   x

So each slot reads one contiguous run after the other, while a batch is drawn from `size` different places:
neighbours meet in one batch only where an epoch has fewer batches than a block has patients. What is lost:
neighbours follow each other in successive batches, so the composition of batches drifts over `block` batches
where neighbours resemble each other (a hospital, a year). See docs/performance-notes.md for figures.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

# Updates between the advice to read a block and its first use.
_LEAD = 2
_NOBODY = np.empty(0, np.int64)


class Order(Protocol):
    """What `PretrainBatches` asks for; `slots` are places in the global batch `index` of an epoch."""

    def patients(self, epoch: int, index: int, slots: range) -> np.ndarray:
        """Patients at these places; in an epoch each patient stands at one place at most."""

    def ahead(self, epoch: int, index: int, slots: range) -> np.ndarray:
        """Patients to read ahead when this batch is made."""


class InOrder:
    """The order of the patients' names, always; for validation."""

    def __init__(self, *, size: int) -> None:
        self._size = size

    def patients(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        return index * self._size + np.arange(slots.start, slots.stop)

    def ahead(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        return _NOBODY


class Shuffled:
    """Another permutation of all patients in every epoch; arguments as `BlockShuffled`."""

    def __init__(self, patients: int, *, size: int, key: list[int]) -> None:
        self._count, self._size, self._key = patients, size, key
        self._epoch: tuple[int, np.ndarray] | None = None

    def patients(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, np.random.default_rng([*self._key, epoch]).permutation(self._count))
        first = index * self._size
        return self._epoch[1][first + slots.start : first + slots.stop]

    def ahead(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        return _NOBODY


class BlockShuffled:
    """Blocks of neighbours, folded into slots (see the top of this file).

    Parameters
    ----------
    on_disk : ndarray of int
        Patients in the order in which their recordings lie on disk.
    block : int
        Patients in a block; the last one may be smaller.
    size : int
        Pairs in a global batch.
    key : list of int
        Seed of the generators.
    """

    def __init__(self, on_disk: np.ndarray, *, block: int, size: int, key: list[int]) -> None:
        self._on_disk, self._block, self._key = on_disk, block, key
        self._updates = len(on_disk) // size
        self._epoch: tuple[int, np.ndarray, np.ndarray] | None = None

    def patients(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        listed, _ = self._list(epoch)
        return listed[np.arange(slots.start, slots.stop) * self._updates + index]

    def ahead(self, epoch: int, index: int, slots: range) -> np.ndarray:
        """The rest of each block that begins soon in one of the slots; at the start of an epoch, of the first too."""
        listed, edges = self._list(epoch)
        begins = np.arange(slots.start, slots.stop) * self._updates
        ends = begins + self._updates
        soon = begins + index + _LEAD
        first = np.searchsorted(edges, soon if index else begins)
        last = np.searchsorted(edges, soon, side="right")
        parts = [
            listed[edges[k] : min(edges[k + 1], end)]
            for low, high, end in zip(first.tolist(), last.tolist(), ends.tolist(), strict=True)
            for k in range(low, min(high, len(edges) - 1))
        ]
        if index == 0:
            parts += [listed[b : min(edges[k], end)] for b, k, end in zip(begins, first, ends, strict=True)]
        return np.concatenate(parts) if parts else _NOBODY

    def _list(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Patients block after block, and where each block begins (and the last one ends)."""
        if self._epoch is None or self._epoch[0] != epoch:
            rng = np.random.default_rng([*self._key, epoch])
            count = -(-len(self._on_disk) // self._block)
            place = np.repeat(rng.permutation(count), self._block)[: len(self._on_disk)]
            order = np.lexsort((rng.random(len(place)), place))
            sizes = np.bincount(place, minlength=count)
            self._epoch = (epoch, self._on_disk[order], np.r_[0, np.cumsum(sizes)])
        return self._epoch[1], self._epoch[2]
