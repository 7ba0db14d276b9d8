"""The next update's batches and masks, fetched and drawn while the device is at work on this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from torch import Tensor

from ecglfm import distributed
from ecglfm.config import PretrainConfig
from ecglfm.models.augmentation import Augmentation
from ecglfm.models.pretraining import Objective, record_keys
from ecglfm.training.schedule import seed_of

Batch = dict[str, Tensor]

NOISE, AUGMENT = 2, 4  # what a seed is for, beside the others of `loop`


class Upcoming:
    """The updates of a training, one after the other.

    Parameters
    ----------
    objective : Objective
    batches : iterator of dict
        Gives the forwards in their order.
    config : PretrainConfig
        `accumulate`, `seed` and `augment` are read.
    done : int
        Updates done before the first.
    """

    def __init__(self, objective: Objective, batches: Iterator[Batch], config: PretrainConfig, done: int = 0) -> None:
        self._objective, self._batches, self._config, self._done = objective, batches, config, done
        self._next: tuple[list[Batch], int, Any] | None = None
        self._augment: Augmentation | None = None
        if config.augment:
            encoder = objective.encoder
            self._augment = Augmentation(config.augment, encoder.leads, encoder.sampling_rate)

    def change(self, step: int, forward: int, records: int) -> Callable[[Tensor, Tensor | None], Tensor] | None:
        """How the segments of a forward of update `step` are changed, each by its place in the update; None: not."""
        if self._augment is None:
            return None
        first = (forward * distributed.world_size() + distributed.rank()) * records
        keys_b = record_keys(seed_of(self._config.seed, AUGMENT, step), first, records)
        return partial(self._augment, keys_b)

    def prepare(self) -> None:
        """Fetch and draw what the host can of the next update, unless that is done or there is none."""
        if self._next is None and (loaded := list(islice(self._batches, self._config.accumulate))):
            seed = seed_of(self._config.seed, NOISE, self._done)
            self._next = loaded, seed, self._objective.prepare(loaded, seed)

    def take(self) -> Iterator[tuple[Batch, Any]]:
        """Forwards of the next update, each with its noise; of which the objective may draw some only now."""
        self.prepare()
        assert self._next is not None  # no further update was asked for
        loaded, seed, prepared = self._next
        self._next, self._done = None, self._done + 1
        return zip(loaded, self._objective.draw(loaded, seed, prepared), strict=True)
