"""Samples of a WFDB record as its files store them, verified against the header.

A damaged file never passes for a recording: it holds all samples that the header states, and first samples and
checksums agree with the header's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ecglfm.records import MAX_SAMPLES, RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.formats import FORMATS
from ecglfm.sources.wfdb_reader.header import Header, Signal


def is_plain(header: Header) -> bool:
    """Every signal is in one of `FORMATS`, with one sample per frame and no skew."""
    stored = {signal.stored for signal in header.signals}
    return all(s.format in FORMATS and s.samples_per_frame == 1 and s.skew == 0 for s in stored)


def read_digital(root: Root, folder: str, header: Header, checks: str = "stated") -> np.ndarray:
    """Raw samples of a record for which `is_plain` holds.

    Parameters
    ----------
    root : Root
        The database.
    folder : str
        Folder of the header, from `Root.folder`.
    header : Header
    checks : str
        As for `verify`.

    Returns
    -------
    ndarray of int16, or int32 for formats 24 and 32, shape (n_samples, n_signals)

    Raises
    ------
    RecordError
        `header_invalid`, `path_outside_root`, `signal_missing`, `signal_empty`, `signal_truncated`,
        `signal_too_long`, `signal_checksum`, `file_unreadable`.
    """
    files: dict[str, list[int]] = {}
    for column, signal in enumerate(header.signals):
        files.setdefault(signal.file, []).append(column)
    parts = []
    for name, columns in files.items():
        stored = {(signal.stored.format, signal.stored.offset) for signal in header.signals if signal.file == name}
        if len(stored) != 1 or columns[-1] - columns[0] + 1 != len(columns):
            raise RecordError(
                "header_invalid", f"{header.name}.hea: signals of {name} must stand together, in one format and offset"
            )
        longest = MAX_SAMPLES // len(header.signals)
        parts.append(_read_file(root, folder, name, len(columns), *stored.pop(), header.n_samples, longest))
    if len({len(part) for part in parts}) != 1:
        raise RecordError("header_invalid", f"{header.name}.hea states no length and its files differ in theirs")
    digital = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    verify(header.signals, digital[0].tolist(), checksums(digital).tolist(), checks)
    return digital


def _read_file(
    root: Root, folder: str, name: str, n_signals: int, number: int, offset: int, n_samples: int | None, longest: int
) -> np.ndarray:
    """Samples of one file, in format `number` from byte `offset`, its signals in turn."""
    form = FORMATS[number]
    with root.open(folder, name, "signal_missing") as (descriptor, size):
        held, rest = divmod((size - offset) * 8 // form.bits, n_signals)
        if n_samples is None:
            n_samples = held + (rest > 0)
        if size <= offset or n_samples == 0:
            raise RecordError("signal_empty", f"{name} holds no samples ({size} bytes)")
        if held < n_samples:
            raise RecordError("signal_truncated", f"{name} holds {held} of {n_samples} samples ({size} bytes)")
        if n_samples > longest:
            raise RecordError("signal_too_long", f"{name}: {n_samples} samples of a signal, at most {longest} are read")
        content = np.empty(form.n_bytes(n_samples * n_signals), dtype=np.uint8)
        filled = 0
        while filled < len(content):
            done = os.preadv(descriptor, [content[filled:].data], offset + filled)
            if done == 0:
                raise RecordError("signal_truncated", f"{name} became shorter while it was read")
            filled += done
    return form.unpack(content, n_samples * n_signals).reshape(n_samples, n_signals)


def checksums(digital: np.ndarray) -> np.ndarray:
    """WFDB checksum of each signal: the sum of its samples modulo 2**16, as header(5) defines it.

    Parameters
    ----------
    digital : ndarray of int16 or int32, shape (n_samples, n_signals)

    Returns
    -------
    ndarray of uint16, shape (n_signals,)
    """
    n_samples, n_signals = digital.shape
    low = digital.astype(np.int16, copy=False)  # sums wrap around, which is what modulo 2**16 asks for
    height = max(1, int(n_samples**0.5))
    width = n_samples // height  # added as `height` long rows, then as `width` short ones: NumPy likes long rows
    long = np.add.reduce(low[: height * width].reshape(height, width * n_signals), axis=0, dtype=np.int16)
    sums = np.add.reduce(long.reshape(width, n_signals), axis=0, dtype=np.int16)
    sums += np.add.reduce(low[height * width :], axis=0, dtype=np.int16)
    return sums.view(np.uint16)


def verify(signals: Sequence[Signal], firsts: Sequence[int], sums: Sequence[int], checks: str) -> None:
    """Compare first samples and checksums with the header's.

    Parameters
    ----------
    signals : sequence of Signal
    firsts, sums : sequence of int
        First sample and checksum of each, as they were read. The header may write a checksum signed or unsigned.
    checks : {'stated', 'strict', 'off'}
        `stated`: what the header states; 0 in all signals is what writers put who computed none. `strict`: both must be
        stated, and 0 is a number like any other. `off`: nothing is compared.

    Raises
    ------
    RecordError
        `signal_checksum`.
    """
    if checks == "off":
        return
    strict = checks == "strict"
    has_firsts = strict or any(signal.initial for signal in signals)
    has_sums = strict or any(signal.checksum for signal in signals)
    for signal, first, found in zip(signals, firsts, sums, strict=True):
        if strict and (signal.initial is None or signal.checksum is None):
            raise RecordError("signal_checksum", f"{signal.name}: the header states none, and the source is strict")
        if has_firsts and signal.initial is not None and signal.initial != first:
            raise RecordError(
                "signal_checksum", f"{signal.name}: first sample {first}, the header says {signal.initial}"
            )
        if has_sums and signal.checksum is not None and signal.checksum & 0xFFFF != found:
            stated = signal.checksum & 0xFFFF
            raise RecordError("signal_checksum", f"{signal.name}: checksum {found}, the header says {stated}")
