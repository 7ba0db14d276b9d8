"""Whose a recording is and when it was made, by its own file: what orders several of one person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ecglfm.records import DATES, columns_of, made_at
from ecglfm.sources.devices import Head
from ecglfm.sources.files import read_head
from ecglfm.sources.inside import Root, spelled
from ecglfm.sources.patients import UNSTATED
from ecglfm.sources.wfdb_reader import read_header_text, split_header, stated_patient

#: header(5): base time and base date end the record line, here in any order, as databases write them.
_TIME = re.compile(r"(?<!\S)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?!\S)", re.ASCII)
_DATE = re.compile(r"(?<!\S)(\d{1,2})/(\d{1,2})/(\d{4})(?!\S)", re.ASCII)


class Origin(NamedTuple):
    """Whose and when; None where the file does not say."""

    patient: str | None = None
    when: datetime | None = None


def read_origin(path: str | Path, *, links: str | Sequence[str | Path] = "inside") -> Origin:
    """What a WFDB header (base date, a comment `subject_id` or `patient id`) or the file of a device says.

    Parameters
    ----------
    path : path
        As `ecglfm.read_record` takes it.
    links
        As there.

    Raises
    ------
    RecordError
        The file cannot be read.
    """
    place = Path(path)
    root = Root(place.parent, links)
    head = read_head(place, links=links)
    if head is not None:
        return Origin(_person(head.patient), _said(head))
    for name in (place.name, place.stem):
        if (place.parent / spelled(str(place.parent), f"{name}.hea")).is_file():
            lines, comments = split_header(read_header_text(root, root.folder(()), name))
            return Origin(_person(stated_patient(comments) or ""), _started(lines[0] if lines else ""))
    return Origin()


def _person(stated: str) -> str | None:
    """An id; None for a word or zeros in its place, which many people have in common."""
    return None if stated.strip().casefold() in UNSTATED or not stated.strip(" 0") else stated


def _said(head: Head) -> datetime | None:
    """When the head of a device's file says that it was made."""
    date = next((name for name in DATES if head.native.get(name)), None)
    if date is None:
        return None
    when = made_at(*(pd.Series([head.native[name]]) for name in columns_of(date, head.native))).iloc[0]
    return None if pd.isna(when) else when.tz_localize(None).to_pydatetime()


def _started(line: str) -> datetime | None:
    """Base date and time of a record line; without a date a time says nothing."""
    date, time = _DATE.search(line), _TIME.search(line)
    if date is None:
        return None
    hour, minute, second = time.groups() if time else ("0", "0", "0")
    try:
        return datetime(int(date[3]), int(date[2]), int(date[1]), int(hour), int(minute), int(second or 0))
    except ValueError:
        return None
