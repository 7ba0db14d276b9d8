"""A database's CSV, read strictly: cells as text, numbers checked, and errors that name file, row and column.

Tables may have millions of rows, so they are read in pieces. Spreadsheets write semicolons or tabs between the cells
where a comma is the decimal sign, and rows of empty cells below the table: both are read.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from ecglfm.config import UserError
from ecglfm.config.wording import counted, nearest
from ecglfm.records import require_columns

_DELIMITERS = (";", "\t", "|")  # besides the comma
_DECIMAL_COMMA = r"[-+]?\d+,\d+"
_SHOWN = 200  # characters of a cell in a message
MAX_WHOLE = 1 << 53  # from here on float64 skips whole numbers
csv.field_size_limit(1 << 24)  # characters of a cell; by default 131072, less than Arrow takes


def read_pieces(path: Path, required: list[str], only: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """Read a CSV as text, some thousand rows at a time, at least one piece: the table need not fit into memory.

    Every column is a string column, empty cells are null, and rows without a character in any cell are passed over.
    Cells are divided by commas, or by semicolons, tabs or `|` where the header has no comma.

    Parameters
    ----------
    path : path
    required : list of str
        Columns the adapter uses.
    only : list of str, optional
        Columns to read.

    Yields
    ------
    DataFrame
        Names of the columns are stripped; one without a name is `Unnamed: {number from 0}`. The row labels count
        the rows of the whole table, from 0.

    Raises
    ------
    UserError
        The file is missing, is no CSV in UTF-8, lacks a column or has it twice, or a row has more or fewer cells than
        the header; names the file and the column or row.
    """
    try:
        delimiter = _delimiter(path)
        _, header = next(_rows(path, delimiter), (0, []))
        columns = [name.strip() or f"Unnamed: {number}" for number, name in enumerate(header)]
        repeated = [name for name, count in Counter(columns).items() if count > 1]
        if repeated:
            raise UserError(f"{path}: column {repeated[0]!r} stands twice; rename or delete one")
        reader = arrow.open_csv(
            path,
            read_options=arrow.ReadOptions(column_names=columns),
            parse_options=arrow.ParseOptions(newlines_in_values=True, delimiter=delimiter),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.large_string()), null_values=[""], strings_can_be_null=True
            ),
        )
        require_columns(pd.DataFrame(columns=columns), required, str(path))
        position = -1  # the header is a row to the reader
        for batch in reader:
            frame = batch.select(only or columns).to_pandas().set_axis(range(position, position + len(batch)))
            filled = _filled(batch)
            frame = frame if filled.all() else frame[filled]  # a copy, which most tables need not
            yield frame.iloc[1:] if position < 0 else frame
            position += len(batch)
    except FileNotFoundError:
        near = nearest(path.name, (other.name for other in path.parent.glob("*.csv")))
        raise UserError(f"{path}: no such file{near or '; is `root` the folder that holds it?'}") from None
    except (OSError, pa.ArrowInvalid, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {_fault(path) or f'not a readable CSV: {str(error).strip()}'}") from None


def _filled(batch: pa.RecordBatch) -> np.ndarray:
    """Rows with a character in some cell, bool."""
    blank = pc.is_null(batch.column(0))
    for column in batch.columns[1:]:
        if not pc.any(blank).as_py():
            break
        blank = pc.and_(blank, pc.is_null(column))
    return ~blank.to_numpy(zero_copy_only=False)


def _delimiter(path: Path) -> str:
    """What stands between the cells of the header."""
    _, header = next(_rows(path, ","), (0, []))
    if len(header) != 1:
        return ","
    return max(_DELIMITERS, key=header[0].count) if any(sign in header[0] for sign in _DELIMITERS) else ","


def read_table(path: Path, required: list[str]) -> pd.DataFrame:
    """Read a small CSV at once; see `read_pieces`."""
    return pd.concat(read_pieces(path, required))


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers as a spreadsheet shows them: from 1, blank lines counted but passed over."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from ((number, cells) for number, cells in enumerate(csv.reader(file, delimiter=delimiter), 1) if cells)


def _fault(path: Path) -> str:
    """The wrong encoding, or the first row whose cells are not as many as the header's, in words; empty: neither."""
    try:
        rows = _rows(path, _delimiter(path))
        _, header = next(rows, (0, []))
        number, cells = next(((number, cells) for number, cells in rows if len(cells) != len(header)), (0, []))
    except UnicodeDecodeError:
        return "not a readable CSV, for it is not in UTF-8; save it as `CSV UTF-8`, or convert it with iconv -t UTF-8"
    except (OSError, csv.Error):
        return ""
    return f"row {number} has {len(cells)} cells, the header has {len(header)}" if number else ""


def row_number(path: Path, position: int) -> int:
    """Row in the file, the header mostly being 1, of the row that `read_pieces` labels `position`."""
    rows = enumerate(_rows(path, _delimiter(path)), start=-1)
    return next((number for count, (number, _) in rows if count == position), position + 2)


def fail_at(path: Path, bad: pd.Series, what: str, values: pd.Series) -> None:
    """Raise UserError for the first True of `bad`, labelled as a piece of the table `path`; names file and row."""
    positions = np.flatnonzero(bad.to_numpy(dtype=bool))
    if len(positions):
        fail_rows(path, bad.index[positions].to_numpy(), what, values.iloc[positions[0]])


def fail_rows(path: Path, positions: np.ndarray, what: str, value: object) -> NoReturn:
    """Raise UserError about rows of the table `path` by their positions from 0; `value` is that of the first."""
    others = f" (and {counted(len(positions) - 1, 'more row')})" if len(positions) > 1 else ""
    shown = repr(value)
    found = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    raise UserError(f"{path}: row {row_number(path, int(positions[0]))}: {what}, found {found}{others}")


def number_column(
    frame: pd.DataFrame, column: str, path: Path, *, integer: bool = False, required: bool = False
) -> pd.Series:
    """A text column as float64, NaN where empty.

    Raises
    ------
    UserError
        A cell is not a finite number, is empty where `required`, or, where `integer`, is not a whole number from 0 to
        2**53 - 1, which float64 holds exactly; names file, row and column.
    """
    text = frame[column].str.strip().replace("", None)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    bad = (numbers.isna() | np.isinf(numbers)) & (text.notna() | required)
    fail_at(path, text.str.fullmatch(_DECIMAL_COMMA).fillna(False), f"{column}: write a decimal point", frame[column])
    kind = "a whole number" if integer else "a number"
    if integer:
        bad |= numbers.notna() & (numbers % 1 != 0)
    fail_at(path, bad, f"{column} must be {kind}", frame[column])
    if integer:
        beyond = (numbers < 0) | (numbers >= MAX_WHOLE)
        fail_at(path, beyond, f"{column} must be from 0 to {MAX_WHOLE - 1}", frame[column])
    return numbers
