"""Tables of the stages: where those of a source's shards are; many records, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.provenance import atomic
from ecglfm.sources.tables import ROWS_TOGETHER, sort

#: Reads some columns of a table of records, as `table_pieces` does.
TableReader = Callable[[list[str]], Iterator[pd.DataFrame]]


def table_pieces(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Some columns of a table in pieces, the rows labelled by their numbers from 0; at least one piece."""
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_TOGETHER, columns=columns):
            yield pa.Table.from_batches([batch]).to_pandas().set_axis(range(start, start + len(batch)))
            start += len(batch)
        if not start:
            yield file.read(columns=columns).to_pandas()


def sorted_pieces(pieces: Iterable[pd.DataFrame], *by: str) -> Iterator[pa.Table]:
    """All rows in the order of some columns without nulls, a piece at a time."""
    return sort((pa.Table.from_pandas(piece, preserve_index=False) for piece in pieces), *by)


@contextmanager
def write_pieces(path: Path, metadata: dict[str, str] | None = None) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends rows to a table, which is written atomically and without row labels.

    The first call decides on columns and types. Nothing is written where the block fails, or without a call.
    `metadata` goes into the file's own, beside the columns.
    """
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None

        def append(frame: pd.DataFrame) -> None:
            nonlocal writer
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                temporary = stack.enter_context(atomic(path))
                writer = stack.enter_context(pq.ParquetWriter(temporary, table.schema))
                writer.add_key_value_metadata(metadata or {})
            elif not len(frame):
                return
            writer.write_table(table.cast(writer.schema))

        yield append


def shard_tables(folder: Path, suffix: str, shards: int | None) -> list[Path]:
    """Tables of a stage's shards; files of an earlier, larger number of shards are passed over."""
    paths = sorted(path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).isdigit())
    if shards is not None:
        paths = [path for path in paths if int(path.name.removesuffix(suffix)) < shards]
    if not paths or (shards is not None and len(paths) != shards):
        raise UserError(
            f"{folder}: {len(paths)} of {shards or 'the'} shards are there; run the stage {folder.parent.name}"
        )
    return paths
