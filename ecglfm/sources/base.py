"""What every database adapter offers: its tables, an index of its records, a record.

An adapter turns a database's own tables into rows of `INDEX_COLUMNS` and adds those tables' columns as
`native.{column}`, text as the file has it. Everything after the index is the same for all databases. The index
is made and written in pieces, for a database may have millions of records.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import SourceConfig, UserError
from ecglfm.provenance import atomic
from ecglfm.records import INDEX_COLUMNS, Record
from ecglfm.sources.inside import Root
from ecglfm.sources.reorder import ROWS_TOGETHER, to_table
from ecglfm.sources.wfdb_reader.files import read_wfdb


class Source(ABC):
    """One database on disk.

    Parameters
    ----------
    name : str
        Name of the source in the project; the prefix of its record and patient ids.
    root : path
        Its folder.
    config : SourceConfig
    """

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        self.name = name
        self.root = Path(root)
        self._inside = Root(root)
        self.config = config

    def tables(self) -> list[Path]:
        """The database's own tables, which `index` reads."""
        return [self.root / name for name in self.config.tables]

    @abstractmethod
    def pieces(self) -> Iterator[pd.DataFrame]:
        """Yield the index, some thousand rows at a time: `INDEX_COLUMNS`, then `native.{column}`.

        One row per record, in natural order of the native id. What must be known of all records is a few bytes each.
        """

    def index(self) -> pd.DataFrame:
        """The whole index at once, for a database that fits into memory."""
        return standard_first(pd.concat(self.pieces(), ignore_index=True))

    def read(self, path: str) -> Record:
        """Read the record at `path`, as the index gives it; raises `RecordError`."""
        return read_wfdb(self._inside, path)


def check_ids(ids: np.ndarray, path: Path) -> None:
    """Raise `UserError` unless there are native ids, int64 shape (n,), and no two alike; `path` is named."""
    if not len(ids):
        raise UserError(f"{path}: holds no recording")
    check_neighbours(np.sort(ids), path)


def check_neighbours(ids: Sequence[object] | np.ndarray, path: Path) -> None:
    """Raise `UserError` where two sorted native ids are alike."""
    again = next((number for before, number in pairwise(ids) if before == number), None)
    if again is not None:
        raise UserError(f"{path}: {again} stands twice; record ids must be unique")


def standard_first(frame: pd.DataFrame) -> pd.DataFrame:
    """A piece of an index with the standard columns first."""
    return frame[[*INDEX_COLUMNS, *(column for column in frame.columns if column not in INDEX_COLUMNS)]]


def write_index(path: str | Path, pieces: Iterable[pd.DataFrame], warned: Sequence[str] = ()) -> tuple[int, int]:
    """Write `index/{source}.parquet` piece by piece.

    Parameters
    ----------
    path : path
    pieces : iterable of DataFrame
        As `Source.pieces` yields them.
    warned : sequence of str
        Goes into the file's metadata as `warnings`, a JSON list; may be filled while the pieces are made.

    Returns
    -------
    records, patients : int
    """
    records, patients, writer = 0, np.empty(0, np.int64), None
    with atomic(path) as temporary:
        try:
            for piece in pieces:
                table = to_table(standard_first(piece))
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table.cast(writer.schema), row_group_size=ROWS_TOGETHER)
                records += len(piece)
                hashes = np.fromiter(map(hash, piece["patient_id"]), np.int64, len(piece))
                patients = np.union1d(patients, hashes)
            if writer is None:
                raise UserError(f"{path}: no recording to write")
            writer.add_key_value_metadata({"warnings": json.dumps(list(warned))})
        finally:
            if writer is not None:
                writer.close()
    return records, len(patients)
