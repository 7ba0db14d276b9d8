"""Tables in the order of some of their columns, whatever their length: a merge sort through a file.

A database's table may have millions of rows of a kilobyte, in any order, and what is made of it has an order of its
own. So rows are sorted some megabytes at a time and written, as a run, to a temporary file in `$TMPDIR`; then the runs
are read side by side, a few rows of each. Tables that are sorted alike are joined and compared in the same way
(`merge_join`), so that nothing is ever held of all records.
"""

from __future__ import annotations

import errno
import re
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from ecglfm.config import UserError

ROWS_TOGETHER = 16384  # rows of a piece, and of a row group of a table that is written
#: Column by which an index is put in order; it is none of the index itself.
ORDER = "order"
#: Columns of an index whose type a piece without values would not show.
NESTED = {
    "codes": pa.list_(pa.struct([("code", pa.string()), ("likelihood", pa.float64())])),
    "native.scp_class": pa.list_(pa.string()),
    "native.scp_subclass": pa.list_(pa.string()),
}
_RUN = 1 << 23  # bytes that are sorted in memory
_FAN_IN = 64  # runs that are read side by side; of more, some are merged first
_NUMBER = "number of the row"  # tells rows apart that are alike in the columns to sort by, however many they are
ValueT = TypeVar("ValueT")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Arrow table of some rows of an index, the nested columns typed also where all lists are empty."""
    plain = pa.Table.from_pandas(frame, preserve_index=False)
    for column in NESTED.keys() & set(frame.columns):
        position = plain.schema.get_field_index(column)
        kind = NESTED[column]
        plain = plain.set_column(position, pa.field(column, kind), pa.array(list(frame[column]), type=kind))
    return plain


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The rows again, lists as lists."""
    frame = table.to_pandas()
    return frame.assign(**{column: table[column].to_pylist() for column in NESTED.keys() & set(frame.columns)})


def batched(values: Iterable[ValueT]) -> Iterator[list[ValueT]]:
    """Values in lists of `ROWS_TOGETHER`, the last of fewer; at least one list."""
    rest = iter(values)
    yield list(islice(rest, ROWS_TOGETHER))
    yield from iter(lambda: list(islice(rest, ROWS_TOGETHER)), [])


def natural_key(text: str) -> bytes:
    """Sort key under which numbers inside a name count as numbers: `a/2` comes before `a/10`."""
    parts = [(word, digits.lstrip("0")) for word, digits in re.findall(r"(\D*)(\d*)", text, re.ASCII)]
    key = b"".join(b"%b\0%b%b" % (word.encode(), len(n).to_bytes(4, "big"), n.encode()) for word, n in parts)
    return key + text.encode()  # of equal numbers: in order of letters


class Sorter:
    """Takes rows in any order and gives them back in that of some columns; few of them are in memory at a time.

    Parameters
    ----------
    *by : str
        Columns to sort by, without nulls. Rows that are alike in them stay in the order in which they came.
    run : int, optional
        Bytes that are sorted in memory, a few times which is held; by default 8 MB. Of very many rows, larger runs
        are fewer and are read in larger pieces.

    Raises
    ------
    UserError
        There is no room for the temporary file.
    """

    def __init__(self, *by: str, run: int | None = None) -> None:
        self._by, self._run = by, run or _RUN
        self._schema: pa.Schema | None = None
        self._held: list[pa.Table] = []
        self._held_bytes = self._n_rows = 0
        self._runs = _Runs(self._run)

    def __len__(self) -> int:
        """Rows that were added."""
        return self._n_rows

    def add(self, table: pa.Table) -> None:
        """Take some rows, or none; the first table decides on the columns' types."""
        if self._schema is not None and not len(table):
            return
        numbers = np.arange(self._n_rows, self._n_rows + len(table))
        table = table.append_column(_NUMBER, pa.array(numbers))
        self._schema = self._schema or table.schema
        self._held.append(table.cast(self._schema))
        self._held_bytes += table.nbytes
        self._n_rows += len(table)
        if self._held_bytes >= self._run:
            with _room(self._n_rows):
                self._runs.write([self._sorted()])

    def _sorted(self) -> pa.Table:
        table = _sorted(self._held, self._by)
        self._held, self._held_bytes = [], 0
        return table

    def tables(self) -> Iterator[pa.Table]:
        """Yield all rows, `ROWS_TOGETHER` at a time; at least one table, if one was added. To be called once."""
        with _room(self._n_rows):
            yield from rechunked(table.drop_columns(_NUMBER) for table in self._merged())

    def _merged(self) -> Iterator[pa.Table]:
        """All rows, in pieces of any size."""
        if not len(self._runs):
            yield from [self._sorted()] if self._held else []
            return
        if self._held:
            self._runs.write([self._sorted()])
        runs, start = self._runs.read(), 0
        while len(runs) > _FAN_IN:
            n_merged = min(_FAN_IN, len(runs) - _FAN_IN + 1)
            start = start if start + n_merged <= len(runs) else 0
            merged = _Runs(self._run)
            merged.write(_merge(runs[start : start + n_merged], self._by))
            runs[start : start + n_merged] = merged.read()
            start += 1
        yield from _merge(runs, self._by)


class _Runs:
    """Sorted tables in a temporary file, written one after the other and then read side by side."""

    def __init__(self, run: int) -> None:
        self._run = run  # bytes of one
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        self._writer: ipc.RecordBatchFileWriter | None = None
        self._ends = [0]  # of the runs, in batches

    def __len__(self) -> int:
        return len(self._ends) - 1

    def write(self, tables: Iterable[pa.Table]) -> None:
        """Append a run, in batches of which one of each run fit into memory."""
        end = self._ends[-1]
        for table in tables:
            if self._writer is None:
                options = ipc.IpcWriteOptions(compression="lz4")
                self._writer = ipc.new_file(self._file, table.schema, options=options)
            rows = max(1, len(table) * self._run // (_FAN_IN * max(1, table.nbytes)))
            for batch in table.combine_chunks().to_batches(max_chunksize=rows):
                self._writer.write_batch(batch)
                end += 1
        self._ends.append(end)

    def read(self) -> list[Iterator[pa.Table]]:
        """The runs, a batch at a time; nothing can be written any more."""
        assert self._writer is not None
        self._writer.close()
        reader = ipc.open_file(self._file)
        return [
            (pa.Table.from_batches([reader.get_batch(number)]) for number in range(start, end))
            for start, end in pairwise(self._ends)
        ]


@contextmanager
def _room(n_rows: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = tempfile.gettempdir()
        raise UserError(f"{where}: no room to sort {n_rows} rows; point TMPDIR to a folder with more") from None


def _sorted(tables: Sequence[pa.Table], by: Sequence[str]) -> pa.Table:
    table = pa.concat_tables(tables).combine_chunks()
    return table.take(pc.sort_indices(table, [(column, "ascending") for column in by]))


def _merge(runs: Sequence[Iterator[pa.Table]], by: Sequence[str]) -> Iterator[pa.Table]:
    return (_sorted(parts, by) for parts in merge_join(runs, *by, _NUMBER))


def _key(table: pa.Table, row: int, by: Sequence[str]) -> tuple[Any, ...]:
    return tuple(table[column][row].as_py() for column in by)


def merge_join(streams: Sequence[Iterable[pa.Table]], *by: str) -> Iterator[list[pa.Table]]:
    """Read sorted tables side by side, some keys at a time.

    Parameters
    ----------
    streams : sequence of iterables of Table
        Each a table in pieces, at least one, sorted by `by`.
    *by : str
        Columns that all of them have.

    Yields
    ------
    list of Table
        Of each stream the rows with the next keys, maybe none; at least one list. All rows with one key come together,
        and they are all that is held beside a piece or two of each stream.
    """
    rests = [iter(stream) for stream in streams]
    heads = [next(rest) for rest in rests]
    least = [len(head) // 2 for head in heads]  # rows below which more are read
    more = [True] * len(heads)  # to be read, perhaps
    bound: tuple[Any, ...] | None = None
    first = True
    while True:
        for number, rest in enumerate(rests):
            while more[number] and (
                len(heads[number]) <= least[number] or _key(heads[number], len(heads[number]) - 1, by) == bound
            ):
                table = next(rest, None)
                more[number] = table is not None
                if table is not None:
                    heads[number] = pa.concat_tables([heads[number], table])
        ends = [_key(head, len(head) - 1, by) for head, open_ in zip(heads, more, strict=True) if open_]
        bound = min(ends, default=None)
        cuts = [len(head) if bound is None else _rows_below(head, bound, by) for head in heads]
        if first or any(cuts):
            yield [head.slice(0, end) for head, end in zip(heads, cuts, strict=True)]
        if bound is None:
            return
        first = False
        heads = [head.slice(end) for head, end in zip(heads, cuts, strict=True)]


def _rows_below(table: pa.Table, bound: tuple[Any, ...], by: Sequence[str]) -> int:
    return bisect_left(range(len(table)), bound, key=lambda row: _key(table, row, by))


def rechunked(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, `ROWS_TOGETHER` at a time; an empty table only where there is no row."""
    held: pa.Table | None = None
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table])
        while len(held) > ROWS_TOGETHER:
            yield held.slice(0, ROWS_TOGETHER)
            held = held.slice(ROWS_TOGETHER)
    if held is not None:
        yield held


def sort(tables: Iterable[pa.Table], *by: str) -> Iterator[pa.Table]:
    """The rows of many tables, in order; as a `Sorter`, into which they all go before the first one comes out."""
    sorter = Sorter(*by)
    for table in tables:
        sorter.add(table)
    yield from sorter.tables()


class Distinct:
    """Counts how many different texts there are among many."""

    def __init__(self) -> None:
        self._sorter = Sorter("value")

    def add(self, values: pd.Series) -> None:
        """Take some texts."""
        self._sorter.add(pa.table({"value": pc.unique(pa.array(values, pa.large_string()))}))

    def count(self) -> int:
        """Different values among those that were added; to be called once."""
        tables = merge_join([self._sorter.tables()], "value") if len(self._sorter) else []
        return sum(pc.count_distinct(table["value"]).as_py() for (table,) in tables)
