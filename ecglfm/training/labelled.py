"""The labelled records a fit may see, and the batches it trains on.

The test split is locked (design, decision 11): its rows are filtered out while the tables are read, so
that nothing here could look at them. Every random choice is a function of (seed, epoch), never of the
number of loader processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from pyarrow.parquet import read_schema
from torch.utils.data import DataLoader, Dataset

from ecglfm.config import UserError
from ecglfm.data.dataset import LOCATION, Signals
from ecglfm.distributed import ignore_signals
from ecglfm.provenance import sha256_frame, sha256_json
from ecglfm.records import data_hash, require_columns
from ecglfm.training.inference import Crops, model_input

PREFIX = "label."


class Labelled(NamedTuple):
    """Records of the training and validation splits with their labels.

    Attributes
    ----------
    records : DataFrame
        Rows of the manifest, in the order of `record_id`.
    target : ndarray of float32, shape (records, labels)
        1, 0, or NaN where unknown.
    label_names : list of str
        Columns of `target`.
    train, valid : ndarray of int
        Rows of each split.
    signals : Crops
        Samples of the same rows.
    """

    records: pd.DataFrame
    target: np.ndarray
    label_names: list[str]
    train: np.ndarray
    valid: np.ndarray
    signals: Crops

    def hash(self) -> str:
        """SHA-256 of the records and labels that the fit sees."""
        table = pd.DataFrame(self.target, columns=self.label_names)
        return sha256_json({"records": data_hash(self.records), "labels": sha256_frame(table, self.label_names)})


class Batch(NamedTuple):
    """One forward: what the module is called with, and the labels."""

    inputs: tuple[torch.Tensor | None, ...]
    target: torch.Tensor


def load_labelled(labels: Path, manifest: Path, signals: Path) -> Labelled:
    """Read the train and valid records of a task.

    Parameters
    ----------
    labels, manifest : path
        `labels/{task}.parquet` and `manifest/records.parquet`.
    signals : path
        Folder of the preprocessed shards.

    Raises
    ------
    UserError
        A split is empty, a label has no positive or no negative to learn from, or the files do not belong together.
    """
    table = _read(labels, ["record_id", "split"]).sort_values("record_id", ignore_index=True)
    records = _read(manifest, [*LOCATION, "sha256"])
    records = records.set_index("record_id", drop=False).reindex(table["record_id"])
    stale = records["split"].to_numpy() != table["split"].to_numpy()
    if stale.any():
        raise UserError(
            f"{labels}: {table['record_id'][stale.argmax()]} has another split in {manifest}; make the labels again"
        )
    records = records.reset_index(drop=True)
    assert set(records["split"]) <= {"train", "valid"}, "the test split is locked"
    columns = [column for column in table.columns if column.startswith(PREFIX)]
    rows = {split: np.flatnonzero(records["split"] == split) for split in ("train", "valid")}
    target = table[columns].to_numpy(np.float32)
    names = [column.removeprefix(PREFIX) for column in columns]
    _check(target, names, rows, labels)
    return Labelled(records, target, names, rows["train"], rows["valid"], Signals(records, signals))


def _read(path: Path, required: list[str]) -> pd.DataFrame:
    """Rows of the train and valid splits only."""
    if not path.exists():
        raise UserError(f"{path}: no such file; make it with the stage before")
    require_columns(pd.DataFrame(columns=read_schema(path).names), required, str(path))
    return pd.read_parquet(path, filters=[("split", "in", ["train", "valid"])])


def _check(target: np.ndarray, names: list[str], rows: dict[str, np.ndarray], labels: Path) -> None:
    """Raise `UserError` where nothing can be learnt, or nothing can be chosen by."""
    if not names:
        raise UserError(f"{labels}: there is no column `label.…`")
    for split, found in rows.items():
        if not len(found):
            raise UserError(
                f"{labels}: no record in the {split} split; fine-tuning needs train and valid: "
                "see `manifest` (fractions, folds) in config.yaml and the task's own ledger"
            )
    if np.isnan(target[rows["valid"]]).all():
        raise UserError(f"{labels}: every label is unknown in the valid split, nothing can be chosen by it")
    for name, column in zip(names, target[rows["train"]].T, strict=True):
        for value, word in ((1, "positive"), (0, "negative")):
            if not (column == value).any():
                raise UserError(
                    f"{labels}: label {name!r} has no {word} record in the train split "
                    f"({len(column)} records); mend or remove its selector in the task's YAML"
                )


class EpochBatches(Dataset[Batch]):
    """The batches of one epoch: one random crop of every training record, in random order.

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
        n_samples = data.records["n_samples"].to_numpy()[data.train]
        rng = np.random.default_rng([seed, epoch])
        starts = np.floor(rng.random(len(data.train)) * (np.maximum(n_samples - length, 0) + 1)).astype(np.int64)
        order = np.resize(rng.permutation(len(data.train)), -(-len(data.train) // world_size) * world_size)
        mine = order[rank::world_size]
        self.rows, self.starts = data.train[mine], starts[mine]
        self.valid = np.minimum(n_samples[mine], length)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        batch = slice(index * self.batch_size, (index + 1) * self.batch_size)
        rows = self.rows[batch]
        crops = self.data.signals.crops(rows, self.starts[batch], self.length)
        return Batch(model_input(crops, self.valid[batch]), torch.from_numpy(self.data.target[rows]))


def iterate(batches: Dataset[Batch], num_workers: int) -> Iterator[Batch]:
    """Batches in order, read ahead by `num_workers` processes."""
    yield from DataLoader(
        batches, batch_size=None, shuffle=False, num_workers=num_workers, worker_init_fn=ignore_signals
    )


class FeatureBatches(Dataset[Batch]):
    """The batches of one epoch over fixed feature vectors, in random order.

    Parameters
    ----------
    features : Tensor, shape (windows, dim)
    target : Tensor, shape (windows, labels)
    batch_size, seed, epoch, rank, world_size
        As in `EpochBatches`.
    """

    def __init__(
        self, features: torch.Tensor, target: torch.Tensor, *, batch_size: int, seed: int, epoch: int,
        rank: int = 0, world_size: int = 1,
    ) -> None:  # fmt: skip
        self.features, self.target, self.batch_size = features, target, batch_size
        order = np.random.default_rng([seed, epoch]).permutation(len(features))
        self.order = np.resize(order, -(-len(order) // world_size) * world_size)[rank::world_size]

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return Batch((self.features[rows],), self.target[rows])
