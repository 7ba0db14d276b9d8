"""WFDB header files, read strictly: what a `.hea` says, and no file outside its database.

Written from the format's manual, header(5) of the WFDB Applications Guide
(https://physionet.org/physiotools/wag/header-5.htm). A strict parser of our own because `wfdb.rdheader`
takes longer than reading the signal, and because a header is untrusted text that names files.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root, check_file_name
from ecglfm.sources.units import MILLIVOLTS, unit_key

MAX_HEADER_BYTES = 1 << 20
MAX_LINE = 1000  # characters, comments apart; the WFDB library itself takes 255
DEFAULT_GAIN = 200.0  # header(5): used when the gain is absent or zero
DEFAULT_RATE = 250.0  # header(5): Hz

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COUNT = r"\d{1,12}"
_SAMPLE = r"[-+]?\d{1,10}"
# Names are any text: Challenge 2020 wrote `E00271.mat`, exports write DICOM UIDs.
_RECORD = re.compile(
    rf"""(?P<name>[^\s/]+)(?:/(?P<segments>{_COUNT}))?
    \s+(?P<n_signals>{_COUNT})
    (?:\s+(?P<rate>{_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?
    (?:\s+(?P<n_samples>{_COUNT})
    (?:\s+.*)?)?)?""",  # base time and date end the line; databases write them in every order
    re.VERBOSE | re.ASCII,
)
_LINE = re.compile(r"\r\n|\r|\n")  # not `splitlines`, which takes some letters of old code pages for line ends
_SPACE = "\0"  # stands for a space in a record's name
#: File, what most lines of a database share (format to ADC zero), and what differs: first sample, checksum, block
#: size, description. Atomic groups: a field is never taken for its neighbour.
_SIGNAL = re.compile(
    rf"""(?P<file>\S+)
    \s+(?P<specification>(?>\S+(?:\s+\S+){{0,3}}))
    (?:\s+(?P<initial>{_SAMPLE})
    (?:\s+(?P<checksum>{_SAMPLE})
    (?:\s+\d+
    (?:\s+(?P<name>\S.*))?)?)?)?""",
    re.VERBOSE | re.ASCII,
)
_SPECIFICATION = re.compile(
    rf"""(?P<format>\d{{1,4}})(?:x(?P<frame>{_COUNT}))?(?::(?P<skew>{_COUNT}))?(?:\+(?P<offset>{_COUNT}))?
    (?:\s+(?P<gain>{_NUMBER})(?:\((?P<baseline>{_SAMPLE})\))?(?:/(?P<units>\S+))?
    (?:\s+\d+
    (?:\s+(?P<zero>{_SAMPLE}))?)?)?""",
    re.VERBOSE | re.ASCII,
)
_SEGMENT = re.compile(rf"(?P<name>\S+)\s+(?P<n_samples>{_COUNT})", re.ASCII)


class Specification(NamedTuple):
    """How a signal is stored: the part of its line that most signals of a database share."""

    format: int
    samples_per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    unit_mv: float | None  # millivolts in one unit; None for one that is no voltage


class Signal(NamedTuple):
    """One signal specification line; `initial` and `checksum` are None where the line does not give them."""

    file: str
    stored: Specification
    initial: int | None
    checksum: int | None
    name: str


class Segment(NamedTuple):
    """A line of a multi-segment header: a record, or `~` for a gap."""

    name: str
    n_samples: int


class Header(NamedTuple):
    """A parsed header: `signals`, or `segments` where there are several; `n_samples` None is unstated."""

    name: str
    sampling_rate: float
    n_samples: int | None
    signals: tuple[Signal, ...]
    segments: tuple[Segment, ...]
    comments: tuple[str, ...]


def decode(content: bytes) -> str:
    """Text of a header: UTF-8, with or without a byte order mark, UTF-16 with one, else Latin-1."""
    try:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def foreign(signals: Sequence[Signal]) -> dict[int, str]:
    """Numbers of the signals whose unit is no voltage, and the unit."""
    return {column: s.stored.unit for column, s in enumerate(signals) if s.stored.unit_mv is None}


def millivolts(signals: Sequence[Signal]) -> np.ndarray:
    """Millivolts in one unit of each signal, float64 (n_signals,); NaN for one that is no voltage."""
    return np.array([np.nan if s.stored.unit_mv is None else s.stored.unit_mv for s in signals])


@lru_cache(maxsize=1024)
def _specification(text: str) -> Specification:
    match = _SPECIFICATION.fullmatch(text)
    if match is None:
        raise RecordError("header_invalid", f"{text[:80]!r} is no signal specification")
    field = match.groupdict()
    unit = (field["units"] or "mV")[:20]
    zero = int(field["zero"] or 0)
    gain = float(field["gain"] or 0) or DEFAULT_GAIN
    if not 0 < abs(gain) < float("inf"):
        raise RecordError("header_invalid", f"gain {gain}")
    return Specification(
        format=int(field["format"]),
        samples_per_frame=int(field["frame"] or 1),
        skew=int(field["skew"] or 0),
        offset=int(field["offset"] or 0),
        gain=gain,
        baseline=zero if field["baseline"] is None else int(field["baseline"]),
        unit=unit,
        unit_mv=MILLIVOLTS.get(unit_key(unit)),
    )


def _signal(line: str, record: str, number: int) -> Signal:
    match = _SIGNAL.fullmatch(line)
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: signal {number + 1}: {line[:80]!r} is no signal line")
    file, specification, initial, checksum, name = match.groups()
    try:
        stored = _specification(specification)
    except RecordError as error:
        raise RecordError(error.reason, f"{record}.hea: signal {number + 1}: {error.detail}") from None
    return Signal(
        check_file_name(file.replace(_SPACE, " ")),
        stored,
        None if initial is None else int(initial),
        None if checksum is None else int(checksum),
        name or f"record {record}, signal {number}",  # header(5)'s default description
    )


def _segment(line: str, record: str) -> Segment:
    match = _SEGMENT.fullmatch(line)
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: {line[:80]!r} is no segment line")
    return Segment(check_file_name(match["name"].replace(_SPACE, " ")), int(match["n_samples"]))


def split_header(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Lines of a header that are neither empty nor comments; and its comments, without the `#`."""
    lines = [line.strip() for line in _LINE.split(text.rstrip("\x1a\0"))]  # DOS ended files with control-Z
    comments = tuple(line.lstrip("#").strip() for line in lines if line.startswith("#"))
    return [line for line in lines if line and not line.startswith("#")], comments


def _joined(line: str, record: str) -> str:
    """A line whose spaces in the record's name, which it begins with, do not end a field."""
    if " " not in record:
        return line
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, record)
        if line.startswith(name):
            return name.replace(" ", _SPACE) + line[len(name) :]
    return line


def is_segmented(line: str, record: str) -> bool:
    """Whether a record line announces segments."""
    match = _RECORD.fullmatch(_joined(line, record))
    return match is not None and match["segments"] is not None


def parse_header(text: str, record: str) -> Header:
    """Parse the text of a header file.

    Parameters
    ----------
    text : str
    record : str
        Name of the header without extension, for messages and because it may have spaces.

    Raises
    ------
    RecordError
        `header_empty`, `header_invalid`, `path_outside_root`.
    """
    lines, comments = split_header(text)
    if not lines:
        raise RecordError("header_empty", f"{record}.hea has no record line")
    if len(max(lines, key=len)) > MAX_LINE:
        raise RecordError("header_invalid", f"{record}.hea has a line of more than {MAX_LINE} characters")
    if " " in record:
        lines = [_joined(line, record) for line in lines]
    match = _RECORD.fullmatch(lines[0])
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: {lines[0][:80]!r} is no record line")
    n_segments = int(match["segments"] or 0)
    expected = n_segments or int(match["n_signals"])
    if expected != len(lines) - 1 or expected == 0:
        what = "segments" if n_segments else "signals"
        raise RecordError("header_invalid", f"{record}.hea announces {expected} {what} and lists {len(lines) - 1}")
    rate = DEFAULT_RATE if match["rate"] is None else float(match["rate"])
    if not 0 < rate < float("inf"):
        raise RecordError("header_invalid", f"{record}.hea: sampling rate {match['rate']} Hz")
    signals: tuple[Signal, ...] = ()
    segments: tuple[Segment, ...] = ()
    if n_segments:
        segments = tuple(_segment(line, record) for line in lines[1:])
    else:
        signals = tuple(_signal(line, record, number) for number, line in enumerate(lines[1:]))
    n_samples = int(match["n_samples"] or 0) or None  # header(5): zero means unstated
    return Header(record, rate, n_samples, signals, segments, comments)


def read_header_text(root: Root, folder: str, record: str) -> str:
    """Text of `record.hea` in a folder of the database (`Root.folder`).

    Raises
    ------
    RecordError
        `header_missing`, `path_outside_root`, `file_unreadable`, `header_invalid`: it is too long.
    """
    with root.open(folder, f"{record}.hea", "header_missing") as (descriptor, size):
        if size > MAX_HEADER_BYTES:
            raise RecordError("header_invalid", f"{record}.hea is longer than {MAX_HEADER_BYTES} bytes")
        return decode(os.read(descriptor, MAX_HEADER_BYTES))


def read_header(root: Root, folder: str, record: str) -> Header:
    """Read `record.hea` in a folder of the database.

    Raises
    ------
    RecordError
        What `read_header_text` and `parse_header` raise.
    """
    return parse_header(read_header_text(root, folder, record), record)
