"""Prepared signals as batches: memory-mapped crops, and pairs of recordings for pretraining.

Every choice (order of patients, recordings, crops, masked leads) is drawn from a generator keyed by
(seed, epoch, step), never from a state that goes along. So any batch can be made directly: a resumed
training sees what the undisturbed one saw, whatever the number of loader processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from ecglfm.config import UserError
from ecglfm.distributed import ignore_signals
from ecglfm.records import require_columns

logger = logging.getLogger(__name__)

#: Columns of the manifest that locate a signal.
LOCATION = ["record_id", "source", "patient_id", "split", "sampling_rate", "n_samples", "shard", "offset"]

# Streams of random numbers: what a generator is for is part of its key.
_ORDER, _CROPS, _LEADS = 1, 2, 3


def load_records(manifest: str | Path, sources: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the manifest, with the records of some sources only.

    Parameters
    ----------
    manifest : path
        `manifest/records.parquet`.
    sources : sequence of str or None
        None: all of them.

    Raises
    ------
    UserError
        The file or a column of it is missing, or none of the sources is in it.
    """
    path = Path(manifest)
    if not path.exists():
        raise UserError(f"{path}: no such file; run `snakemake` or the stage `manifest` first")
    records = pd.read_parquet(path)
    require_columns(records, LOCATION, str(path))
    if sources is not None:
        records = records[records["source"].isin(sources)].reset_index(drop=True)
    if records.empty:
        raise UserError(f"{path}: no records of {', '.join(sources or ['any source'])}")
    return records


def to_millivolts(crops: np.ndarray) -> np.ndarray:
    """Microvolts as they are stored to what a model reads.

    Parameters
    ----------
    crops : ndarray of int16, shape (n, length, leads)

    Returns
    -------
    ndarray of float32, shape (n, leads, length)
        Millivolts.
    """
    return np.divide(crops.transpose(0, 2, 1), np.float32(1000), dtype=np.float32, order="C")


class Signals:
    """The prepared signals of some records, memory-mapped; files are opened when first read.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest; `rows` below are positions in this table.
    folder : path
        Holds `{source}/{shard:03d}.npy`, int16 microvolts, time-major.
    """

    def __init__(self, records: pd.DataFrame, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.n_samples = records["n_samples"].to_numpy(np.int64)
        self._offset = records["offset"].to_numpy(np.int64)
        shards = pd.MultiIndex.from_frame(records[["source", "shard"]])
        self._file, names = pd.factorize(shards, sort=True)
        self.paths = [self.folder / str(source) / f"{int(shard):03d}.npy" for source, shard in names]
        self._open: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.n_samples)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # a pickled memory map would carry the samples along

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Cut one piece out of each named record.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Positions in the table of records.
        starts : ndarray of int, shape (n,)
            First sample of each piece, within its record.
        length : int
            Samples of each piece; what lies past the end of a record is zero.

        Returns
        -------
        ndarray of int16, shape (n, length, leads)
            Microvolts.

        Raises
        ------
        UserError
            A file is missing, or shorter than the manifest says.
        """
        rows, starts = np.asarray(rows, np.int64), np.asarray(starts, np.int64)
        valid = np.clip(self.n_samples[rows] - starts, 0, length)
        first = self._offset[rows] + starts
        files = self._file[rows]
        out: np.ndarray | None = None
        for file in np.unique(files):
            samples = self._samples(int(file))
            if out is None:
                out = np.zeros((len(rows), length, samples.shape[1]), np.int16)
            inside = files == file
            whole = np.flatnonzero(inside & (valid == length))
            if len(whole):
                # Overlapping windows of the whole file, so that one indexing copies every piece in one go.
                windows = np.lib.stride_tricks.as_strided(
                    samples,
                    (len(samples) - length + 1, length, samples.shape[1]),
                    (samples.strides[0], *samples.strides),
                    writeable=False,
                )
                out[whole] = windows[first[whole]]
            for i in np.flatnonzero(inside & (valid < length)):
                out[i, : valid[i]] = samples[first[i] : first[i] + valid[i]]
        if out is None:
            raise ValueError("no rows to cut from")
        return out

    def windows(self, length: int) -> pd.DataFrame:
        """Non-overlapping windows that cover every record.

        Returns
        -------
        DataFrame
            `row`, `start` (samples), `valid` (real samples; less than `length` only for a record shorter
            than that, which gives one padded window). A remainder is left out.
        """
        count = np.maximum(self.n_samples // length, 1)
        row = np.repeat(np.arange(len(self)), count)
        index = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        valid = np.minimum(self.n_samples[row], length)
        return pd.DataFrame({"row": row, "start": index * length, "valid": valid})

    def _samples(self, file: int) -> np.ndarray:
        """Memory map of one shard, checked against the manifest once."""
        if file not in self._open:
            path = self.paths[file]
            if not path.exists():
                raise UserError(f"{path}: no such file, but the manifest names it; rerun the stage `preprocess`")
            samples = np.load(path, mmap_mode="r", allow_pickle=False)
            needed = int((self._offset + self.n_samples)[self._file == file].max())
            if samples.dtype != np.int16 or samples.ndim != 2 or len(samples) < needed:
                raise UserError(
                    f"{path}: {samples.dtype} {samples.shape}, but the manifest needs int16 with {needed} samples;"
                    " rerun the stage `preprocess`"
                )
            self._open[file] = samples
        return self._open[file]


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
