"""What every database adapter offers: its tables, an index of its records, a record.

An adapter turns a database's own tables into rows of `INDEX_COLUMNS` and adds those tables' columns as
`native.{column}`, text as the file has it. Everything after the index is the same for all databases.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import SourceConfig, UserError
from ecglfm.provenance import atomic
from ecglfm.records import INDEX_COLUMNS, Record, require_columns
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_files import read_wfdb

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


def read_table(path: Path, required: list[str]) -> pd.DataFrame:
    """Read a CSV as text: every column a string column, empty cells null.

    Parameters
    ----------
    path : path
    required : list of str
        Columns the adapter uses.

    Raises
    ------
    UserError
        The file is missing, is no CSV, or lacks a column; names the file and the column.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; is `root` the folder that holds it?") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV: {str(error).strip()}") from None
    require_columns(frame, required, str(path))
    return frame


def fail_at(path: Path, bad: pd.Series, what: str, values: pd.Series) -> None:
    """Raise UserError for the first True of `bad`, naming the file and the row (the header is row 1)."""
    positions = np.flatnonzero(bad.to_numpy(dtype=bool))
    if len(positions):
        first = int(positions[0])
        others = f" (and {len(positions) - 1} more rows)" if len(positions) > 1 else ""
        raise UserError(f"{path}: row {first + 2}: {what}, found {values.iloc[first]!r}{others}")


def number_column(
    frame: pd.DataFrame, column: str, path: Path, *, integer: bool = False, required: bool = False
) -> pd.Series:
    """A text column as float64, NaN where empty.

    Raises
    ------
    UserError
        A cell is not a (finite, whole) number, or is empty where `required`; names file, row and column.
    """
    text = frame[column]
    numbers = pd.to_numeric(text.str.strip(), errors="coerce").astype("float64")
    bad = (numbers.isna() | np.isinf(numbers)) & (text.notna() | required)
    kind = "a whole number" if integer else "a number"
    if integer:
        bad |= numbers.notna() & (numbers % 1 != 0)
    fail_at(path, bad, f"{column} must be {kind}", text)
    return numbers


def check_index(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Sorted rows with unique record ids and the standard columns first; `path` is named in errors."""
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
