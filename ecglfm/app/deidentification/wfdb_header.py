"""WFDB: the header is written anew from what header(5) defines, comments by rule; signal files go through bit for bit.

A signal file is let through only with the header that describes every byte of it: nothing is carried along unread.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ecglfm.app.deidentification.cleaning import Cleaner
from ecglfm.app.deidentification.dates import header_date
from ecglfm.app.deidentification.vocabulary import kind_of
from ecglfm.records import RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.units import MILLIVOLTS, unit_key
from ecglfm.sources.wfdb_reader import FORMATS, GAP, Header, parse_header, read_header_text, read_wfdb, split_header

#: Rules of comments that need none in `--rules`.
COMMENTS = {"age": "age", "sex": "sex", "dx": "codes", "patient id": "patient", "patientid": "patient"}
_UNITS = {"mmhg", "bpm", "%", "l", "l/min", "ml", "degc", "c", "ohm", "nu", "adu", "g", "hz", "s", "ms", "pm"}
_PAIR = re.compile(r"\s*(\w[\w ]{0,63}?)\s*:\s*(.*)", re.ASCII)
_BRACKETED = re.compile(r"<(\w[\w ]*)>\s*:?([^<]*)", re.ASCII)
_COUNTS = re.compile(r"(?P<segments>/\d+)?\s+(?P<counts>\d+(?:\s+\S+(?:\s+\d+)?)?)(?P<rest>\s.*)?", re.ASCII)
_TIME = re.compile(r"\d{1,2}(:\d{1,2}){1,2}(\.\d*)?", re.ASCII)
_PADDING = 3  # bytes: a signal file may end on a whole word


class Text(NamedTuple):
    """A header: its text as parsed, and the text itself."""

    header: Header
    text: str


def read(root: Root, path: str) -> Text:
    """Read the header of the record at `path`, without ending; raises RecordError as `read_header`."""
    folder, name = root.split(path)
    text = read_header_text(root, folder, name)
    return Text(parse_header(text, name), text)


def comments(found: Text) -> Iterator[tuple[str, str]]:
    """Key, empty where there is none, and value of what the comments say."""
    for comment in found.header.comments:
        pairs = _BRACKETED.findall(comment)
        match = _PAIR.fullmatch(comment)
        yield from pairs or [match.groups() if match else ("", comment)]


def patient_of(found: Text, cleaner: Cleaner) -> str:
    """The id of the patient, as a comment has it; empty where none does."""
    rules = COMMENTS | cleaner.rules.comments
    return next((value.strip() for key, value in comments(found) if rules.get(key.lower()) == "patient"), "")


def cleaned(found: Text, path: str, cleaner: Cleaner) -> bytes:
    """The header that may be given away.

    Raises
    ------
    RecordError
        `lead_unknown`, `unit_unknown`, `header_invalid`: a line is not as header(5) has it.
    """
    header = found.header
    first, *lines = split_header(found.text)[0]
    written = [_record_line(header, first, cleaner)]
    if header.segments:
        written += [f"{_segment(segment.name, cleaner)} {segment.n_samples}" for segment in header.segments]
    for signal, line in zip(header.signals, lines if header.signals else [], strict=True):
        written.append(_signal_line(signal.file, line, f"{path}.hea", cleaner))
    for key, value in comments(found):
        new = _comment(key, value, cleaner)
        if new:
            written.append(f"#{_key(key, cleaner)}: {new}" if key else f"# {new}")
    return ("\n".join(written) + "\n").encode()


def _segment(name: str, cleaner: Cleaner) -> str:
    return name if name == GAP else cleaner.names.stem(name)


def _rest(line: str, name: str, where: str) -> str:
    """What stands in a line behind a name, which may have spaces."""
    start = line.find(name)
    if start not in {0, 2} or line[:start] not in {"", "./"}:
        raise RecordError("header_invalid", f"{where}: {line[:60]!r} does not begin with {name[:40]!r}")
    return line[start + len(name) :]


def _record_line(header: Header, line: str, cleaner: Cleaner) -> str:
    own = line.startswith(header.name) and line[len(header.name)] in "/ \t"
    named = header.name if own else re.split(r"[/\s]", line, maxsplit=1)[0]  # Challenge 2020 wrote `E00271.mat`
    match = _COUNTS.fullmatch(line[len(named) :])
    if match is None:
        raise RecordError("header_invalid", f"{header.name}.hea: {line[:60]!r} is no record line")
    written = f"{cleaner.names.stem(header.name)}{match['segments'] or ''} {' '.join(match['counts'].split())}"
    time, day = "", ""
    for word in (match["rest"] or "").replace("[", " ").replace("]", " ").split():
        when = header_date(word)
        if when is not None and not day:
            day = f"{cleaner.day(when):%d/%m/%Y}"
        elif _TIME.fullmatch(word) and not time:
            time = cleaner.time(word) or ""
        else:
            cleaner.drop("date" if any(map(str.isdigit, word)) else "unknown", word)
    return " ".join(part for part in (written, time, day) if part)


def _signal_line(file: str, line: str, where: str, cleaner: Cleaner) -> str:
    fields = _rest(line, file, where).split(maxsplit=7)
    unit = fields[1].partition("/")[2] if len(fields) > 1 else ""
    if unit and unit_key(unit) not in MILLIVOLTS and unit.strip("()[]").lower() not in _UNITS:
        raise RecordError("unit_unknown", f"{where}: {unit[:20]!r} is no unit that is known to be harmless")
    if not all(re.fullmatch(r"[-+.:\dxeE]+(\([-+\d]+\))?(/\S+)?", field, re.ASCII) for field in fields[:7]):
        raise RecordError("header_invalid", f"{where}: {line[:60]!r} is no signal line")
    name = [cleaner.lead(fields[7], where)] if len(fields) > 7 else []
    return " ".join([cleaner.names.file(file), *fields[:7], *name])


def _comment(key: str, value: str, cleaner: Cleaner) -> str | None:
    rule = (COMMENTS | cleaner.rules.comments).get(key.strip().lower(), "")
    if not value.strip():
        return None
    if rule in {"sex", "codes"}:
        return cleaner.sex(value) if rule == "sex" else cleaner.codes(value)
    if rule:
        return cleaner.rule(rule, value, key)
    kind = kind_of(key) if key else "text"
    if kind == "text":
        return cleaner.text(value)
    cleaner.drop(kind, value)
    return None


def _key(key: str, cleaner: Cleaner) -> str:
    """What stands before the colon: as it is where a rule has it; else text, though it looks like a key."""
    key = key.strip()
    return key if key.lower() in COMMENTS | cleaner.rules.comments else cleaner.text(key) or ""


# ---- signal files ------------------------------------------------------------------------------------------------


def check_signals(root: Root, path: str, found: Text) -> None:
    """Hold the signal files of a record against its header: it can be read, and they have nothing else in them.

    Raises
    ------
    RecordError
        As `read_wfdb`; `signal_unread`: bytes before or behind the samples.
    """
    header = found.header
    if header.segments:
        return
    record = read_wfdb(root, path)
    folder, _ = root.split(path)
    for name in dict.fromkeys(signal.file for signal in header.signals):
        stored = [signal.stored for signal in header.signals if signal.file == name]
        with root.open(folder, name, "signal_missing") as (descriptor, size):
            start = os.pread(descriptor, stored[0].offset, 0)
        if start and not _is_matlab(start):
            raise RecordError(
                "signal_unread", f"{name}: {len(start)} bytes before the samples are no header of Matlab 4"
            )
        if any(one.format not in FORMATS for one in stored):
            raise RecordError(
                "signal_unread", f"{name}: of format {stored[0].format} it is not known whether all bytes are samples"
            )
        n_samples = header.n_samples or len(record.signal)
        bits = sum(FORMATS[one.format].bits * one.samples_per_frame for one in stored)
        expected = stored[0].offset + (bits * n_samples + 7) // 8
        if not expected <= size <= expected + _PADDING:
            raise RecordError("signal_unread", f"{name}: {size} bytes, of which the header describes {expected}")


def _is_matlab(start: bytes) -> bool:
    """Whether bytes are the header of one matrix `val` in a Matlab 4 file, and nothing else."""
    if len(start) < 21:
        return False
    kind, _, _, imaginary, length = struct.unpack("<5i", start[:20])
    return (
        0 <= kind < 60
        and imaginary == 0
        and length == len(start) - 20
        and start[20:].rstrip(b"\0").isalpha()
        and length <= 4
    )
