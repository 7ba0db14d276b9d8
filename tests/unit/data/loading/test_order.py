"""Orders of an epoch: every patient once, keyed by the epoch, in blocks that are read in one run."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.data.loading.order import BlockShuffled, Shuffled


def epoch(order, number, *, size, updates):
    """Patients of an epoch, shape (updates, size)."""
    return np.stack([order.patients(number, index, range(size)) for index in range(updates)])


# Neighbours on disk are 0, 7, 14, 21, ... modulo 103: their numbers say nothing about their places.
ON_DISK = np.arange(103) * 7 % 103


@pytest.mark.parametrize(
    "order", [Shuffled(103, size=10, key=[5, 1]), BlockShuffled(ON_DISK, block=4, size=10, key=[5, 1])]
)
def test_a_patient_stands_once_in_an_epoch_and_elsewhere_in_the_next(order):
    first, second = (epoch(order, number, size=10, updates=10) for number in (0, 1))
    for patients in (first, second):
        assert len(set(patients.ravel().tolist())) == 100
        assert set(patients.ravel().tolist()) <= set(range(103))
    assert (first != second).mean() > 0.9
    np.testing.assert_array_equal(epoch(order, 0, size=10, updates=10), first)  # whatever was asked for before
    np.testing.assert_array_equal(order.patients(1, 3, range(4, 7)), second[3, 4:7])


def test_a_slot_walks_through_one_block_after_the_other():
    place = np.empty(103, int)
    place[ON_DISK] = np.arange(103)
    patients = epoch(BlockShuffled(ON_DISK, block=4, size=10, key=[0]), 2, size=10, updates=10)
    blocks = place[patients] // 4
    changes = (blocks[1:] != blocks[:-1]).sum(axis=0)
    assert changes.max() <= 3  # 10 patients are parts of at most 4 blocks of 4 (or 5 parts with the small last one)
    for slot in blocks.T:
        runs = slot[np.r_[True, slot[1:] != slot[:-1]]]
        assert len(set(runs.tolist())) == len(runs)  # never back to a block
    # No two of a block in a batch: a block is shorter than an epoch is long, and lies in one slot or two.
    assert all(len(set(batch.tolist())) >= 9 for batch in blocks)
    # Blocks, and patients inside blocks, are shuffled.
    assert (np.abs(np.diff(blocks, axis=0)) > 1).any()
    inside = (np.diff(place[patients], axis=0))[blocks[1:] == blocks[:-1]]
    assert 0.3 < (inside < 0).mean() < 0.7


@pytest.mark.parametrize("block", [2, 4, 30, 1000])
def test_every_patient_is_read_ahead_once_and_in_time(block):
    order = BlockShuffled(ON_DISK, block=block, size=10, key=[3])
    for slots in (range(10), range(3, 7)):
        ready = []
        for index in range(10):
            if index:  # what is new now was asked for with an earlier batch
                assert set(order.patients(1, index, slots).tolist()) <= set(ready)
            ready += order.ahead(1, index, slots).tolist()
            assert set(order.patients(1, index, slots).tolist()) <= set(ready)
        assert len(ready) == len(set(ready)) == 10 * len(slots)


def test_blocks_are_read_as_runs():
    order = BlockShuffled(np.arange(4000), block=20, size=8, key=[3])
    runs = []
    for index in range(1, 500):
        asked = np.sort(order.ahead(0, index, range(8)))
        runs += np.split(asked, np.flatnonzero(np.diff(asked) > 1) + 1) if len(asked) else []
    assert np.mean([len(run) for run in runs]) > 19
