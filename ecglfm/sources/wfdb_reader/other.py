"""WFDB records that our own reader leaves to `wfdb`: skew, frames of several samples, rare formats.

`wfdb` trusts headers: it opens what they name, takes memory for the lengths they state and fills up a truncated
file. So what they say is checked first, and what was read afterwards; and `wfdb` is given a header that was written
from what ours says, for it refuses names that are not in its own spelling.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import numpy as np

from ecglfm.records import MAX_SAMPLES, Record, RecordError, normalize_lead
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.digital import verify
from ecglfm.sources.wfdb_reader.header import Header, foreign, millivolts

LOG = logging.getLogger(__name__)
_FORMATS = {8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524}


def read_other(root: Root, folder: str, header: Header, checks: str) -> Record:
    """Read a record of one segment with `wfdb`; raises RecordError as `ecglfm.sources.wfdb_reader.files.read_wfdb`."""
    files = _check_files(root, folder, header)
    import wfdb

    with tempfile.TemporaryDirectory(prefix="ecglfm-") as temporary:
        path = _write_plain(Path(temporary), header, files)
        try:
            raw = wfdb.rdrecord(path, physical=False, smooth_frames=False, ignore_skew=True).e_d_signal
            sums = [int(samples.sum(dtype=np.int64)) & 0xFFFF for samples in raw]
            verify(header.signals, [int(samples[0]) for samples in raw], sums, checks)
            found = wfdb.rdrecord(path, physical=True, return_res=64)
        except RecordError:
            raise
        except Exception as error:  # wfdb raises nearly every type on a malformed file, and the file is not ours
            LOG.debug("wfdb on %s/%s", folder, header.name, exc_info=True)
            text = f"{header.name}: {type(error).__name__}: {error}"
            raise RecordError("signal_unreadable", text) from error
    signal = np.asarray(found.p_signal, dtype=np.float64) * millivolts(header.signals)
    if len(signal) == 0:
        raise RecordError("signal_empty", f"{header.name} holds no samples")
    leads = tuple(normalize_lead(s.name) for s in header.signals)
    return Record(signal, leads, header.sampling_rate, header.comments, foreign(header.signals))


def _check_files(root: Root, folder: str, header: Header) -> dict[str, str]:
    """Real path of each file of a header, which exists and lies inside the root; the stated lengths are possible."""
    frame = sum(signal.stored.samples_per_frame for signal in header.signals)
    longest = (header.n_samples or 0) + max(signal.stored.skew for signal in header.signals)
    if frame * longest > MAX_SAMPLES:
        raise RecordError("signal_too_long", f"{header.name}.hea: {longest} frames of {frame} samples")
    files = {}
    for signal in header.signals:
        if signal.stored.format not in _FORMATS:
            raise RecordError("format_unknown", f"{header.name}.hea: {signal.name}: format {signal.stored.format}")
        if signal.stored.format == 61:
            what = (
                "format 61 with skew or in frames of several samples, which wfdb cannot read; convert it to format 16"
            )
            raise RecordError("format_unsupported", f"{header.name}.hea: {signal.name}: {what}")
        with root.open(folder, signal.file, "signal_missing") as (descriptor, size):
            if size <= signal.stored.offset:
                raise RecordError("signal_empty", f"{signal.file} holds no samples ({size} bytes)")
            files[signal.file] = os.readlink(f"/proc/self/fd/{descriptor}")
    return files


def _write_plain(folder: Path, header: Header, files: dict[str, str]) -> str:
    """Write the header in the plainest spelling, in mV, beside links to its files; gives the record's path."""
    names = {file: f"f{number}.dat" for number, file in enumerate(files)}
    for file, name in names.items():
        (folder / name).symlink_to(files[file])
    lines = [f"r {len(header.signals)} {header.sampling_rate!r} {header.n_samples or ''}".rstrip()]
    for number, signal in enumerate(header.signals):
        s = signal.stored
        stored = f"{s.format}x{s.samples_per_frame}:{s.skew}+{s.offset} {s.gain!r}({s.baseline})/mV"
        first = signal.initial or 0  # format 8 counts from it
        lines.append(f"{names[signal.file]} {stored} 0 0 {first} {signal.checksum or 0} 0 s{number}")
    (folder / "r.hea").write_text("\n".join(lines) + "\n", encoding="ascii")
    return str(folder / "r")
