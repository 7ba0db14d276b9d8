"""WFDB records: read safely, verified and fast, and written.

Records in the formats of large databases are read with NumPy, a hundred times faster than wfdb; the others go
to `wfdb` (`ecglfm.sources.wfdb_reader.other`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ecglfm.config import LEADS
from ecglfm.records import LIMIT_UV, SENTINEL, LeadChoice, Microvolts, Record, normalize_lead
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.digital import checksums, is_plain, read_digital
from ecglfm.sources.wfdb_reader.formats import FORMATS
from ecglfm.sources.wfdb_reader.header import Header, Signal, foreign, millivolts, read_header
from ecglfm.sources.wfdb_reader.other import read_other
from ecglfm.sources.wfdb_reader.segments import read_segments


class WfdbRecord(Record):
    """A record that keeps its samples as stored, and converts them when asked.

    Parameters
    ----------
    digital : ndarray of int16 or int32, shape (n_samples, n_leads)
    header : Header
    """

    digital: np.ndarray
    signals: tuple[Signal, ...]

    def __init__(self, digital: np.ndarray, header: Header) -> None:
        leads = tuple(normalize_lead(signal.name) for signal in header.signals)
        values = {"leads": leads, "sampling_rate": header.sampling_rate, "comments": header.comments}
        self.__dict__.update(values, foreign=foreign(header.signals), digital=digital, signals=header.signals)

    @cached_property
    def signal(self) -> np.ndarray:
        """Millivolts, NaN where the file marks a sample as missing."""
        return to_millivolts(self.digital, self.signals)

    def microvolts(self) -> Microvolts:
        """The standard leads in int16 microvolts, without floating point where steps are whole microvolts."""
        choice = self.choice()
        signal = whole_microvolts(self.digital, self.signals, choice)
        if signal is None:
            return super().microvolts()
        return Microvolts(signal, self.sampling_rate, choice.lead_mask, choice.derived, choice.ignored)


def read_wfdb(root: Path | Root, path: str, checks: str = "stated") -> Record:
    """Read one record of a database.

    Parameters
    ----------
    root : path or Root
        Root of the database; no file outside it is opened. A `Root` remembers the folders it has seen.
    path : str
        The record's path relative to `root`, without extension.
    checks : {'stated', 'strict', 'off'}
        What first samples and checksums are held against; see `digital.verify`.

    Returns
    -------
    Record
        Leads as the header orders them; missing samples, and signals in a unit that is no voltage, are NaN.

    Raises
    ------
    RecordError
        `path_outside_root`, `header_missing`, `header_empty`, `header_invalid`, `signal_missing`, `signal_empty`,
        `signal_truncated`, `signal_checksum`, `signal_too_long`, `signal_unreadable`,
        `format_unknown`, `format_unsupported`, `file_unreadable`.
    """
    inside = root if isinstance(root, Root) else Root(root)
    folder, name = inside.split(path)

    def read_one(header: Header) -> Record:
        if is_plain(header):
            return WfdbRecord(read_digital(inside, folder, header, checks), header)
        return read_other(inside, folder, header, checks)

    header = read_header(inside, folder, name)
    return read_segments(inside, folder, header, read_one) if header.segments else read_one(header)


def to_millivolts(digital: np.ndarray, signals: Sequence[Signal]) -> np.ndarray:
    """Samples to mV: (digital - baseline) / gain in the signal's unit.

    NaN is the format's missing sample, and every sample of a signal whose unit is no voltage.

    Parameters
    ----------
    digital : ndarray of int, shape (n_samples, n_signals)
    signals : sequence of Signal

    Returns
    -------
    ndarray of float64, shape (n_samples, n_signals)
    """
    physical = digital - np.array([signal.stored.baseline for signal in signals], dtype=np.float64)
    physical /= np.array([signal.stored.gain for signal in signals])
    units = millivolts(signals)
    if np.any(units != 1.0):
        physical *= units
    missing = digital == np.array([FORMATS[signal.stored.format].missing for signal in signals], dtype=digital.dtype)
    if missing.any():
        physical[missing] = np.nan
    return physical


def whole_microvolts(digital: np.ndarray, signals: Sequence[Signal], choice: LeadChoice) -> np.ndarray | None:
    """The standard leads in int16 microvolts where a step is a whole number of them, the same for all signals.

    Exactly `to_microvolts` of `to_millivolts`: both round the same whole numbers. Most databases have 1000 steps per
    mV (a step is 1 uV: nothing to compute) or 200 (5 uV).

    Parameters
    ----------
    digital : ndarray of int16, shape (n_samples, n_signals)
    signals : sequence of Signal
    choice : LeadChoice

    Returns
    -------
    ndarray of int16, shape (n_samples, 12), or None where floating point is needed
    """
    first, *others = [signals[column].stored for column in choice.columns]
    step = 1000.0 * (first.unit_mv or 0.0) / first.gain
    if choice.sums or first.baseline or step % 1 or not 1 <= step <= 1000 or digital.dtype != np.int16:
        return None
    if any(stored != first for stored in others):
        return None
    missing = FORMATS[first.format].missing
    if step != 1 or missing != SENTINEL:
        low, high = int(digital.min()), int(digital.max())
        if low <= missing or max(-low, high) * step > LIMIT_UV:
            return None
        digital = digital * np.int16(step)
    if choice.complete and len(signals) == len(LEADS):
        moved = [lead for lead, column in enumerate(choice.columns) if lead != column]
        if not moved:
            return digital
        signal = digital.copy()
    else:
        signal = np.full((len(digital), len(LEADS)), SENTINEL)
        moved = list(choice.recorded)
    for lead in moved:  # a column at a time is faster than digital[:, columns]
        signal[:, lead] = digital[:, choice.columns[choice.recorded.index(lead)]]
    return signal


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
