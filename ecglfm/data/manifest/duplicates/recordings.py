"""Prepared recordings by row number of a table, memory-mapped, and cheap to hand to a worker process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from ecglfm.data.manifest.duplicates.mapped import MappedArray
from ecglfm.data.tables import TableReader
from ecglfm.sources.tables import ROWS_TOGETHER, Sorter

_PLACE = ["source", "shard", "offset", "n_samples"]


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
    records : TableReader
        `source`, `shard`, `offset`, `n_samples` of each row.
    folder : path
        `preprocess/`.
    """

    def __init__(self, records: TableReader, folder: Path) -> None:
        numbers: dict[str, int] = {}
        places = MappedArray(np.int64, len(_PLACE))
        for piece in records(_PLACE):
            codes = [numbers.setdefault(source, len(numbers)) for source in piece["source"]]
            places.append(piece.assign(source=codes).to_numpy(np.int64))
        self._folder, self._sources, self._places = folder, list(numbers), places.array()
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
        sorter = Sorter("source", "shard", "offset")
        for start in range(0, max(1, len(self._places)), ROWS_TOGETHER):
            some = self._places[start : start + ROWS_TOGETHER]
            columns = dict(zip(_PLACE, some.T, strict=True)) | {
                "row": np.arange(start, start + len(some), dtype=np.int32)
            }
            sorter.add(pa.table(columns))
        return np.concatenate([table["row"].to_numpy() for table in sorter.tables()])
