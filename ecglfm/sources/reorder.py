"""Tables in another order than that in which they come, in little memory: through a temporary file.

A database's table may have millions of rows of a kilobyte, in any order, and its index is in the order of the ids. So
what the order needs is read first, a few bytes a record, and then the rows pass through a file on disk, in `$TMPDIR`.
"""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from ecglfm.config import UserError

ROWS_TOGETHER = 16384  # rows of a piece, and of a row group of the index
#: Columns of an index whose type a piece without values would not show.
NESTED = {
    "codes": pa.list_(pa.struct([("code", pa.string()), ("likelihood", pa.float64())])),
    "native.scp_class": pa.list_(pa.string()),
}
_GATHERED = 1 << 25  # bytes that are split at a time: pieces of a few rows cost more than their bytes
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


def text_array(texts: Iterable[str]) -> pa.LargeStringArray:
    """Many strings without a Python object for each of them."""
    rest = iter(texts)
    parts = iter(lambda: list(islice(rest, ROWS_TOGETHER)), [])
    return pa.chunked_array((pa.array(part, pa.large_string()) for part in parts), pa.large_string()).combine_chunks()


def rank_of(order: np.ndarray) -> np.ndarray:
    """Place of each row in an order, int64, shape (n,): the inverse permutation."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def natural_key(text: str) -> bytes:
    """Sort key under which numbers inside a name count as numbers: `a/2` comes before `a/10`."""
    parts = [(word, digits.lstrip("0")) for word, digits in re.findall(r"(\D*)(\d*)", text, re.ASCII)]
    key = b"".join(b"%b\0%b%b" % (word.encode(), len(n).to_bytes(4, "big"), n.encode()) for word, n in parts)
    return key + text.encode()  # of equal numbers: in order of letters


def natural_order(texts: Iterable[str]) -> np.ndarray:
    """Rows in natural order (`natural_key`), int64, shape (n,); equal texts in theirs."""
    rest = map(natural_key, texts)
    parts = iter(lambda: list(islice(rest, ROWS_TOGETHER)), [])
    keys = pa.chunked_array((pa.array(part, pa.large_binary()) for part in parts), pa.large_binary())
    return pc.sort_indices(pa.table({"key": keys}), [("key", "ascending")]).to_numpy().astype(np.int64)


def in_order(
    pieces: Iterable[pd.DataFrame], rank: np.ndarray, *, n_places: int | None = None, rows: int = ROWS_TOGETHER
) -> Iterator[pd.DataFrame]:
    """The rows of many pieces, sorted.

    Parameters
    ----------
    pieces : iterable of DataFrame
        Tables with the same columns. All are taken before the first piece is yielded.
    rank : ndarray of int, shape (n,)
        Place of each of their rows in the order, from 0; a row of place -1 is left out.
    n_places : int, optional
        Places there are, where some may be empty; by default as many as rows.
    rows : int
        Places of a yielded piece.

    Yields
    ------
    DataFrame
        The rows of places 0 to `rows` - 1, `rows` to 2 `rows` - 1, …, labelled by their places; at least one piece.

    Raises
    ------
    UserError
        There is no room for the temporary file.
    """
    with tempfile.TemporaryFile() as file:
        try:
            n_pieces = max(1, -(-(len(rank) if n_places is None else n_places) // rows))
            yield from _through(file, pieces, rank, n_pieces, rows)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            where = tempfile.gettempdir()
            raise UserError(f"{where}: no room to sort {len(rank)} rows; point TMPDIR to a folder with more") from None


def _through(
    file: BinaryIO, pieces: Iterable[pd.DataFrame], rank: np.ndarray, n_pieces: int, rows: int
) -> Iterator[pd.DataFrame]:
    batches: list[list[int]] = [[] for _ in range(n_pieces)]  # of each piece to come
    writer, n_batches, done = None, 0, 0
    for table in _together(pieces):
        if writer is None:
            schema = table.schema.append(pa.field("place", pa.int64()))
            writer = ipc.new_file(file, schema, options=ipc.IpcWriteOptions(compression="lz4"))
        places = rank[done : done + len(table)]
        done += len(table)
        order = np.argsort(places, kind="stable")
        table = table.append_column("place", pa.array(places)).take(pa.array(order))
        bounds = np.searchsorted(places[order], np.arange(n_pieces + 1) * rows)
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            part = table.slice(bounds[number], bounds[number + 1] - bounds[number])
            writer.write_batch(part.combine_chunks().to_batches()[0])
            batches[number].append(n_batches)
            n_batches += 1
    if writer is None:
        return
    writer.close()
    reader = ipc.open_file(file)
    for numbers in batches:
        table = pa.Table.from_batches([reader.get_batch(k) for k in numbers], reader.schema)
        table = table.take(pc.sort_indices(table["place"]))
        yield to_frame(table.drop_columns("place")).set_axis(table["place"].to_numpy())


def _together(pieces: Iterable[pd.DataFrame]) -> Iterator[pa.Table]:
    """Tables of at least `_GATHERED` bytes (the last of fewer), with the schema of the first."""
    held: list[pa.Table] = []
    for frame in pieces:
        table = to_table(frame)
        held.append(table.cast(held[0].schema) if held else table)
        if sum(table.nbytes for table in held) >= _GATHERED:
            yield pa.concat_tables(held)
            held = [held[0].slice(0, 0)]
    if held:
        yield pa.concat_tables(held)
