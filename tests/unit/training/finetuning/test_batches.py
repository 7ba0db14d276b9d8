"""Batches of an epoch: every record once, crops inside, and ranks that share the epoch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

from ecglfm.config import AugmentConfig
from ecglfm.models.augmentation import Augmentation
from ecglfm.training.finetuning.batches import Changes, EpochBatches, FeatureBatches, Shares, iterate
from ecglfm.training.finetuning.labelled import Labelled

LENGTHS = np.array([30, 50, 20, 70, 40, 60, 25, 90, 55, 35])
TRAIN = np.array([0, 1, 2, 3, 5, 7, 8])


class Samples:
    """Signals in which each sample says its record and place: 1000 times the record, and the place, uV."""

    n_samples, leads = LENGTHS, 2

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        places = starts[:, None] + np.arange(length)
        found = np.where(places < LENGTHS[rows][:, None], 1000 * rows[:, None] + places, 0)
        return found[..., None].repeat(2, axis=2).astype(np.int16)


def epoch(number: int = 1, train: np.ndarray = TRAIN, **options: int) -> EpochBatches:
    target = 10.0 * np.arange(10, dtype=np.float32)[:, None]
    data = Labelled(pd.DataFrame(), target, ["a"], train, np.array([4]), Samples(), "multilabel", TRAIN)  # type: ignore[arg-type]
    return EpochBatches(data, **({"length": 30, "batch_size": 3, "seed": 5, "epoch": number} | options))


def test_every_record_once_with_its_own_target_and_a_crop_inside() -> None:
    batches = epoch()
    assert [len(batch.target) for batch in batches] == [3, 3, 1]
    assert sorted(batches.rows) == TRAIN.tolist()
    for number, batch in enumerate(batches):
        rows, starts = (part[3 * number : 3 * number + 3] for part in (batches.rows, batches.starts))
        assert batch.target.flatten().tolist() == (10.0 * rows).tolist()
        signal = batch.inputs[0]  # millivolts, lead first
        np.testing.assert_allclose(signal[:, 0, 0], (1000 * rows + starts) / 1000, rtol=1e-6)
        assert (starts + np.minimum(LENGTHS[rows], 30) <= LENGTHS[rows]).all()
    assert batches.valid.tolist() == [min(30, LENGTHS[row]) for row in batches.rows]  # one of 20 is padded
    with pytest.raises(IndexError):
        batches[3]
    assert batches.batch_bytes == 3 * 30 * 2 * 4


def test_epochs_differ_and_follow_from_the_seed() -> None:
    first, again = epoch(), epoch()
    assert (first.rows.tolist(), first.starts.tolist()) == (again.rows.tolist(), again.starts.tolist())
    assert first.rows.tolist() != epoch(2).rows.tolist() or first.starts.tolist() != epoch(2).starts.tolist()
    read = list(iterate(first, num_workers=0))
    assert all(torch.equal(one.target, other.target) for one, other in zip(read, again, strict=True))


def test_all_patients_have_the_order_and_crops_that_numpy_draws() -> None:
    """As they were before shares had several passes an epoch."""
    rng = np.random.default_rng([5, 2])
    starts = np.floor(rng.random(7) * (np.maximum(LENGTHS[TRAIN] - 30, 0) + 1))
    order = rng.permutation(7)
    assert epoch(2).rows.tolist() == TRAIN[order].tolist()
    assert epoch(2).starts.tolist() == starts[order].tolist()


@pytest.mark.parametrize("kind", ["recordings", "features"])
def test_a_share_passes_over_its_records_until_the_epoch_is_as_long_as_of_all(kind: str) -> None:
    """Three records of seven: epochs of 7 places are the passes 1, 2 and a third of 3; the rest of 3, 4 and 5, and so on."""
    share = TRAIN[[1, 4, 6]]

    def taken(number: int, **ranks: int) -> list[tuple[float, ...]]:
        options = {"batch_size": 2, "seed": 5, "epoch": number, **ranks}
        if kind == "features":
            batches = FeatureBatches(torch.tensor(share)[:, None], torch.zeros(3, 1), places=7, **options)
            return [(row,) for row in share[batches.order]]
        own = epoch(number, share, **{key: value for key, value in options.items() if key != "epoch"})
        assert own.valid.tolist() == np.minimum(LENGTHS[own.rows], 30).tolist()
        assert [len(batch.target) for batch in own] == [len(batch.target) for batch in epoch(number, **options)]
        return list(zip(own.rows, own.starts, strict=True))

    def passed(number: int) -> list[tuple[float, ...]]:
        rng = np.random.default_rng([5, number])
        starts = np.floor(rng.random(3) * (np.maximum(LENGTHS[share] - 30, 0) + 1)) if kind == "recordings" else None
        order = rng.permutation(3)
        return [(share[at],) if starts is None else (share[at], starts[at]) for at in order]

    laid = [place for number in range(1, 13) for place in passed(number)]
    epochs = [taken(number) for number in range(1, 6)]
    assert [len(one) for one in epochs] == [7] * 5
    assert [place for one in epochs for place in one] == laid[:35]
    for places in range(1, 36):
        counts = np.bincount([int(place[0]) for place in laid[:places]], minlength=10)[share]
        assert counts.max() - counts.min() <= 1
    of_ranks = [taken(2, rank=rank, world_size=2) for rank in range(2)]
    assert of_ranks == [epochs[1][0::2], [*epochs[1][1::2], epochs[1][0]]]  # four each: the first once more


def test_every_start_is_reached() -> None:
    starts = {
        int(start) for number in range(400) for row, start in zip(*_rows_and_starts(number), strict=True) if row == 8
    }
    assert starts == set(range(55 - 30 + 1))


def _rows_and_starts(number: int) -> tuple[np.ndarray, np.ndarray]:
    batches = epoch(number)
    return batches.rows, batches.starts


@pytest.mark.parametrize("kind", ["recordings", "features"])
def test_ranks_share_an_epoch_and_have_as_many(kind: str) -> None:
    """Seven of three ranks: two stand twice."""
    features = torch.arange(7.0)[:, None]
    parts = []
    for rank in range(3):
        if kind == "recordings":
            parts.append(epoch(rank=rank, world_size=3).rows)
        else:
            options = {"batch_size": 2, "seed": 0, "epoch": 1, "rank": rank, "world_size": 3}
            batches = FeatureBatches(features, 10 * features, **options)
            assert [len(batch.target) for batch in batches] == [2, 1]
            assert all(torch.equal(batch.target, 10 * batch.inputs[0]) for batch in batches)
            parts.append(batches.order)
    assert [len(part) for part in parts] == [3, 3, 3]
    everything = np.concatenate(parts).tolist()
    assert set(everything) == set(TRAIN.tolist() if kind == "recordings" else range(7))
    assert sorted(everything.count(one) for one in set(everything)) == [1] * 5 + [2] * 2


def test_segments_are_changed_by_their_records_place_in_the_epoch() -> None:
    """Batches of six of one process; of three of each of two ranks, which take every second record."""
    config = TypeAdapter(list[AugmentConfig]).validate_python([{"kind": "gain", "probability": 1.0}])
    augmentation = Augmentation(config, ["I", "II"], 100)
    x, mask = torch.ones(6, 2, 3), torch.ones(6, 3, dtype=torch.bool)

    def changed(epoch: int, number: int, rows: slice, **ranks: int) -> torch.Tensor:
        size = 6 // ranks.get("world_size", 1)
        segments, same = Changes(augmentation, batch_size=size, seed=5, **ranks)(epoch, number, [x[rows], mask[rows]])
        assert same is not None
        assert segments is not None
        return segments

    whole = changed(1, 2, slice(6))
    assert whole[:, 0, 0].unique().numel() == 6
    for rank in range(2):
        assert torch.equal(changed(1, 2, slice(3), rank=rank, world_size=2), whole[rank::2])
    others = (changed(1, 3, slice(6)), changed(2, 2, slice(6)))
    assert not any(torch.isin(other, whole).any() for other in others)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("kind", ["recordings", "features"])
def test_known_labels_of_a_batch_are_those_that_its_ranks_have(kind: str, world_size: int) -> None:
    target = np.random.default_rng(0).choice(np.array([0, 1, np.nan], np.float32), (10, 3))

    def of(rank: int) -> EpochBatches | FeatureBatches:
        ranks = {"batch_size": 2, "seed": 5, "epoch": 2, "rank": rank, "world_size": world_size}
        if kind == "features":
            return FeatureBatches(torch.zeros(10, 1), torch.from_numpy(target), **ranks)
        data = Labelled(pd.DataFrame(), target, ["a"], TRAIN, np.array([4]), Samples(), "multilabel", TRAIN)  # type: ignore[arg-type]
        return EpochBatches(data, length=30, **ranks)

    counts = [[int((~torch.isnan(batch.target)).sum()) for batch in of(rank)] for rank in range(world_size)]
    assert of(0).known.tolist() == of(world_size - 1).known.tolist() == np.sum(counts, axis=0).tolist()


def test_a_batch_counts_as_its_known_labels_among_those_of_its_update() -> None:
    """Three batches an epoch of two ranks, updates of two batches: the second update lies in two epochs."""
    known = {1: np.array([6, 2, 4]), 2: np.array([12, 0, 0])}
    shares = Shares(known.__getitem__, forwards=3, accumulate=2, world_size=2)

    def target(count: int) -> torch.Tensor:
        return torch.tensor([[1.0] * count + [np.nan] * (9 - count)])

    assert [shares(1, 0, target(5)), shares(1, 0, target(1)), shares(1, 1, target(2))] == [4 * 5 / 8, 4 / 8, 4 * 2 / 8]
    assert [shares(1, 2, target(4)), shares(2, 0, target(6))] == [4 * 4 / 16, 4 * 6 / 16]
    assert shares(2, 1, target(0)) == 0  # nothing is known in all of the update: its losses are 0, too
    assert Shares(known.__getitem__, forwards=3, accumulate=1, world_size=1)(1, 0, target(6)) == 1
