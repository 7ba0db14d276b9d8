"""Ingest: raw recordings of any database to int16 microvolts, twelve leads in standard order.

One file per shard, appended record by record, so that no database has to fit in memory. A recording that
cannot be read, or has no standard lead, is one row of the ledger and the rest goes through.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from ecglfm.config import LEADS, SourceSlice, UserError
from ecglfm.data.array_writer import array_writer
from ecglfm.provenance import write_parquet
from ecglfm.records import SENTINEL, Microvolts, RecordError, ledger_frame, require_columns
from ecglfm.sources import open_source
from ecglfm.sources.parallel import ordered_map

logger = logging.getLogger(__name__)

CHUNK = 16  # records a worker reads at a time: about 2 MB of samples
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

    slice: SourceSlice
    paths: list[str]


class _Samples(NamedTuple):
    """One recording as a worker hands it back.

    `fault` is (reason, detail) of one that cannot be used; `flags` are such pairs of one that can.
    """

    content: bytes
    n_samples: int = 0
    sampling_rate: float = 0.0
    lead_mask: int = 0
    missing_samples: int = 0
    sha256: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    fault: tuple[str, str] | None = None


def _flags(record: Microvolts) -> tuple[tuple[str, str], ...]:
    """What was done to the leads, for the ledger."""
    flags = []
    if record.derived:
        flags.append(("leads_derived", f"{' '.join(record.derived)} computed from two other limb leads"))
    if record.ignored:
        flags.append(("leads_ignored", f"{' '.join(record.ignored)} not among the standard leads"))
    return tuple(flags)


def _read_chunk(chunk: _Chunk) -> list[_Samples]:
    source = open_source(chunk.slice)
    samples = []
    for path in chunk.paths:
        try:
            record = source.read_microvolts(path)
        except RecordError as error:
            samples.append(_Samples(b"", fault=(error.reason, error.detail)))
            continue
        signal, rate, mask, _, _ = record
        content = signal.tobytes()
        absent = len(LEADS) - mask.bit_count()
        missing = int((signal == SENTINEL).sum()) - absent * len(signal)
        digest = hashlib.sha256(content).hexdigest()
        samples.append(_Samples(content, len(signal), rate, mask, missing, digest, _flags(record)))
    return samples


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


def _read_index(slice: SourceSlice, index: Path) -> pd.DataFrame:  # noqa: A002
    columns = ["record_id", "source", "patient_id", "path"]
    try:
        frame = pd.read_parquet(index)
    except FileNotFoundError:
        raise UserError(f"{index}: no such file; run `ecglfm index` first") from None
    require_columns(frame, columns, str(index))
    others = sorted(set(frame["source"]) - {slice.source})
    if others:
        raise UserError(f"{index}: index of source {others[0]!r}, but --config is that of {slice.source!r}")
    return frame[columns]


def _samples(slice: SourceSlice, rows: pd.DataFrame, workers: int) -> Iterator[_Samples]:  # noqa: A002
    """Read every row, in the table's order whatever the number of workers."""
    paths = rows["path"].tolist()
    chunks = (_Chunk(slice, paths[k : k + CHUNK]) for k in range(0, len(paths), CHUNK))
    return itertools.chain.from_iterable(ordered_map(_read_chunk, chunks, workers))


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
        The source's root is not a folder, there is no such shard, or the index is missing.
    """
    open_source(slice)  # a root that is not there is one clear line, not a ledger full of missing files
    frame = _read_index(slice, index)
    chosen = shard_rows(len(frame), shard, shards)
    frame = frame.iloc[chosen.start : chosen.stop]
    rows, ledger = [], []
    with array_writer(output, len(LEADS)) as writer:
        found = tqdm(
            zip(frame.itertuples(index=False), _samples(slice, frame, workers), strict=True),
            total=len(frame), desc=f"ingest {slice.source} {shard}", unit="record", disable=None,
        )  # fmt: skip
        for row, samples in found:
            about = {"source": row.source, "record_id": row.record_id, "stage": "ingest"}
            if samples.fault:
                reason, detail = samples.fault
                ledger.append(about | {"action": "dropped", "reason": reason, "detail": detail})
                continue
            ledger += [about | {"action": "flagged", "reason": name, "detail": text} for name, text in samples.flags]
            rows.append(
                (row.record_id, row.source, row.patient_id, writer.n_rows, samples.n_samples, samples.sampling_rate,
                 samples.lead_mask, samples.missing_samples, samples.sha256)
            )  # fmt: skip
            writer.append(samples.content)
    table = pd.DataFrame(rows, columns=list(OUTPUT_DTYPES)).astype(OUTPUT_DTYPES)
    write_parquet(output.with_suffix(".parquet"), table)
    write_parquet(output.with_suffix(".ledger.parquet"), ledger_frame(ledger))
    logger.info("%s: %d of %d records", output, len(table), len(frame))
