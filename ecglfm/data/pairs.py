"""Pairs of recordings in batches, for pretraining.

Every choice (order of patients, recordings, crops, masked leads) is drawn from a generator keyed by
(seed, epoch, step), never from a state that goes along. So any batch can be made directly: a resumed
training sees what the undisturbed one saw, whatever the number of loader processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from ecglfm.config import UserError
from ecglfm.data.dataset import Signals, to_millivolts
from ecglfm.distributed import ignore_signals

logger = logging.getLogger(__name__)

# Streams of random numbers: what a generator is for is part of its key.
_ORDER, _CROPS, _LEADS = 1, 2, 3


class PairSampler:
    """Which two pieces of a patient's recordings make a positive pair (CLOCS, arXiv:2005.13249).

    Two different recordings with a random crop in each; or, of a patient with a single recording at
    least two crops long, a random crop in each half. Recordings shorter than a crop are not usable, and
    a patient with nothing else is left out, counted in the log.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest.
    split : str
        Only its records are used.
    length : int
        Samples of a crop.
    """

    def __init__(self, records: pd.DataFrame, *, split: str, length: int) -> None:
        self.length = length
        self._n_samples = records["n_samples"].to_numpy(np.int64)
        chosen = np.flatnonzero((records["split"] == split).to_numpy(bool, na_value=False))
        usable = chosen[self._n_samples[chosen] >= length]
        # Sorted by name, so that the pairs do not depend on the order of the manifest.
        names = records.iloc[usable]
        order = np.lexsort((names["record_id"].astype(str), names["patient_id"].astype(str)))
        self._rows = usable[order]
        patients = names["patient_id"].astype(str).to_numpy()[order]
        ids, first, count = np.unique(patients, return_index=True, return_counts=True)
        paired = (count >= 2) | (self._n_samples[self._rows[first]] >= 2 * length)
        self.patients = ids[paired]
        self._first, self._count = first[paired], count[paired]
        everyone = records["patient_id"].iloc[chosen].nunique()
        logger.info(
            "%s: %d patients make pairs (%d from two recordings, %d from two halves); %d patients left out"
            " (no second recording of %d samples); %d recordings shorter than that",
            split, len(self), int((self._count >= 2).sum()), int((self._count == 1).sum()),
            everyone - len(self), length, len(chosen) - len(usable),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.patients)

    def pairs(self, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw one pair for each patient.

        Parameters
        ----------
        patients : ndarray of int, shape (n,)
            Positions in `self.patients`.
        rng : Generator

        Returns
        -------
        rows, starts : ndarray of int64, shape (n, 2)
            Recordings (rows of the manifest) and first samples of the crops.
        """
        draw = rng.random((4, len(patients)))
        first, count = self._first[patients], self._count[patients]
        one = (draw[0] * count).astype(np.int64)
        other = (draw[1] * (count - 1)).astype(np.int64)
        other += (other >= one) & (count > 1)
        rows = np.stack([self._rows[first + one], self._rows[first + other]], axis=1)
        low = np.zeros_like(rows)
        high = self._n_samples[rows] - self.length
        half = self._n_samples[rows[:, 0]] // 2
        single = count == 1
        high[single, 0] = half[single] - self.length
        low[single, 1] = half[single]
        starts = low + (draw[2:].T * (high - low + 1)).astype(np.int64)
        return rows, starts


class PretrainBatches(Dataset[dict[str, torch.Tensor]]):
    """Batches of pairs for one rank; item `n` is forward number `n` of the whole training.

    A global batch is `batch_size * accumulate * world_size` pairs; its ranks take disjoint parts, and
    the parts of all ranks together are what a single process with the same global batch would see.

    Parameters
    ----------
    signals : Signals
    sampler : PairSampler
    batch_size : int
        Pairs per forward and rank.
    accumulate, rank, world_size : int
    seed : int
    lead_mask_probability : float
        Each lead of each segment is zeroed with this probability.
    training : bool
        True: a new order, pairs, crops and masks every epoch, the last incomplete batch is dropped.
        False: always the same batches, without masks, as even as possible so that few pairs are dropped.

    Raises
    ------
    UserError
        There are fewer pairs than ranks times forwards.
    """

    def __init__(
        self,
        signals: Signals,
        sampler: PairSampler,
        *,
        batch_size: int,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        lead_mask_probability: float = 0.0,
        training: bool = True,
    ) -> None:
        self.signals, self.sampler = signals, sampler
        self.accumulate, self.rank, self.world_size = accumulate, rank, world_size
        self.seed, self.training = seed, training
        self.lead_mask_probability = lead_mask_probability if training else 0.0
        parts = accumulate * world_size
        updates = max(len(sampler) // (batch_size * parts), 1)
        if not training:
            updates = max(-(-len(sampler) // (batch_size * parts)), 1)
        self.batch_size = min(batch_size, len(sampler) // (parts * (1 if training else updates)))
        if self.batch_size < 1:
            raise UserError(
                f"{len(sampler)} patients make pairs, too few for {world_size} processes x {accumulate} forwards:"
                " lower `accumulate` or `processes`, or give more data"
            )
        if training and self.batch_size < batch_size:
            logger.warning("only %d pairs: batches of %d instead of %d", len(sampler), self.batch_size, batch_size)
        self.updates_per_epoch = updates
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        """Forwards in an epoch."""
        return self.updates_per_epoch * self.accumulate

    def __getitem__(self, forward: int) -> dict[str, torch.Tensor]:
        """Batch of forward number `forward`: `signal`, float32 mV, shape (2 * batch_size, leads, samples)."""
        step, micro = divmod(forward, self.accumulate)
        rows, starts = self.pairs(step)
        part = slice((micro * self.world_size + self.rank) * self.batch_size, None)
        part = slice(part.start, part.start + self.batch_size)
        crops = self.signals.crops(rows[part].ravel(), starts[part].ravel(), self.sampler.length)
        signal = to_millivolts(crops)
        if self.lead_mask_probability:
            rng = np.random.default_rng([self.seed, _LEADS, step])
            kept = rng.random((2 * len(rows), signal.shape[1])) >= self.lead_mask_probability
            signal *= kept[2 * part.start : 2 * part.stop, :, None]
        return {"signal": torch.from_numpy(signal)}

    def pairs(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and starts of the global batch of one update, each of shape (pairs, 2)."""
        epoch, index = divmod(step, self.updates_per_epoch)
        size = self.batch_size * self.accumulate * self.world_size
        patients = self.order(epoch)[index * size : (index + 1) * size]
        return self.sampler.pairs(patients, np.random.default_rng([self.seed, _CROPS, step]))

    def order(self, epoch: int) -> np.ndarray:
        """Order of the patients in one epoch, each once; without training, the order of their names."""
        if not self.training:
            return np.arange(len(self.sampler))
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, _ORDER, epoch])
            self._order = (epoch, rng.permutation(len(self.sampler)))
        return self._order[1]

    def load(self, start: int, stop: int, *, num_workers: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        """Batches of the forwards of updates `start` to `stop` (exclusive), in order."""
        loader: DataLoader[dict[str, torch.Tensor]] = DataLoader(
            self,
            batch_size=None,
            sampler=range(start * self.accumulate, stop * self.accumulate),
            num_workers=num_workers,
            worker_init_fn=ignore_signals,
            pin_memory=torch.cuda.is_available(),
        )
        return iter(loader)
