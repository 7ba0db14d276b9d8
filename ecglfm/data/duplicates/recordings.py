"""Prepared recordings by row number of a table, memory-mapped, and cheap to hand to a worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd


class Recordings(Protocol):
    """Rows of a table as signals."""

    def __getitem__(self, row: int) -> np.ndarray:
        """Samples of one row: int16 `(n_samples, n_leads)`."""

    def take(self, rows: np.ndarray) -> Recordings:
        """These rows alone, numbered from 0; what a worker is sent."""

    def reading_order(self) -> np.ndarray:
        """Row numbers in the order that reads fastest."""


class ShardRecordings:
    """Recordings as `preprocess` wrote them.

    Parameters
    ----------
    records : DataFrame
        `source`, `shard`, `offset`, `n_samples` of each row.
    folder : path
        `preprocess/`.
    """

    def __init__(self, records: pd.DataFrame, folder: Path) -> None:
        codes, names = pd.factorize(records["source"])
        places = [codes, *(records[name].to_numpy(np.int64) for name in ("shard", "offset", "n_samples"))]
        self._folder, self._sources = folder, names.astype(str).tolist()
        self._places = np.stack(places, axis=1) if len(records) else np.empty((0, 4), np.int64)
        self._arrays: dict[tuple[int, int], np.ndarray] = {}

    def __getitem__(self, row: int) -> np.ndarray:
        source, shard, offset, n_samples = self._places[row].tolist()
        if (source, shard) not in self._arrays:
            path = self._folder / self._sources[source] / f"{shard:03d}.npy"
            self._arrays[source, shard] = np.load(path, mmap_mode="r", allow_pickle=False)
        return self._arrays[source, shard][offset : offset + n_samples]

    def take(self, rows: np.ndarray) -> ShardRecordings:
        """These rows alone, without the memory maps, which a worker opens itself."""
        part = ShardRecordings.__new__(ShardRecordings)
        part._folder, part._sources, part._places, part._arrays = self._folder, self._sources, self._places[rows], {}
        return part

    def reading_order(self) -> np.ndarray:
        """Row numbers in the order in which the samples lie in their files."""
        return np.lexsort(self._places[:, 2::-1].T)
