"""WFDB header files, read strictly: what a `.hea` says, and no file outside its database.

Written from the format's manual, header(5) of the WFDB Applications Guide
(https://physionet.org/physiotools/wag/header-5.htm). A strict parser of our own because `wfdb.rdheader`
takes longer than reading the signal, and because a header is untrusted text that names files.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import NamedTuple

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root, check_file_name

MAX_HEADER_BYTES = 1 << 20
MAX_LINE = 1000  # characters, comments apart; the WFDB library itself takes 255
DEFAULT_GAIN = 200.0  # header(5): used when the gain is absent or zero
DEFAULT_RATE = 250.0  # header(5): Hz

#: Millivolts in one unit, by lower-case spelling; header(5): a missing unit is mV.
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COUNT = r"\d{1,12}"
_SAMPLE = r"[-+]?\d{1,10}"
# Challenge 2020 wrote names with an extension, `E00271.mat`.
_RECORD = re.compile(
    rf"""(?P<name>[\w-]+)(?:\.\w+)?(?:/(?P<segments>{_COUNT}))?
    \s+(?P<n_signals>{_COUNT})
    (?:\s+(?P<rate>{_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?
    (?:\s+(?P<n_samples>{_COUNT})
    (?:\s+.*)?)?)?""",  # base time and date end the line; databases write them in every order
    re.VERBOSE | re.ASCII,
)
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
    unit_mv: float


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


@lru_cache(maxsize=1024)
def _specification(text: str) -> Specification:
    match = _SPECIFICATION.fullmatch(text)
    if match is None:
        raise RecordError("header_invalid", f"{text[:80]!r} is no signal specification")
    field = match.groupdict()
    unit = (field["units"] or "mV").lower()
    if unit not in MILLIVOLTS:
        raise RecordError("unit_unknown", f"{field['units'][:20]!r} is not mV, uV or V")
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
        unit_mv=MILLIVOLTS[unit],
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
        check_file_name(file),
        stored,
        None if initial is None else int(initial),
        None if checksum is None else int(checksum),
        name or f"record {record}, signal {number}",  # header(5)'s default description
    )


def _segment(line: str, record: str) -> Segment:
    match = _SEGMENT.fullmatch(line)
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: {line[:80]!r} is no segment line")
    return Segment(check_file_name(match["name"]), int(match["n_samples"]))


def parse_header(text: str, record: str) -> Header:
    """Parse the text of a header file.

    Parameters
    ----------
    text : str
    record : str
        Name of the header without extension, for messages.

    Raises
    ------
    RecordError
        `header_empty`, `header_invalid`, `unit_unknown`, `path_outside_root`.
    """
    lines = [line.strip() for line in text.splitlines()]
    comments = tuple(line.lstrip("#").strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise RecordError("header_empty", f"{record}.hea has no record line")
    if len(max(lines, key=len)) > MAX_LINE:
        raise RecordError("header_invalid", f"{record}.hea has a line of more than {MAX_LINE} characters")
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
    return Header(match["name"], rate, n_samples, signals, segments, comments)


def read_header(root: Root, folder: str, record: str) -> Header:
    """Read `record.hea` in a folder of the database (`Root.folder`).

    Raises
    ------
    RecordError
        `header_missing`, `path_outside_root`, `file_unreadable`, and what `parse_header` raises.
    """
    with root.open(folder, f"{record}.hea", "header_missing") as (descriptor, size):
        if size > MAX_HEADER_BYTES:
            raise RecordError("header_invalid", f"{record}.hea is longer than {MAX_HEADER_BYTES} bytes")
        content = os.read(descriptor, MAX_HEADER_BYTES)
    return parse_header(content.decode("utf-8", errors="replace"), record)
