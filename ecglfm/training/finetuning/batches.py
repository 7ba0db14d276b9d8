"""The batches of an epoch of fine-tuning.

Every random choice is a function of (seed, epoch), never of the number of loader processes.

An epoch of a share of the patients has as many places as one of all, in several passes over its records: one pass would
be a tenth of the updates, and what begins with random weights would stop before it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from ecglfm.data.loading import load
from ecglfm.models.augmentation import Augmentation
from ecglfm.models.pretraining import record_keys
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.inference import model_input
from ecglfm.training.schedule import seed_of

_AUGMENT = 1 << 20  # what a seed is for: no number of an epoch, of which dropout's are made


class Batch(NamedTuple):
    """One forward: what the module is called with, and the labels."""

    inputs: tuple[torch.Tensor | None, ...]
    target: torch.Tensor


def places_of_epoch(draw: Callable[[int], np.ndarray], *, records: int, places: int, epoch: int) -> np.ndarray:
    """What an epoch takes, where passes over the records are laid end to end and each epoch is the next so many places.

    Each record is taken equally often, within one, up to any place; with as many places as records an epoch is a pass.

    Parameters
    ----------
    draw : callable
        Number of a pass, from 1 -> its records in their order, shape (records, …).
    records, places : int
        Of a pass, and of an epoch.
    epoch : int

    Returns
    -------
    ndarray, shape (places, …)
    """
    first = (epoch - 1) * places
    before, end = first // records, -(-(first + places) // records)
    passes = np.concatenate([draw(number + 1) for number in range(before, end)])
    return passes[first - before * records :][:places]


class EpochBatches(Dataset[Batch]):
    """The batches of one epoch: random crops of training records in random order, as many as all patients have records.

    Of all patients that is one crop of each.

    Parameters
    ----------
    data : Labelled
    length : int
        Samples of a crop.
    batch_size : int
        Records of a batch; the last one may be smaller.
    seed, epoch : int
        All the randomness there is.
    rank, world_size : int
        Each rank takes every `world_size`-th record of the order; the first records are repeated so that
        all ranks have as many.
    """

    def __init__(
        self, data: Labelled, *, length: int, batch_size: int, seed: int, epoch: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.data, self.length, self.batch_size = data, length, batch_size
        records, places = len(data.train), len(data.all_train)
        n_samples = data.signals.n_samples[data.train]

        def draw(number: int) -> np.ndarray:
            rng = np.random.default_rng([seed, number])
            starts = np.floor(rng.random(records) * (np.maximum(n_samples - length, 0) + 1)).astype(np.int64)
            order = rng.permutation(records)
            return np.stack([order, starts[order]], axis=1)

        drawn = places_of_epoch(draw, records=records, places=places, epoch=epoch)
        self._drawn, self._world_size = drawn[:, 0], world_size
        mine, self.starts = drawn[_own(places, rank, world_size)].T
        self.rows = data.train[mine]
        self.valid = np.minimum(n_samples[mine], length)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    @property
    def known(self) -> np.ndarray:
        """Known labels of each batch, of all ranks together, (batches,)."""
        known = (~np.isnan(self.data.target[self.data.train])).sum(axis=1)
        return _by_batch(known[self._drawn], self.batch_size, self._world_size)

    @property
    def batch_bytes(self) -> int:
        """Size of a batch: float32 samples."""
        return self.batch_size * self.length * self.data.signals.leads * 4

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        batch = slice(index * self.batch_size, (index + 1) * self.batch_size)
        rows = self.rows[batch]
        crops = self.data.signals.crops(rows, self.starts[batch], self.length)
        return Batch(model_input(crops, self.valid[batch]), torch.from_numpy(self.data.target[rows]))


def _own(places: int, rank: int, world_size: int) -> np.ndarray:
    """Places of a rank: every `world_size`-th; the first ones come once more, so that all ranks have as many."""
    return np.resize(np.arange(places), -(-places // world_size) * world_size)[rank::world_size]


def _by_batch(places_n: np.ndarray, batch_size: int, world_size: int) -> np.ndarray:
    """Sums of numbers at the places of an epoch over the batches of all ranks, as `_own` deals them out."""
    dealt = np.resize(places_n, -(-len(places_n) // world_size) * world_size)
    return np.add.reduceat(dealt, np.arange(0, len(dealt), batch_size * world_size))


class Shares:
    """What each batch of an update counts, so that its loss is the mean over the known labels of all its batches.

    Each batch's own loss is a mean, and what comes of them is their plain mean: one with few known labels would count
    as much as one with many.

    Parameters
    ----------
    known : callable
        Epoch -> known labels of each of its batches, of all ranks together, (batches,).
    forwards : int
        Batches of an epoch.
    accumulate, world_size : int
        Batches of an update, one after the other and side by side.
    """

    def __init__(self, known: Callable[[int], np.ndarray], *, forwards: int, accumulate: int, world_size: int) -> None:
        self._known, self._forwards = cache(known), forwards
        self._accumulate, self._parts = accumulate, accumulate * world_size

    def __call__(self, epoch: int, number: int, target: torch.Tensor) -> float:
        """By what the loss of batch `number` of an epoch is multiplied on the rank that has these labels of it."""
        if self._parts == 1:
            return 1.0
        place = (epoch - 1) * self._forwards + number
        first = place - place % self._accumulate
        all_known = [
            self._known(1 + one // self._forwards)[one % self._forwards]
            for one in range(first, first + self._accumulate)
        ]
        own = int((~torch.isnan(target)).sum())
        return self._parts * own / max(int(sum(all_known)), 1)


class Changes:
    """Changes of the training segments of a fit, each by its record's place in the order of the epoch.

    Parameters
    ----------
    augmentation : Augmentation
    batch_size, seed, rank, world_size : int
        As in `EpochBatches`.
    """

    def __init__(
        self, augmentation: Augmentation, *, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self._augmentation, self._size, self._seed = augmentation, batch_size, seed
        self._rank, self._world_size = rank, world_size

    def __call__(self, epoch: int, number: int, inputs: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
        """The inputs of batch `number` with its segments changed."""
        x, mask = inputs
        assert x is not None
        first = number * self._size * self._world_size + self._rank
        keys_b = record_keys(seed_of(self._seed, _AUGMENT, epoch), first, len(x), self._world_size)
        return [self._augmentation(keys_b, x, mask), mask]


def iterate(batches: EpochBatches, num_workers: int, first: int = 0) -> Iterator[Batch]:
    """Batches in order from number `first` on, read ahead by `num_workers` processes."""
    return load(batches, range(first, len(batches)), num_workers=num_workers, batch_bytes=batches.batch_bytes)


class FeatureBatches(Dataset[Batch]):
    """The batches of one epoch over fixed feature vectors, in random order.

    Parameters
    ----------
    features : Tensor, shape (windows, dim)
    target : Tensor, shape (windows, labels)
    batch_size, seed, epoch, rank, world_size
        As in `EpochBatches`.
    places : int, optional
        Windows of an epoch; each once by default.
    """

    def __init__(
        self, features: torch.Tensor, target: torch.Tensor, *, batch_size: int, seed: int, epoch: int,
        rank: int = 0, world_size: int = 1, places: int | None = None,
    ) -> None:  # fmt: skip
        self.features, self.target, self.batch_size = features, target, batch_size
        records, places = len(features), places or len(features)

        def draw(number: int) -> np.ndarray:
            return np.random.default_rng([seed, number]).permutation(records)

        self._drawn, self._world_size = places_of_epoch(draw, records=records, places=places, epoch=epoch), world_size
        self.order = self._drawn[_own(places, rank, world_size)]

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return Batch((self.features[rows],), self.target[rows])

    @property
    def known(self) -> np.ndarray:
        """As `EpochBatches.known`."""
        known = (~torch.isnan(self.target)).sum(dim=1).numpy()
        return _by_batch(known[self._drawn], self.batch_size, self._world_size)

    def since(self, first: int) -> Iterator[Batch]:
        """The batches in order from number `first` on."""
        return (self[number] for number in range(first, len(self)))
