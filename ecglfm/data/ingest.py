"""Ingest: raw recordings of any database to int16 microvolts, twelve leads in standard order.

One file per shard, written record by record, so that no database has to fit in memory. A recording that
cannot be read, or has no standard lead, is one row of the ledger and the rest goes through.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from tqdm import tqdm

from ecglfm.config import LEADS, SourceSlice, UserError
from ecglfm.data.samples import array_writer, sole_writer, write_rows
from ecglfm.provenance import write_parquet
from ecglfm.records import ALL_LEADS, NAME_LEADS, SENTINEL, Microvolts, RecordError, ledger_frame, require_columns
from ecglfm.sources import open_source
from ecglfm.sources.base import check_made_by
from ecglfm.sources.parallel import Places, ordered_map

if TYPE_CHECKING:
    from ecglfm.sources.base import Source

logger = logging.getLogger(__name__)

CHUNK = 16  # records a worker reads at a time: about 2 MB of samples
HELD_BYTES = 1 << 25  # of samples that a worker holds before it writes them: recordings of a day are long
#: Columns of `ingest/{source}/{shard}.parquet`.
OUTPUT_DTYPES = {
    "record_id": "str",
    "source": "str",
    "patient_id": "str",
    "offset": "int64",
    "n_samples": "int64",
    "sampling_rate": "float64",
    "lead_mask": "int64",  # bit i is set where LEADS[i] was recorded or derived; the others are all SENTINEL
    "missing_samples": "int64",  # of the leads that are there
    "sha256": "str",
}


class _Chunk(NamedTuple):
    """What a worker does at a time."""

    number: int
    paths: list[str]


class _Found(NamedTuple):
    """What became of one recording, whose samples the worker has written.

    `fault` is (reason, detail) of one that cannot be used; `flags` are such pairs of one that can.
    """

    n_samples: int = 0
    sampling_rate: float = 0.0
    lead_mask: int = 0
    missing_samples: int = 0
    sha256: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    fault: tuple[str, str] | None = None


def flags_of(record: Microvolts) -> tuple[tuple[str, str], ...]:
    """What was done to the leads, and what the file says against itself, for the ledger."""
    flags = [*record.flags]
    if record.derived:
        flags.append(("leads_derived", f"{' '.join(record.derived)} computed from two other limb leads"))
    if record.ignored:
        hint = "" if record.lead_mask == ALL_LEADS else f"; if they are, {NAME_LEADS}"
        flags.append(("leads_ignored", f"{' '.join(record.ignored)} not among the standard leads{hint}"))
    return tuple(flags)


def _describe(record: Microvolts, signal: np.ndarray) -> _Found:
    absent = len(LEADS) - record.lead_mask.bit_count()
    missing = np.count_nonzero(signal == SENTINEL) - absent * len(signal)
    digest = hashlib.sha256(signal).hexdigest()  # type: ignore[arg-type]  # any buffer will do
    return _Found(len(signal), record.sampling_rate, record.lead_mask, int(missing), digest, flags_of(record))


class _Reader:
    """Reads chunks of records and writes their samples into the shard's file; runs in the worker processes.

    Samples never travel between processes, so that reading scales with them.

    Parameters
    ----------
    slice : SourceSlice
    output : path
        The shard's file, which an `ArrayWriter` has open.
    places : Places
        Where each chunk's samples go.
    """

    def __init__(self, slice: SourceSlice, output: Path, places: Places) -> None:  # noqa: A002
        self._slice, self._output, self._places = slice, output, places

    @cached_property
    def _source(self) -> Source:
        return open_source(self._slice)

    def __call__(self, chunk: _Chunk) -> list[_Found]:
        signals: list[np.ndarray] = []
        rows: list[_Found] = []
        try:
            for path in chunk.paths:
                try:
                    record = self._source.record(path).microvolts()
                except RecordError as error:
                    rows.append(_Found(fault=(error.reason, error.detail)))
                    continue
                signals.append(np.ascontiguousarray(record.signal))
                rows.append(_describe(record, signals[-1]))
                if sum(signal.nbytes for signal in signals) > HELD_BYTES:
                    self._write(chunk, signals, more=True)
                    signals = []
        except BaseException:
            self._places.take(chunk.number, 0)
            raise
        self._write(chunk, signals)
        return rows

    def _write(self, chunk: _Chunk, signals: list[np.ndarray], *, more: bool = False) -> None:
        write_rows(self._output, self._places.take(chunk.number, sum(map(len, signals)), more=more), signals)


def shard_rows(total: int, shard: int, shards: int) -> range:
    """Rows of an index of `total` rows that are shard `shard` of `shards` (from 0).

    Raises
    ------
    UserError
        `shard` is not one of 0 … `shards` - 1.
    """
    if not 0 <= shard < shards:
        raise UserError(f"--shard {shard} --shards {shards}: shards are numbered 0 to {shards - 1}")
    return range(shard * total // shards, (shard + 1) * total // shards)


def _read_index(slice: SourceSlice, index: Path, shard: int, shards: int) -> list[dict[str, str]]:  # noqa: A002
    """The shard's rows of the index, and no others: a database may have millions."""
    columns = ["record_id", "source", "patient_id", "path"]
    try:
        file = pq.ParquetFile(index)
    except FileNotFoundError:
        raise UserError(f"{index}: no such file; run `ecglfm index` first") from None
    with file:
        require_columns(pd.DataFrame(columns=file.schema_arrow.names), columns, str(index))
        chosen = shard_rows(file.metadata.num_rows, shard, shards)
        groups, skipped, end = [], 0, 0
        for group in range(file.metadata.num_row_groups):
            start, end = end, end + file.metadata.row_group(group).num_rows
            if start < chosen.stop and end > chosen.start:
                groups.append(group)
                skipped = chosen.start - start if len(groups) == 1 else skipped
        table = file.read_row_groups(groups, columns=columns)
    rows: list[dict[str, str]] = table.slice(skipped, len(chosen)).to_pylist()
    others = sorted({row["source"] for row in rows} - {slice.source})
    if others:
        raise UserError(f"{index}: index of source {others[0]!r}, but --config is that of {slice.source!r}")
    check_made_by(index, slice)
    return rows


def _chunks(rows: list[dict[str, str]]) -> Iterator[_Chunk]:
    paths = [row["path"] for row in rows]
    return (_Chunk(k // CHUNK, paths[k : k + CHUNK]) for k in range(0, len(paths), CHUNK))


def run_ingest(
    slice: SourceSlice,  # noqa: A002
    index: Path,
    shard: int,
    shards: int,
    output: Path,
    workers: int = 1,
) -> None:
    """Read one shard of a source.

    Parameters
    ----------
    slice : SourceSlice
    index : path
        `index/{source}.parquet`.
    shard, shards : int
        Which part of how many; see `shard_rows`.
    output : path
        `ingest/{source}/{shard}.npy`, int16 microvolts (samples of all records, 12); `.parquet` and
        `.ledger.parquet` are written beside it.
    workers : int
        Processes. The output does not depend on it.

    Raises
    ------
    UserError
        The source's root is not a folder, there is no such shard, the index is missing or of another config, or another
        process writes the shard.
    """
    open_source(slice)  # a root that is not there is one clear line, not a ledger full of missing files
    index_rows = _read_index(slice, index, shard, shards)
    table_rows: list[tuple[str | int | float, ...]] = []
    ledger: list[dict[str, str]] = []
    with sole_writer(output):
        with array_writer(output, len(LEADS)) as writer:
            reader = _Reader(slice, writer.path, Places(workers))
            found = itertools.chain.from_iterable(ordered_map(reader, _chunks(index_rows), workers))
            progress = tqdm(
                zip(index_rows, found, strict=True),
                total=len(index_rows), desc=f"ingest {slice.source} {shard}", unit="record", disable=None,
            )  # fmt: skip
            for row, record in progress:
                about = {"source": row["source"], "record_id": row["record_id"], "stage": "ingest"}
                if record.fault:
                    reason, detail = record.fault
                    ledger.append(about | {"action": "dropped", "reason": reason, "detail": detail})
                    continue
                ledger += [about | {"action": "flagged", "reason": name, "detail": text} for name, text in record.flags]
                table_rows.append((row["record_id"], row["source"], row["patient_id"], writer.n_rows, *record[:5]))
                writer.n_rows += record.n_samples
        table = pd.DataFrame(table_rows, columns=list(OUTPUT_DTYPES)).astype(OUTPUT_DTYPES)
        write_parquet(output.with_suffix(".parquet"), table)
        write_parquet(output.with_suffix(".ledger.parquet"), ledger_frame(ledger))
    logger.info("%s: %d of %d records", output, len(table), len(index_rows))
