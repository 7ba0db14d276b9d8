"""Batches of pairs of recordings, for pretraining.

Every choice (order of patients, recordings, crops, masked leads) is drawn from a generator keyed by
(seed, epoch, step), never from a state that goes along. So any batch can be made directly: a resumed
training sees what the undisturbed one saw, whatever the number of loader processes.

A batch is int16 as stored, with a mask of the leads; `on_device` makes millivolts of it where the model
lies: half the bytes to copy, and the conversion is free there. What an encoder's `input` made is float32, and stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from ecglfm.config import LEADS, UserError
from ecglfm.config.wording import counted
from ecglfm.data.loading.loader import load
from ecglfm.data.loading.mixture import mixed
from ecglfm.data.loading.order import BlockShuffled, InOrder, Order, Shuffled
from ecglfm.data.loading.pairs import PairSampler
from ecglfm.data.loading.reports import ReportVectors
from ecglfm.data.samples import ConvertedSignals, Signals

logger = logging.getLogger(__name__)

# Streams of random numbers: what a generator is for is part of its key.
_ORDER, _CROPS, _LEADS = 1, 2, 3

PairBatch = dict[str, torch.Tensor]
Change = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]


def uniform(key: list[int], rows: slice, width: int) -> np.ndarray:
    """Rows of a table of uniform numbers that `key` stands for; each row is the same whichever others are asked for.

    Returns
    -------
    ndarray of float64, shape (rows, width)
    """
    bits = np.random.PCG64(key)
    bits.advance(rows.start * width)
    return np.random.Generator(bits).random((rows.stop - rows.start, width))


def recorded_leads(lead_masks: np.ndarray, leads: Sequence[str]) -> np.ndarray:
    """Which of some leads each record has; the others are zeros.

    Parameters
    ----------
    lead_masks : ndarray of int, shape (records,)
        Column `lead_mask` of the manifest: bit i is set where `LEADS[i]` was recorded or derived.
    leads : sequence of str
        Leads of the signals, in their order.

    Returns
    -------
    ndarray of bool, shape (records, leads)
    """
    bits = np.array([LEADS.index(lead) for lead in leads])
    return (lead_masks[:, None] >> bits & 1).astype(bool)


def on_device(
    batch: PairBatch, device: torch.device, change: Change | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A batch as the model reads it; bit for bit what `ecglfm.data.samples.dataset.to_millivolts` gives.

    Parameters
    ----------
    batch : dict
        From `PretrainBatches`.
    device : torch.device
    change : callable, optional
        Gives changed segments of such `x` and `mask`, in which no lead is masked yet.

    Returns
    -------
    x : Tensor of float32, shape (2 pairs, leads, samples)
        Millivolts, or what an encoder's `input` made of them; zero at masked leads.
    mask : Tensor of bool, shape (2 pairs, samples), or None
        True for a real sample; None where crops are never padded.
    """
    signal, kept = (batch[name].to(device, non_blocking=True) for name in ("signal", "lead_mask"))
    x = signal.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    if signal.dtype == torch.int16:
        # By a tensor: CUDA would multiply by the reciprocal of a number, which is not the same to the last bit.
        x.div_(torch.full((), 1000.0, device=device))
    mask = None
    if "valid" in batch:
        valid = batch["valid"].to(device, non_blocking=True)
        mask = torch.arange(x.shape[2], device=device) < valid[:, None]
    if change is not None:
        x = change(x, mask)
    return x.masked_fill_(~kept[:, :, None], 0.0), mask


class PairCrops(NamedTuple):
    """Pieces of recordings, two in succession being a pair.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Recordings, as rows of the manifest.
    starts : ndarray of int64, shape (n,)
        First samples.
    valid : ndarray of int64, shape (n,)
        Real samples; fewer than the length of a crop where it is padded.
    lead_mask : ndarray of bool, shape (n, leads)
        False where a lead is zeroed.
    """

    rows: np.ndarray
    starts: np.ndarray
    valid: np.ndarray
    lead_mask: np.ndarray


class Mixture(NamedTuple):
    """What share of the draws each source has.

    Attributes
    ----------
    sources : ndarray of str, shape (records of the manifest,)
    weights : mapping of str to float
        By source.
    """

    sources: np.ndarray
    weights: Mapping[str, float]


class PretrainBatches(Dataset[PairBatch]):
    """Batches of pairs for one rank; item `n` is forward number `n` of the whole training.

    A global batch is `batch_size * accumulate * world_size` pairs; its ranks take disjoint parts, and
    the parts of all ranks together are what a single process with the same global batch would see.

    Parameters
    ----------
    signals : Signals or ConvertedSignals
    sampler : PairSampler
    batch_size : int
        Pairs per forward and rank.
    accumulate, rank, world_size : int
    seed : int
    lead_mask_probability : float
        Each lead of each segment is zeroed with this probability; where that would zero all recorded leads, the one
        with the largest draw stays.
    recorded : ndarray of bool, shape (records of the manifest, leads), optional
        As `recorded_leads`; None: every record has all leads.
    reports : ReportVectors, optional
        Of the records of the manifest; what a batch has of them, it has as `ReportVectors.of` says.
    shuffle_block : int, optional
        Neighbours on disk that are read in one run (`ecglfm.data.loading.order`); None: a full shuffle.
    mixture : Mixture, optional
        Shares of the sources, in training; None: every patient once an epoch.
    training : bool
        True: a new order, pairs, crops and masks every epoch, the last incomplete batch is dropped.
        False: always the same batches, without masks, as even as possible so that few pairs are dropped.

    Raises
    ------
    UserError
        There are fewer pairs than ranks times forwards, or a source of the mixture has none.
    """

    def __init__(
        self,
        signals: Signals | ConvertedSignals,
        sampler: PairSampler,
        *,
        batch_size: int,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        lead_mask_probability: float = 0.0,
        recorded: np.ndarray | None = None,
        reports: ReportVectors | None = None,
        shuffle_block: int | None = None,
        mixture: Mixture | None = None,
        training: bool = True,
    ) -> None:
        self.signals, self.sampler, self.reports = signals, sampler, reports
        self.accumulate, self.rank, self.world_size = accumulate, rank, world_size
        self.seed = seed
        self.lead_mask_probability = lead_mask_probability if training else 0.0
        self.recorded = np.ones((len(signals), signals.leads), bool) if recorded is None else recorded
        parts = accumulate * world_size
        updates = max(len(sampler) // (batch_size * parts), 1)
        if not training:
            updates = max(-(-len(sampler) // (batch_size * parts)), 1)
        self.batch_size = min(batch_size, len(sampler) // (parts * (1 if training else updates)))
        if self.batch_size < 1:
            raise UserError(
                f"{counted(len(sampler), 'patient makes', 'patients make')} pairs, too few for {world_size} processes x"
                f" {accumulate} forwards: lower `accumulate` or `processes`, or give more data"
            )
        if training and self.batch_size < batch_size:
            logger.warning(
                "only %s: batches of %d instead of %d", counted(len(sampler), "pair"), self.batch_size, batch_size
            )
        self.updates_per_epoch = updates
        self.size = self.batch_size * parts
        self.draws_per_epoch: dict[str, int] | None = None  # of the sources of a mixture
        self.order = self._order(shuffle_block, mixture, training)

    def _order(self, shuffle_block: int | None, mixture: Mixture | None, training: bool) -> Order:
        key = [self.seed, _ORDER]
        if not training:
            return InOrder(size=self.size)
        if mixture is not None:
            of = mixture.sources[self.sampler.first_recordings()]
            order = mixed(of, mixture.weights, size=self.size, updates=self.updates_per_epoch, key=key)
            self.draws_per_epoch = dict(zip(sorted(mixture.weights), order.draws.tolist(), strict=True))
            return order
        if shuffle_block is None:
            return Shuffled(len(self.sampler), size=self.size, key=key)
        return BlockShuffled(self.sampler.on_disk(self.signals), block=shuffle_block, size=self.size, key=key)

    def __len__(self) -> int:
        """Forwards in an epoch."""
        return self.updates_per_epoch * self.accumulate

    def __getitem__(self, forward: int) -> PairBatch:
        """Batch of forward number `forward`, for `on_device`.

        Returns
        -------
        dict of Tensor
            `signal`, int16 microvolts or float32, shape (2 * batch_size, samples, leads); `lead_mask`, bool, shape
            (2 * batch_size, leads), True where a lead is kept; where crops may be padded, `valid`, int64,
            shape (2 * batch_size,), the number of real samples; and of a mixture, by which somebody may stand in a
            batch twice, `patient`, int64, shape (batch_size,).
        """
        crops = self.crops(forward)
        self._read_ahead(forward)
        signal = self.signals.crops(crops.rows, crops.starts, self.sampler.length, crops.valid)
        batch = {"signal": torch.from_numpy(signal), "lead_mask": torch.from_numpy(crops.lead_mask)}
        if self.sampler.min_length < self.sampler.length:  # not: where one is short; all ranks must have it, or none
            batch["valid"] = torch.from_numpy(crops.valid)
        if self.draws_per_epoch is not None:
            batch["patient"] = torch.from_numpy(self._patients(forward))
        return batch if self.reports is None else batch | self.reports.of(crops.rows)

    @property
    def batch_bytes(self) -> int:
        """Size of a batch: its samples, and vectors of reports where there are such."""
        width = 0 if self.reports is None else self.reports.vectors.shape[1]
        sample = np.dtype(self.signals.dtype).itemsize
        return 2 * self.batch_size * (self.sampler.length * self.signals.leads * sample + width * 4)

    def crops(self, forward: int) -> PairCrops:
        """What is cut out of which recordings for forward number `forward`, without reading any."""
        step, slots = self._slots(forward)
        draw = uniform([self.seed, _CROPS, step], slice(slots.start, slots.stop), 4)
        rows, starts, valid = (values.ravel() for values in self.sampler.pairs(self._patients(forward), draw))
        lead_mask = np.ones((len(rows), self.signals.leads), bool)
        if self.lead_mask_probability:
            segments = slice(2 * slots.start, 2 * slots.stop)
            chance = uniform([self.seed, _LEADS, step], segments, self.signals.leads)
            lead_mask = chance >= self.lead_mask_probability
            # A segment of zeros would teach nothing: one lead that was recorded is always left.
            left = np.where(self.recorded[rows], chance, -1.0).argmax(axis=1)
            lead_mask[np.arange(len(rows)), left] = True
        return PairCrops(rows, starts, valid, lead_mask)

    def _patients(self, forward: int) -> np.ndarray:
        step, slots = self._slots(forward)
        return self.order.patients(*divmod(step, self.updates_per_epoch), slots)

    def _slots(self, forward: int) -> tuple[int, range]:
        """Number of the update, and this rank's places in its global batch."""
        step, micro = divmod(forward, self.accumulate)
        first = (micro * self.world_size + self.rank) * self.batch_size
        return step, range(first, first + self.batch_size)

    def _read_ahead(self, forward: int) -> None:
        step, slots = self._slots(forward)
        epoch, index = divmod(step, self.updates_per_epoch)
        patients = self.order.ahead(epoch, index, slots)
        if len(patients):
            self.signals.read_ahead(self.sampler.recordings(patients))

    def load(self, start: int, stop: int, *, num_workers: int = 0) -> Iterator[PairBatch]:
        """Batches of the forwards of updates `start` to `stop` (exclusive), in order."""
        order = range(start * self.accumulate, stop * self.accumulate)
        return load(self, order, num_workers=num_workers, batch_bytes=self.batch_bytes, pin=torch.cuda.is_available())
