"""WFDB records: read safely and verified, and written.

Format 16 (every large 12-lead database) is read with NumPy, a hundred times faster than wfdb, and its
initial values and checksums are verified, so that a damaged file never passes for a recording. Other
formats and multi-segment records go to `wfdb`, after the same checks of where files lie.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecglfm.records import Record, RecordError, normalize_lead
from ecglfm.sources.wfdb_header import MILLIVOLTS, Header, Signal, beside, check_relative, contained, read_header

LOG = logging.getLogger(__name__)
INVALID = -32768  # format 16: the sample is missing


def read_wfdb(root: Path, path: str) -> Record:
    """Read one record of a database.

    Parameters
    ----------
    root : path
        Root of the database; no file outside it is opened.
    path : str
        The record's path relative to `root`, without extension.

    Returns
    -------
    Record
        In mV, leads as the header orders them; missing samples are NaN.

    Raises
    ------
    RecordError
        `path_outside_root`, `header_missing`, `header_empty`, `header_invalid`, `unit_unknown`,
        `signal_missing`, `signal_empty`, `signal_truncated`, `signal_checksum`, `signal_unreadable`.
    """
    root = root.resolve()
    record = root / check_relative(path)
    folder = contained(root, record.parent)
    header = read_header(root, folder, record.name)
    leads = tuple(normalize_lead(signal.name) for signal in header.signals)
    if _is_plain(header):
        digital = read_digital(root, folder, header)
        return Record(to_millivolts(digital, header.signals), leads, header.sampling_rate, header.comments)
    _check_files(root, folder, header)
    return _read_with_wfdb(folder / record.name, header)


def _is_plain(header: Header) -> bool:
    """One segment, every signal in format 16 with one sample per frame and no skew."""
    plain = all(s.format == 16 and s.samples_per_frame == 1 and s.skew == 0 for s in header.signals)
    return plain and not header.segments


def read_digital(root: Path, folder: Path, header: Header) -> np.ndarray:
    """Raw samples of a single-segment record in format 16, verified.

    Parameters
    ----------
    root : path
        Resolved root of the database.
    folder : path
        Resolved folder of the header, inside the root.
    header : Header

    Returns
    -------
    ndarray of int16, shape (n_samples, n_signals)

    Raises
    ------
    RecordError
        As `read_wfdb`.
    """
    columns: dict[str, list[int]] = {}
    for column, signal in enumerate(header.signals):
        columns.setdefault(signal.file, []).append(column)
    parts = []
    for name, members in columns.items():
        if members != list(range(members[0], members[0] + len(members))):
            raise RecordError("header_invalid", f"{header.name}.hea: the signals of {name} do not stand together")
        offset = header.signals[members[0]].offset
        parts.append(_read_format_16(root, folder, name, len(members), offset, header.n_samples))
    if len({len(part) for part in parts}) != 1:
        raise RecordError("header_invalid", f"{header.name}.hea states no length and its files differ in theirs")
    digital = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    _verify(header.signals, digital[0].tolist(), checksums(digital).tolist())
    return digital


def _read_format_16(
    root: Path, folder: Path, name: str, n_signals: int, offset: int, n_samples: int | None
) -> np.ndarray:
    """Little-endian int16, samples of the file's signals in turn, after `offset` bytes."""
    path = beside(root, folder, name)
    if not path.is_file():
        raise RecordError("signal_missing", f"{name} does not exist")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= offset:
            raise RecordError("signal_empty", f"{name} holds no samples ({size} bytes)")
        frame = 2 * n_signals
        held, rest = divmod(size - offset, frame)
        n_samples = held + (rest > 0) if n_samples is None else n_samples
        if held < n_samples:
            raise RecordError("signal_truncated", f"{name} holds {held} of {n_samples} samples ({size} bytes)")
        flat = np.fromfile(file, dtype="<i2", count=n_samples * n_signals, offset=offset)
    return flat.reshape(n_samples, n_signals)


def checksums(digital: np.ndarray) -> np.ndarray:
    """WFDB checksum of each signal: the sum of its samples modulo 2**16, as header(5) defines it.

    Parameters
    ----------
    digital : ndarray of int16, shape (n_samples, n_signals)
    """
    sums = np.ones(len(digital)) @ digital  # float64 holds these whole numbers exactly, and BLAS adds faster
    return sums.astype(np.int64) & 0xFFFF


def _verify(signals: Sequence[Signal], firsts: Sequence[int], sums: Sequence[int]) -> None:
    """Compare first samples and checksums with the header's, where it gives them (signed or unsigned)."""
    for signal, first, found in zip(signals, firsts, sums, strict=True):
        if signal.initial is not None and signal.initial != first:
            raise RecordError(
                "signal_checksum", f"{signal.name}: first sample {first}, the header says {signal.initial}"
            )
        if signal.checksum is not None and signal.checksum & 0xFFFF != found:
            stated = signal.checksum & 0xFFFF
            raise RecordError("signal_checksum", f"{signal.name}: checksum {found}, the header says {stated}")


def to_millivolts(digital: np.ndarray, signals: Sequence[Signal]) -> np.ndarray:
    """Samples to mV: (digital - baseline) / gain in the signal's unit; -32768 is NaN.

    Parameters
    ----------
    digital : ndarray of int16, shape (n_samples, n_signals)
    signals : sequence of Signal

    Returns
    -------
    ndarray of float64, shape (n_samples, n_signals)
    """
    physical = digital - np.array([signal.baseline for signal in signals], dtype=np.float64)
    physical /= np.array([signal.gain for signal in signals])
    units = np.array([signal.unit_mv for signal in signals])
    if np.any(units != 1.0):
        physical *= units
    invalid = digital == INVALID
    if invalid.any():
        physical[invalid] = np.nan
    return physical


def _check_files(root: Path, folder: Path, header: Header) -> None:
    """Every file that `wfdb` would open for this header exists and lies inside the root."""
    for signal in header.signals:
        if signal.file == "~":  # the layout segment of a variable-layout record has no signal file
            continue
        path = beside(root, folder, signal.file)
        if not path.is_file():
            raise RecordError("signal_missing", f"{signal.file} does not exist")
        if path.stat().st_size == 0:
            raise RecordError("signal_empty", f"{signal.file} holds no samples (0 bytes)")
    for name in header.segments:
        if name == "~":  # a gap
            continue
        segment = read_header(root, folder, name)
        if segment.segments:
            raise RecordError("header_invalid", f"{name}.hea: a segment must not have segments itself")
        _check_files(root, folder, segment)
        if _is_plain(segment) and all(signal.file != "~" for signal in segment.signals):
            read_digital(root, folder, segment)  # for its checksums, which wfdb does not look at


def _read_with_wfdb(record: Path, header: Header) -> Record:
    import wfdb

    try:
        if header.signals:  # wfdb fills up a truncated file without a word, so what it read is verified
            raw = wfdb.rdrecord(str(record), physical=False, smooth_frames=False, ignore_skew=True).e_d_signal
            sums = [int(samples.sum(dtype=np.int64)) & 0xFFFF for samples in raw]
            _verify(header.signals, [int(samples[0]) for samples in raw], sums)
        found = wfdb.rdrecord(str(record), physical=True, return_res=64)
    except RecordError:
        raise
    except Exception as error:  # wfdb raises nearly every type on a malformed file, and the file is not ours
        LOG.debug("wfdb on %s", record, exc_info=True)
        raise RecordError("signal_unreadable", f"{record.name}: {type(error).__name__}: {error}") from error
    units = [MILLIVOLTS.get(str(unit).lower()) for unit in found.units]
    if None in units:
        raise RecordError("unit_unknown", f"{record.name}: units {' '.join(map(str, found.units))}")
    signal = np.asarray(found.p_signal, dtype=np.float64) * np.array(units, dtype=np.float64)
    if len(signal) == 0:
        raise RecordError("signal_empty", f"{record.name} holds no samples")
    leads = tuple(normalize_lead(str(name)) for name in found.sig_name)
    return Record(signal, leads, float(found.fs), header.comments)


def write_record(
    folder: Path,
    name: str,
    digital: np.ndarray,
    *,
    leads: Sequence[str],
    gain: float,
    sampling_rate: int,
    start: str = "",
    comments: Sequence[str] = (),
) -> None:
    """Write `name.hea` and `name.dat` in format 16, with true initial values and checksums.

    Parameters
    ----------
    folder : path
        Must exist.
    name : str
        Record name.
    digital : ndarray of int16, shape (n_samples, n_leads)
    leads : sequence of str
        Spelled as the header shall have them.
    gain : float
        Steps per mV.
    sampling_rate : int
        Hz.
    start : str
        Base time and date, as they end the record line.
    comments : sequence of str
        Lines after the signals, without the `#`.
    """
    lines = [f"{name} {len(leads)} {sampling_rate} {len(digital)} {start}".rstrip()]
    for lead, first, checksum in zip(leads, digital[0].tolist(), checksums(digital).tolist(), strict=True):
        lines.append(f"{name}.dat 16 {gain:.1f}(0)/mV 16 0 {first} {checksum} 0 {lead}")
    lines += [f"# {comment}" for comment in comments]
    with (folder / f"{name}.dat").open("wb") as file:
        file.write(np.ascontiguousarray(digital, dtype="<i2").data)
    (folder / f"{name}.hea").write_bytes(("\n".join(lines) + "\n").encode("ascii"))
