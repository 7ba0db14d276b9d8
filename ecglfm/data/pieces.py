"""Parquet tables of many records, read and written some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import union_categoricals

from ecglfm.provenance import atomic

ROWS_TOGETHER = 16384


def table_pieces(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Some columns of a table in pieces, the rows labelled by their numbers from 0; at least one piece."""
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_TOGETHER, columns=columns):
            yield pa.Table.from_batches([batch]).to_pandas().set_axis(range(start, start + len(batch)))
            start += len(batch)
        if not start:
            yield file.read(columns=columns).to_pandas()


def hashes(texts: pd.Series) -> np.ndarray:
    """Python's hash of each string, int64: enough to find it again in this process, in 8 bytes."""
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def joined(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    """Pieces of a table as one, column after column; `pieces` are emptied, so that it is not held twice."""
    columns = {}
    for name, kind in pieces[0].dtypes.items():
        parts = [piece.pop(str(name)) for piece in pieces]
        of_categories = isinstance(kind, pd.CategoricalDtype)
        columns[name] = union_categoricals(parts) if of_categories else pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns, copy=False)


@contextmanager
def write_pieces(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends rows to a table, which is written atomically and without row labels.

    The first call decides on columns and types. Nothing is written where the block fails, or without a call.
    """
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None

        def append(frame: pd.DataFrame) -> None:
            nonlocal writer
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                temporary = stack.enter_context(atomic(path))
                writer = stack.enter_context(pq.ParquetWriter(temporary, table.schema))
            elif not len(frame):
                return
            writer.write_table(table.cast(writer.schema))

        yield append
