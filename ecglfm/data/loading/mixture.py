"""The order of the patients in an epoch where each source has a share of the draws, whatever its size.

A global batch has `size` places. The shares are of these: after every update of an epoch each source has had its share
of all places so far, to less than one (`apportion`), in every epoch alike. Which places of a batch they are is shuffled
anew in each, so that no rank has one source alone.

A source with more patients than an epoch draws of it is walked through in parts: as many epochs as go into one shuffled
list of its patients take one part after the other, then the list is shuffled anew; nobody is drawn twice in an epoch.
One with fewer goes through its list, shuffled anew each time, as often as it must: in an epoch its patients are drawn
equally often, to one.

Functions of (seed, epoch, index) alone, as the other orders are.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from ecglfm.config import UserError
from ecglfm.config.wording import counted

logger = logging.getLogger(__name__)

_PLACES, _LISTS = 0, 1  # what a generator is for
_NOBODY = np.empty(0, np.int64)


def apportion(weights: Sequence[float], *, size: int, updates: int) -> np.ndarray:
    """How many places of each global batch each source has.

    Parameters
    ----------
    weights : sequence of float
        Above 0; a source's share is its weight over their sum.
    size : int
        Places of a batch.
    updates : int
        Batches of an epoch.

    Returns
    -------
    ndarray of int64, shape (updates, sources)
        Rows sum to `size`; the sum of the first `n` rows differs from `n * size * share` by less than 1.

    Notes
    -----
    Place after place goes to the source that is due first, of those that have not had their share yet: the quota method
    (Balinski and Young, Amer. Math. Monthly 82, 1975), which is never off by one. With decimal weights it repeats.
    """
    exact = [Fraction(repr(weight)) for weight in weights]
    scale = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    total, given, places = sum(whole), [0] * len(whole), []
    for number in range(1, min(total, size * updates) + 1):
        waiting = [source for source, weight in enumerate(whole) if given[source] * total < weight * number]
        due = min(waiting, key=lambda source: (given[source] + 1) / whole[source])
        places.append(due)
        given[due] += 1
    batches = np.resize(places, (updates, size))
    return np.stack([(batches == source).sum(axis=1) for source in range(len(whole))], axis=1)


class Mixed:
    """Patients of several sources by shares (see the top of this file).

    Parameters
    ----------
    source_p : ndarray of int, shape (patients,)
        Which source each patient is of, from 0.
    weights : sequence of float
        Of each source.
    size : int
        Pairs in a global batch.
    updates : int
        Batches of an epoch.
    key : list of int
        Seed of the generators.

    Attributes
    ----------
    draws : ndarray of int64, shape (sources,)
        Of each source in an epoch.
    """

    def __init__(
        self, source_p: np.ndarray, weights: Sequence[float], *, size: int, updates: int, key: list[int]
    ) -> None:
        self._patients = [np.flatnonzero(source_p == source) for source in range(len(weights))]
        self._key = key
        self.counts = apportion(weights, size=size, updates=updates)
        self.draws = self.counts.sum(axis=0)
        self._first = np.cumsum(self.counts, axis=0) - self.counts
        self._epoch: tuple[int, list[np.ndarray]] | None = None

    def patients(self, epoch: int, index: int, slots: range) -> np.ndarray:
        """As `Order.patients`, but a patient of a small source stands at several places of an epoch."""
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, [self._list(epoch, source) for source in range(len(self._patients))])
        counts, first = self.counts[index], self._first[index]
        drawn = [part[begin : begin + count] for part, begin, count in zip(self._epoch[1], first, counts, strict=True)]
        place = np.random.default_rng([*self._key, _PLACES, epoch, index]).permutation(counts.sum())
        return np.concatenate(drawn)[place[slots.start : slots.stop]]

    def ahead(self, epoch: int, index: int, slots: range) -> np.ndarray:  # noqa: D102
        return _NOBODY

    def _list(self, epoch: int, source: int) -> np.ndarray:
        """Patients of a source in the order in which an epoch draws them."""
        patients, draws = self._patients[source], int(self.draws[source])

        def shuffled(number: int, time: int) -> np.ndarray:
            return np.random.default_rng([*self._key, _LISTS, source, number, time]).permutation(patients)

        if draws > len(patients):
            times = -(-draws // len(patients))
            return np.concatenate([shuffled(epoch, time) for time in range(times)])[:draws]
        parts = len(patients) // max(draws, 1)
        begin = epoch % parts * draws
        return shuffled(epoch // parts, 0)[begin : begin + draws]


def mixed(
    sources: np.ndarray, weights: Mapping[str, float], *, size: int, updates: int, key: list[int]
) -> Mixed:  # fmt: skip
    """The order of the patients of sources by their names, and a line of the log on each source.

    Parameters
    ----------
    sources : ndarray of str, shape (patients,)
        Of each patient.
    weights : mapping of str to float
        By source: all that there are.
    size, updates, key
        As `Mixed`.

    Raises
    ------
    UserError
        A source has no patient, or has so small a share that an epoch never draws one of it.
    """
    names = sorted(weights)
    order = Mixed(
        np.searchsorted(names, sources), [weights[name] for name in names], size=size, updates=updates, key=key
    )
    total = sum(weights.values())
    for number, name in enumerate(names):
        patients, draws = int((sources == name).sum()), int(order.draws[number])
        if not patients:
            raise UserError(f"pretrain.mixture: {name}: no patient of it makes pairs; leave it out")
        if not draws:
            raise UserError(
                f"pretrain.mixture: {name}: {weights[name]:g} of {total:g} is none of the {size * updates} draws of an"
                " epoch; give it more, or leave it out"
            )
        logger.info(
            "mixture: %s has %.4g %% of the draws, %d of %d an epoch, from %s: each is drawn %.3g times",
            name, 100 * weights[name] / total, draws, size * updates, counted(patients, "patient"), draws / patients,
        )  # fmt: skip
        if (most := int(order.counts[:, number].max())) > patients:
            logger.warning(
                "mixture: a batch draws %d times of %s, which has %s: a person stands in it more than once",
                most, name, counted(patients, "patient"),
            )  # fmt: skip
    return order
