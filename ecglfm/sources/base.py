"""What every database adapter offers: its tables, an index of its records, a record.

An adapter turns a database's own tables into rows of `INDEX_COLUMNS` and adds those tables' columns as
`native.{column}`, text as the file has it. Everything after the index is the same for all databases.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import SourceConfig, UserError
from ecglfm.provenance import atomic
from ecglfm.records import INDEX_COLUMNS, Record
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.files import read_wfdb

ROWS_TOGETHER = 16384  # rows of the index that a reader of one shard takes at least
#: Columns of the index whose type a table without values would not show.
_TYPES = {
    "codes": pa.list_(pa.struct([("code", pa.string()), ("likelihood", pa.float64())])),
    "native.scp_class": pa.list_(pa.string()),
}


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
    def index(self) -> pd.DataFrame:
        """One row per record: `INDEX_COLUMNS`, then `native.{column}`; in natural order of the native id."""

    def read(self, path: str) -> Record:
        """Read the record at `path`, as the index gives it; raises `RecordError`."""
        return read_wfdb(self._inside, path)


def check_index(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows with unique record ids, at least one, and the standard columns first; `path` is named in errors."""
    if frame.empty:
        raise UserError(f"{path}: holds no recording")
    repeated = frame["record_id"].duplicated()
    if repeated.any():
        first = frame.loc[repeated, "record_id"].iloc[0]
        raise UserError(f"{path}: {first.split('/', 1)[1]} stands twice; record ids must be unique")
    native = [column for column in frame.columns if column not in INDEX_COLUMNS]
    return frame[[*INDEX_COLUMNS, *native]].reset_index(drop=True)


def write_index(path: str | Path, frame: pd.DataFrame) -> None:
    """Write `index/{source}.parquet`, the nested columns typed also where all lists are empty."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for column, kind in _TYPES.items():
        if column in frame.columns:
            position = table.schema.get_field_index(column)
            table = table.set_column(position, pa.field(column, kind), pa.array(list(frame[column]), type=kind))
    with atomic(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROWS_TOGETHER)
