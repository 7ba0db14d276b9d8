"""From ingested microvolts to model-ready signals: leads, gaps, rate, filters, quality policy.

The same `prepare` serves the pipeline's shards and a single recording at prediction time, so that a
model always sees what it was trained on.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data import signal as steps
from ecglfm.data.array_writer import ArrayWriter, array_writer
from ecglfm.provenance import write_parquet
from ecglfm.records import SENTINEL, Record, RecordError, ledger_frame, require_columns, to_microvolts
from ecglfm.sources.parallel import ordered_map

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

QUALITY = ("missing_fraction", "flat_leads", "clipped_fraction", "einthoven_residual")
OUTPUT_DTYPES = {
    "record_id": "str", "source": "str", "patient_id": "str", "shard": "int64", "offset": "int64",
    "n_samples": "int64", "sampling_rate": "int64", "sha256": "str", "missing_fraction": "float64",
    "flat_leads": "int64", "clipped_fraction": "float64", "einthoven_residual": "float64", "flags": "str",
}  # fmt: skip
#: Records a worker takes at a time: few enough to stay small, enough to make the hand-over cheap.
CHUNK = 32
RATES = (20.0, 20000.0)  # Hz; beyond them the header is wrong, and resampling would take all memory


@dataclass(frozen=True)
class Prepared:
    """One recording after preprocessing.

    Attributes
    ----------
    signal : ndarray of int16, shape (n_samples, len(leads))
        Microvolts at the configured rate, never `SENTINEL`; empty when the record is dropped.
    quality : dict
        The measures of `QUALITY`, taken from the raw signal.
    flags : dict
        Failed `flag` test: detail.
    dropped : tuple of (reason, detail) or None
    """

    signal: np.ndarray
    quality: dict[str, float]
    flags: dict[str, str]
    dropped: tuple[str, str] | None = None


class Encoder(Protocol):
    """What `preprocess` asks of an encoder: how it was fed."""

    @property
    def preprocess(self) -> PreprocessConfig:
        """How its signals were prepared."""

    @property
    def crop_samples(self) -> int:
        """Samples of one window."""


def check_filters(config: PreprocessConfig) -> None:
    """Raise `UserError` when a filter does not fit below half of the sampling rate."""
    half = config.sampling_rate / 2
    band = config.bandpass
    if band is not None and not band.low < band.high < half:
        raise UserError(
            f"preprocess.bandpass: {band.low:g} to {band.high:g} Hz does not fit below {half:g} Hz, half of "
            "preprocess.sampling_rate; lower `high`, raise the rate, or write `bandpass: null`"
        )
    if config.notch is not None and not config.notch.frequency < half:
        raise UserError(
            f"preprocess.notch.frequency: {config.notch.frequency:g} Hz is not below {half:g} Hz, half of "
            "preprocess.sampling_rate; write `notch: null`"
        )


def _measure(standard: np.ndarray, signal: np.ndarray, fs: float, missing: float) -> dict[str, float]:
    """Quality of the raw signal; Einthoven's law from the standard leads, the rest from the chosen ones."""
    signal = np.asfortranarray(signal)  # a lead's samples side by side: NumPy is six times as fast along them
    low, high = steps.extremes(signal)
    limb = (standard[:, LEADS.index(lead)] for lead in ("I", "II", "III"))
    return {
        "missing_fraction": missing,
        "flat_leads": int(steps.flat_leads(low, high).sum()),
        "clipped_fraction": steps.clipped_samples(signal, fs, low=low, high=high) / signal.size,
        "einthoven_residual": steps.einthoven_residual(*limb),
    }


def _judge(quality: dict[str, float], config: PreprocessConfig) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Flags and the reason to drop, if any, by the quality tests; a measure that is NaN passes."""
    limits = config.quality
    tests = {
        "missing_fraction": limits.missing_fraction,
        "flat_leads": limits.flat_leads,
        "clipped_fraction": limits.clipped_fraction,
        "einthoven_residual": limits.einthoven_residual,
    }
    flags: dict[str, str] = {}
    for name, test in tests.items():
        if test.action == "keep" or not quality[name] > test.limit:
            continue
        detail = f"{quality[name]:.4g}, limit {test.limit:g}"
        if test.action == "drop":
            return {}, (name, detail)
        flags[name] = detail
    return flags, None


def prepare(signal_uv: np.ndarray, fs: float, config: PreprocessConfig) -> Prepared:
    """Measure, judge, fill, resample and filter one recording.

    Parameters
    ----------
    signal_uv : ndarray of int16, shape (n_samples, 12)
        Microvolts in the standard lead order; `SENTINEL` where a sample is missing.
    fs : float
        Hz.
    config : PreprocessConfig

    Returns
    -------
    Prepared
    """
    empty = np.empty((0, len(config.leads)), np.int16)
    if len(signal_uv) == 0:
        return Prepared(empty, dict.fromkeys(QUALITY, np.nan), {}, ("too_short", "no samples"))
    if not RATES[0] <= fs <= RATES[1]:
        detail = f"{fs:g} Hz is outside {RATES[0]:g} to {RATES[1]:g} Hz"
        return Prepared(empty, dict.fromkeys(QUALITY, np.nan), {}, ("sampling_rate", detail))
    chosen = [LEADS.index(lead) for lead in config.leads]
    pick = slice(None) if config.leads == list(LEADS) else chosen
    missing = signal_uv == SENTINEL
    some_missing = bool(missing.any())
    standard = np.where(missing, np.nan, signal_uv) if some_missing else signal_uv
    signal = standard[:, pick]
    quality = _measure(standard, signal, fs, float(missing[:, pick].mean()) if some_missing else 0.0)
    flags, dropped = _judge(quality, config)
    if dropped:
        return Prepared(empty, quality, {}, dropped)
    signal, zeroed = steps.fill_missing(signal, fs, max_gap_seconds=config.max_gap_seconds)
    if zeroed:
        flags["long_gap"] = f"{zeroed} samples in gaps over {config.max_gap_seconds:g} s are 0"
    rate, band, mains = config.sampling_rate, config.bandpass, config.notch
    signal = steps.resample(signal, fs, target=rate)
    try:
        if band is not None:
            signal = steps.bandpass(signal, rate, low=band.low, high=band.high, order=band.order)
        if mains is not None:
            signal = steps.notch(signal, rate, frequency=mains.frequency, quality=mains.quality)
    except ValueError as error:  # SciPy's word for fewer samples than its padding
        detail = f"{len(signal)} samples at {rate} Hz are too few for the filters: {error}"
        return Prepared(empty, quality, {}, ("too_short", detail))
    if signal.dtype != np.int16:
        signal = np.clip(np.rint(signal), -32767, 32767).astype(np.int16)
    return Prepared(signal, quality, flags)


def preprocess(record: Record, encoder: Encoder) -> torch.Tensor:
    """Windows ready for an encoder, exactly as the pipeline makes them.

    Parameters
    ----------
    record : Record
        As `ecglfm.read_record` gives it, any rate and lead order.
    encoder : module of `ecglfm.load_encoder`

    Returns
    -------
    Tensor of float32, shape (n_windows, n_leads, n_samples)
        Millivolts, what the encoder is called with. Windows do not overlap; a remainder is left out; a record
        shorter than one window is one window of its own length.

    Raises
    ------
    UserError
        The record cannot be used: leads, length or quality.
    """
    import torch  # here, because the stages of this module do without it

    check_filters(encoder.preprocess)
    try:
        standard = record.standard()
    except RecordError as error:
        raise UserError(f"record cannot be used: {error}") from None
    prepared = prepare(to_microvolts(standard.signal), standard.sampling_rate, encoder.preprocess)
    if prepared.dropped:
        raise UserError(f"record cannot be used: {': '.join(prepared.dropped)}")
    length = encoder.crop_samples
    n_windows = max(1, len(prepared.signal) // length)
    length = min(length, len(prepared.signal))  # not padded: the pipeline's padding is masked, which gives the same
    windows = prepared.signal[: n_windows * length].astype(np.float32) / 1000.0
    return torch.from_numpy(np.ascontiguousarray(windows.reshape(n_windows, length, -1).transpose(0, 2, 1)))


class _Row(NamedTuple):
    """A row of an ingest table."""

    record_id: str
    source: str
    patient_id: str
    offset: int
    n_samples: int
    sampling_rate: float


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


def _prepare_row(signals: np.ndarray, row: _Row, config: PreprocessConfig) -> _Result:
    prepared = prepare(signals[row.offset : row.offset + row.n_samples], row.sampling_rate, config)
    about = {"source": row.source, "record_id": row.record_id, "stage": "preprocess"}
    if prepared.dropped:
        reason, detail = prepared.dropped
        return _Result(b"", None, [about | {"action": "dropped", "reason": reason, "detail": detail}])
    content = prepared.signal.tobytes()
    out = {
        "record_id": row.record_id,
        "source": row.source,
        "patient_id": row.patient_id,
        "n_samples": len(prepared.signal),
        "sampling_rate": config.sampling_rate,
        "sha256": hashlib.sha256(content).hexdigest(),
        **prepared.quality,
        "flags": ",".join(prepared.flags),
    }
    flagged = [about | {"action": "flagged", "reason": name, "detail": text} for name, text in prepared.flags.items()]
    return _Result(content, out, flagged)


def _prepare_chunk(chunk: _Chunk) -> list[_Result]:
    signals = np.load(chunk.signals, mmap_mode="r", allow_pickle=False)
    return [_prepare_row(signals, row, chunk.config) for row in chunk.rows]


def _results(table: pd.DataFrame, signals: Path, config: PreprocessConfig, workers: int) -> Iterator[_Result]:
    """Prepare every row, in the table's order whatever the number of workers."""
    rows = [_Row(*row) for row in table[list(_Row._fields)].itertuples(index=False, name=None)]
    chunks = (_Chunk(rows[k : k + CHUNK], signals, config) for k in range(0, len(rows), CHUNK))
    return itertools.chain.from_iterable(ordered_map(_prepare_chunk, chunks, workers))


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
        `preprocess/{source}/{shard}.npy`; `.parquet` and `.ledger.parquet` are written beside it.
    workers : int
        Processes. The output does not depend on it.

    Raises
    ------
    UserError
        A filter that does not fit the rate, or an ingest shard that is not whole.
    """
    check_filters(config)
    table = _read_table(input.with_suffix(".parquet"), input)
    with array_writer(output, len(config.leads)) as writer:
        rows, ledger = _write_rows(_results(table, input, config, workers), writer)
    frame = pd.DataFrame(rows, columns=list(OUTPUT_DTYPES)).assign(shard=int(output.stem))
    write_parquet(output.with_suffix(".parquet"), frame.astype(OUTPUT_DTYPES))
    write_parquet(output.with_suffix(".ledger.parquet"), ledger_frame(ledger))
    logger.info("%s: %d of %d records", output, len(rows), len(table))
