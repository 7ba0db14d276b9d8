"""The stage `preprocess`: one ingest shard to model-ready signals, a table with their quality, and a ledger.

What happens to a recording is in `recording.py` and `quality.py`; here is the work over a shard: a chunk of records
at a time, on any number of processes, appended to one file, so that no shard has to fit into memory.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.samples import ArrayWriter, array_writer, lead_metadata, says_otherwise, sole_writer
from ecglfm.data.signals.quality import MEASURES
from ecglfm.data.signals.recording import prepare
from ecglfm.provenance import write_parquet
from ecglfm.records import ledger_frame, require_columns
from ecglfm.sources.parallel import ordered_map

logger = logging.getLogger(__name__)

#: Columns of the table that measure a record's quality; null where a record cannot have one.
QUALITY = tuple(MEASURES)
OUTPUT_DTYPES = {
    "record_id": "str", "source": "str", "patient_id": "str", "shard": "int64", "offset": "int64",
    "n_samples": "int64", "sampling_rate": "int64", "lead_mask": "int64", "sha256": "str", **MEASURES, "flags": "str",
}  # fmt: skip
#: What a worker takes at a time, at most: few enough to stay small, enough to make the hand-over cheap.
CHUNK_RECORDS, CHUNK_SAMPLES = 32, 320_000


class _Row(NamedTuple):
    """A row of an ingest table."""

    record_id: str
    source: str
    patient_id: str
    offset: int
    n_samples: int
    sampling_rate: float
    lead_mask: int
    sha256: str


class _Chunk(NamedTuple):
    """What a worker does at a time: rows, the `.npy` that holds their samples, and how to prepare them."""

    rows: list[_Row]
    signals: Path
    config: PreprocessConfig


class _Result(NamedTuple):
    """One record as a worker hands it back: raw bytes, a row of the table (or none), ledger rows."""

    signal: bytes
    row: dict[str, Any] | None
    ledger: list[dict[str, str]]


def _prepare_row(signals: np.ndarray, row: _Row, chunk: _Chunk) -> _Result:
    raw, config = signals[row.offset : row.offset + row.n_samples], chunk.config
    digest = hashlib.sha256(raw).hexdigest()  # type: ignore[arg-type]  # any buffer will do
    if digest != row.sha256:
        table = str(chunk.signals.with_suffix(".parquet"))
        raise UserError(says_otherwise(chunk.signals, row.record_id, expected=row.sha256, found=digest, table=table))
    prepared = prepare(raw, row.sampling_rate, config, lead_mask=row.lead_mask)
    about = {"source": row.source, "record_id": row.record_id, "stage": "preprocess"}
    if prepared.dropped:
        reason, detail = prepared.dropped
        return _Result(b"", None, [about | {"action": "dropped", "reason": reason, "detail": detail}])
    content = prepared.signal.tobytes()
    untouched = prepared.signal is raw  # then ingest has hashed these very samples
    out = {
        "record_id": row.record_id,
        "source": row.source,
        "patient_id": row.patient_id,
        "n_samples": len(prepared.signal),
        "sampling_rate": config.sampling_rate,
        "lead_mask": row.lead_mask,
        "sha256": row.sha256 if untouched else hashlib.sha256(content).hexdigest(),
        **prepared.quality,
        "flags": ",".join(prepared.flags),
    }
    flagged = [about | {"action": "flagged", "reason": name, "detail": text} for name, text in prepared.flags.items()]
    return _Result(content, out, flagged)


def _prepare_chunk(chunk: _Chunk) -> list[_Result]:
    signals = np.asarray(np.load(chunk.signals, mmap_mode="r", allow_pickle=False))  # slices of a memmap cost more
    return [_prepare_row(signals, row, chunk) for row in chunk.rows]


def _chunks(rows: list[_Row], signals: Path, config: PreprocessConfig) -> Iterator[_Chunk]:
    """Cut the rows into chunks, whatever their lengths; a recording longer than `CHUNK_SAMPLES` is one of its own."""
    chunk: list[_Row] = []
    samples = 0
    for row in rows:
        if chunk and (len(chunk) == CHUNK_RECORDS or samples + row.n_samples > CHUNK_SAMPLES):
            yield _Chunk(chunk, signals, config)
            chunk, samples = [], 0
        chunk.append(row)
        samples += row.n_samples
    if chunk:
        yield _Chunk(chunk, signals, config)


def _results(table: pd.DataFrame, signals: Path, config: PreprocessConfig, workers: int) -> Iterator[_Result]:
    """Prepare every row, in the table's order whatever the number of workers."""
    rows = [_Row(*row) for row in table[list(_Row._fields)].itertuples(index=False, name=None)]
    chunks = _chunks(rows, signals, config)
    return itertools.chain.from_iterable(ordered_map(_prepare_chunk, chunks, workers, preload=["scipy.signal"]))


def _read_table(path: Path, signals: Path) -> pd.DataFrame:
    """Read an ingest table and check that its signals are all there."""
    table = pd.read_parquet(path)
    require_columns(table, list(_Row._fields), str(path))
    shape = np.load(signals, mmap_mode="r", allow_pickle=False).shape
    needed = int((table.offset + table.n_samples).max()) if len(table) else 0
    if len(shape) != 2 or shape[1] != len(LEADS) or shape[0] < needed:
        raise UserError(
            f"{signals}: shape {shape}, but {path.name} needs ({needed}, {len(LEADS)}); "
            "delete both and run ingest again"
        )
    return table


def _write_rows(results: Iterable[_Result], writer: ArrayWriter) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    rows, ledger = [], []
    for result in results:
        ledger += result.ledger
        if result.row is not None:
            rows.append(result.row | {"offset": writer.n_rows})
            writer.append(result.signal)
    return rows, ledger


def run_preprocess(config: PreprocessConfig, input: Path, output: Path, workers: int) -> None:  # noqa: A002
    """Prepare one ingest shard.

    Parameters
    ----------
    config : PreprocessConfig
    input : path
        `ingest/{source}/{shard}.npy`; its `.parquet` lies beside it.
    output : path
        `preprocess/{source}/{shard}.npy`; `.parquet`, whose metadata names the leads, and `.ledger.parquet`
        are written beside it.
    workers : int
        Processes. The output does not depend on it.

    Raises
    ------
    UserError
        An ingest shard that is not whole or not what ingest wrote, or another process writes the same one.
    """
    table = _read_table(input.with_suffix(".parquet"), input)
    with sole_writer(output):
        with array_writer(output, len(config.leads)) as writer:
            results = tqdm(
                _results(table, input, config, workers),
                total=len(table), desc=f"preprocess {output.parent.name} {output.stem}", unit="record", disable=None,
            )  # fmt: skip
            rows, ledger = _write_rows(results, writer)
        frame = pd.DataFrame(rows, columns=list(OUTPUT_DTYPES)).assign(shard=int(output.stem))
        write_parquet(output.with_suffix(".parquet"), frame.astype(OUTPUT_DTYPES), lead_metadata(config.leads))
        write_parquet(output.with_suffix(".ledger.parquet"), ledger_frame(ledger))
    logger.info("%s: %d of %d records", output, len(rows), len(table))
