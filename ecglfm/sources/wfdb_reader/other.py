"""WFDB records that our own reader leaves to `wfdb`: many segments, skew, frames of several samples, rare formats.

`wfdb` trusts headers: it opens what they name, takes memory for the lengths they state and fills up a truncated
file. So what they say is checked first, and what was read afterwards.
"""

from __future__ import annotations

import logging

import numpy as np

from ecglfm.records import Record, RecordError, normalize_lead
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.digital import is_plain, read_digital, verify
from ecglfm.sources.wfdb_reader.header import MILLIVOLTS, Header, read_header

LOG = logging.getLogger(__name__)
MAX_SAMPLES = 1 << 27  # of all signals together: 12 leads at 500 Hz for six hours
_FORMATS = {8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524}


def read_other(root: Root, folder: str, name: str, header: Header) -> Record:
    """Read one record with `wfdb`; raises RecordError as `ecglfm.sources.wfdb_reader.files.read_wfdb`."""
    _check_files(root, folder, header)
    import wfdb

    path = f"{folder}/{name}"
    try:
        if header.signals:
            raw = wfdb.rdrecord(path, physical=False, smooth_frames=False, ignore_skew=True).e_d_signal
            sums = [int(samples.sum(dtype=np.int64)) & 0xFFFF for samples in raw]
            verify(header.signals, [int(samples[0]) for samples in raw], sums)
        found = wfdb.rdrecord(path, physical=True, return_res=64)
    except RecordError:
        raise
    except Exception as error:  # wfdb raises nearly every type on a malformed file, and the file is not ours
        LOG.debug("wfdb on %s", path, exc_info=True)
        raise RecordError("signal_unreadable", f"{name}: {type(error).__name__}: {error}") from error
    units = [MILLIVOLTS.get(str(unit).lower()) for unit in found.units]
    if None in units:
        raise RecordError("unit_unknown", f"{name}: units {' '.join(map(str, found.units))}")
    signal = np.asarray(found.p_signal, dtype=np.float64) * np.array(units, dtype=np.float64)
    if len(signal) == 0:
        raise RecordError("signal_empty", f"{name} holds no samples")
    leads = tuple(normalize_lead(str(lead)) for lead in found.sig_name)
    return Record(signal, leads, float(found.fs), header.comments)


def _check_files(root: Root, folder: str, header: Header) -> None:
    """Every file that `wfdb` would open for this header exists and lies inside the root; its lengths are possible."""
    _check_signals(root, folder, header)
    total = sum(segment.n_samples for segment in header.segments)
    if header.segments and header.n_samples not in {None, total}:
        raise RecordError(
            "header_invalid", f"{header.name}.hea states {header.n_samples} samples, its segments {total}"
        )
    checked = set()
    widest = 1
    for name, _ in header.segments:
        if name == "~" or name in checked:  # a gap
            continue
        checked.add(name)
        segment = read_header(root, folder, name)
        if segment.segments:
            raise RecordError("header_invalid", f"{name}.hea: a segment must not have segments itself")
        widest = max(widest, len(segment.signals))
        _check_signals(root, folder, segment)
        _verify_segment(root, folder, segment)
    if total * widest > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{header.name}.hea: {total} samples in its segments")


def _check_signals(root: Root, folder: str, header: Header) -> None:
    frame = sum(signal.stored.samples_per_frame for signal in header.signals)
    longest = (header.n_samples or 0) + max((signal.stored.skew for signal in header.signals), default=0)
    if frame * longest > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{header.name}.hea: {longest} frames of {frame} samples")
    for signal in header.signals:
        if signal.stored.format not in _FORMATS:
            raise RecordError("format_unknown", f"{header.name}.hea: {signal.name}: format {signal.stored.format}")
        if signal.file == "~":  # the layout segment of a variable-layout record has no signal file
            continue
        with root.open(folder, signal.file, "signal_missing") as (_, size):
            if size <= signal.stored.offset:
                raise RecordError("signal_empty", f"{signal.file} holds no samples ({size} bytes)")


def _verify_segment(root: Root, folder: str, segment: Header) -> None:
    """Checksums of a segment, which wfdb does not look at."""
    if is_plain(segment) and all(signal.file != "~" for signal in segment.signals):
        read_digital(root, folder, segment)
