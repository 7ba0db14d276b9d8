"""WFDB records of several segments (header(5)), each read and verified as a record of its own, joined in time.

In a fixed layout every segment has the same signals. In a variable layout the first segment, without samples, lists
all signals of the record, and each of the others has some of them, with gains and baselines of its own. `~` is a gap.
Not joined by `wfdb`, which reads no checksums, knows fewer spellings and takes the memory that a header asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ecglfm.records import MAX_SAMPLES, Record, RecordError, normalize_lead
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.header import Header, read_header

GAP = "~"


def read_segments(root: Root, folder: str, header: Header, read_one: Callable[[Header], Record]) -> Record:
    """Read a record whose header lists segments.

    Parameters
    ----------
    root : Root
    folder : str
        Folder of the header, from `Root.folder`.
    header : Header
    read_one : callable
        Reads a record of one segment, given its header.

    Returns
    -------
    Record
        Signals that no segment has are left out; NaN where a segment lacks one, and in gaps.

    Raises
    ------
    RecordError
        `header_invalid`, `signal_too_long`, `signal_empty`, and what reading a segment raises.
    """
    total = sum(segment.n_samples for segment in header.segments)
    if header.n_samples not in {None, total}:
        raise RecordError(
            "header_invalid", f"{header.name}.hea states {header.n_samples} samples, its segments {total}"
        )
    if total == 0:
        raise RecordError("signal_empty", f"{header.name}.hea: its segments hold no samples")
    names = list(dict.fromkeys(segment.name for segment in header.segments if segment.name != GAP))
    heads = {name: _segment_header(root, folder, header, name) for name in names}
    layout = _layout(header, heads)
    if total * max(1, len(layout)) > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{header.name}.hea: {total} samples in its segments")
    signal = np.full((total, len(layout)), np.nan)
    recorded, foreign, start = set(), {}, 0
    for name, n_samples in header.segments:
        end = start + n_samples
        if name != GAP and n_samples:
            part = read_one(heads[name])
            if len(part.signal) != n_samples:
                raise RecordError(
                    "header_invalid", f"{name}.hea has {len(part.signal)} samples, {header.name}.hea says {n_samples}"
                )
            columns = _columns(_names(part.leads, name), layout, name)
            signal[start:end, columns] = part.signal
            recorded.update(columns)
            foreign.update({columns[column]: unit for column, unit in part.foreign.items()})
        start = end
    kept = sorted(recorded)
    leads = tuple(layout[column] for column in kept)
    units = {kept.index(column): unit for column, unit in foreign.items()}
    return Record(signal[:, kept], leads, header.sampling_rate, header.comments, units)


def _segment_header(root: Root, folder: str, header: Header, name: str) -> Header:
    found = read_header(root, folder, name)
    if found.segments:
        raise RecordError("header_invalid", f"{name}.hea: a segment must not have segments itself")
    if found.sampling_rate != header.sampling_rate:
        raise RecordError(
            "header_invalid", f"{name}.hea: {found.sampling_rate:g} Hz, {header.name}.hea has {header.sampling_rate:g}"
        )
    return found


def _layout(header: Header, heads: dict[str, Header]) -> tuple[str, ...]:
    """Normalized names of the record's signals."""
    first = next((segment for segment in header.segments if segment.name != GAP), None)
    if first is None:
        raise RecordError("signal_empty", f"{header.name}.hea has gaps only")
    return _names((normalize_lead(signal.name) for signal in heads[first.name].signals), first.name)


def _names(leads: Iterable[str], segment: str) -> tuple[str, ...]:
    """Names of a segment's leads; of those without one, which are called by their segment, the number."""
    return tuple(lead.removeprefix(f"record {segment}, ") for lead in leads)


def _columns(leads: tuple[str, ...], layout: tuple[str, ...], segment: str) -> list[int]:
    """Columns of the layout that a segment's leads go to, by name; of a name that stands twice the next in turn."""
    columns: list[int] = []
    for lead in leads:
        free = [column for column, name in enumerate(layout) if name == lead and column not in columns]
        if not free:
            raise RecordError(
                "header_invalid", f"{segment}.hea: signal {lead} is none of the record's: {' '.join(layout)[:200]}"
            )
        columns.append(free[0])
    return columns
