"""WFDB header files, read strictly: what a `.hea` says, and no file outside its database.

Written from the format's manual, header(5) of the WFDB Applications Guide
(https://physionet.org/physiotools/wag/header-5.htm). A strict parser of our own because `wfdb.rdheader`
takes longer than reading the signal, and because a header is untrusted text that names files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecglfm.records import RecordError

MAX_HEADER_BYTES = 1 << 20
DEFAULT_GAIN = 200.0  # header(5): used when the gain is absent or zero
DEFAULT_RATE = 250.0  # header(5): Hz

#: Millivolts in one unit, by lower-case spelling; header(5): a missing unit is mV.
MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RECORD = re.compile(
    rf"""(?P<name>[\w.+-]+)(?:/(?P<segments>\d+))?
    \s+(?P<n_signals>\d+)
    (?:\s+(?P<rate>{_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?
    (?:\s+(?P<n_samples>\d+)
    (?:\s+.*)?)?)?\s*""",  # base time and date end the line; databases write them in every order
    re.VERBOSE | re.ASCII,
)
_SIGNAL = re.compile(
    rf"""(?P<file>\S+)
    \s+(?P<format>\d+)(?:x(?P<frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?
    (?:\s+(?P<gain>{_NUMBER})(?:\((?P<baseline>[-+]?\d+)\))?(?:/(?P<units>\S+))?
    (?:\s+(?P<resolution>\d+)
    (?:\s+(?P<zero>[-+]?\d+)
    (?:\s+(?P<initial>[-+]?\d+)
    (?:\s+(?P<checksum>[-+]?\d+)
    (?:\s+(?P<block>\d+)
    (?:\s+(?P<name>\S.*?))?)?)?)?)?)?)?\s*""",
    re.VERBOSE,
)
_SEGMENT = re.compile(r"(?P<name>\S+)\s+(?P<n_samples>\d+)\s*")


@dataclass(frozen=True)
class Signal:
    """One signal specification line; `initial` and `checksum` are None where the line does not give them."""

    file: str
    format: int
    samples_per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit_mv: float
    initial: int | None
    checksum: int | None
    name: str


@dataclass(frozen=True)
class Header:
    """A parsed header; `segments` lists segment records of a multi-segment one, `n_samples` None is unstated."""

    name: str
    sampling_rate: float
    n_samples: int | None
    signals: tuple[Signal, ...]
    segments: tuple[str, ...]
    comments: tuple[str, ...]


def contained(root: Path, path: Path) -> Path:
    """`path` with symlinks resolved, when that is inside `root` (itself resolved).

    Raises
    ------
    RecordError
        `path_outside_root`.
    """
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a symlink loop, a NUL in the name
        raise RecordError("path_outside_root", f"{str(path)!r} cannot be resolved: {error}") from None
    if not resolved.is_relative_to(root):
        raise RecordError("path_outside_root", f"{path.name!r} leads outside the database: {resolved}")
    return resolved


def beside(root: Path, folder: Path, name: str) -> Path:
    """File `name` of `folder`, which `contained` has resolved; only a symlink needs to be followed again."""
    path = folder / name
    return contained(root, path) if path.is_symlink() else path


def check_relative(path: str) -> str:
    """A record's path relative to the root, as a table gives it; raises RecordError `path_outside_root`."""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        raise RecordError("path_outside_root", f"{path!r} is not a path inside the database")
    return path


def check_file_name(name: str) -> str:
    """A file named by a header must lie beside it; raises RecordError `path_outside_root`."""
    if name in {".", "..", "-"} or set(name) & set("/\\\0:"):
        raise RecordError("path_outside_root", f"the header names {name!r}; a plain file name is allowed, no path")
    return name


def _signal(line: str, record: str, number: int) -> Signal:
    match = _SIGNAL.fullmatch(line)
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: signal {number + 1}: {line[:80]!r} is no signal line")
    text = match.groupdict()
    file = check_file_name(text["file"])
    unit = (text["units"] or "mV").lower()
    if unit not in MILLIVOLTS:
        raise RecordError("unit_unknown", f"{record}.hea: signal {number + 1}: {text['units']!r} is not mV, uV or V")
    zero = int(text["zero"] or 0)
    return Signal(
        file=file,
        format=int(text["format"]),
        samples_per_frame=int(text["frame"] or 1),
        skew=int(text["skew"] or 0),
        offset=int(text["offset"] or 0),
        gain=float(text["gain"] or 0) or DEFAULT_GAIN,
        baseline=zero if text["baseline"] is None else int(text["baseline"]),
        unit_mv=MILLIVOLTS[unit],
        initial=None if text["initial"] is None else int(text["initial"]),
        checksum=None if text["checksum"] is None else int(text["checksum"]),
        name=text["name"] or f"record {record}, signal {number}",  # header(5)'s default description
    )


def _segment(line: str, record: str) -> str:
    match = _SEGMENT.fullmatch(line)
    if match is None:
        raise RecordError("header_invalid", f"{record}.hea: {line[:80]!r} is no segment line")
    return check_file_name(match["name"])


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
    segments: tuple[str, ...] = ()
    if n_segments:
        segments = tuple(_segment(line, record) for line in lines[1:])
    else:
        signals = tuple(_signal(line, record, number) for number, line in enumerate(lines[1:]))
    n_samples = int(match["n_samples"] or 0) or None  # header(5): zero means unstated
    return Header(match["name"], rate, n_samples, signals, segments, comments)


def read_header(root: Path, folder: Path, record: str) -> Header:
    """Read `folder/record.hea`, which must lie inside `root`; both are resolved paths.

    Raises
    ------
    RecordError
        `header_missing`, `path_outside_root`, and what `parse_header` raises.
    """
    path = beside(root, folder, f"{record}.hea")
    if not path.is_file():
        raise RecordError("header_missing", f"{record}.hea does not exist")
    with path.open("rb") as file:
        content = file.read(MAX_HEADER_BYTES + 1)
    if len(content) > MAX_HEADER_BYTES:
        raise RecordError("header_invalid", f"{record}.hea is longer than {MAX_HEADER_BYTES} bytes")
    return parse_header(content.decode("utf-8", errors="replace"), record)
