"""One recording from a file that says itself what it is: GE's XML, and what `ecglfm[formats]` reads."""

from __future__ import annotations

from ecglfm.records import Record, RecordError
from ecglfm.sources.devices.cardiosoft_xml import read_cardiosoft, read_cardiosoft_head
from ecglfm.sources.devices.muse_xml import read_muse, read_muse_head
from ecglfm.sources.devices.recognition import Format, identify
from ecglfm.sources.devices.recording_files import Head
from ecglfm.sources.devices.vendor import read_vendor
from ecglfm.sources.inside import Root

#: Readers of our own, by `Format.reader`: of the recording, and of what stands before its waveforms.
_OWN = {"muse": (read_muse, read_muse_head), "cardiosoft": (read_cardiosoft, read_cardiosoft_head)}


def known_format(root: Root, path: str) -> Format:
    """The format of the file at a path, which something reads.

    Raises
    ------
    RecordError
        `format_unknown`; `format_unsupported`: it is known, and not read; `signal_missing`: no such file;
        `path_outside_root`.
    """
    found = identify(root, path)
    if found is None:
        raise RecordError("format_unknown", f"{path}: in none of the formats that are known")
    if not found.reader:
        raise RecordError("format_unsupported", f"{path}: {found.name}; {found.advice}")
    return found


def read_device_file(root: Root, path: str, found: Format, checks: str = "stated") -> Record:
    """Read the recording at a path in a format that `known_format` gave; raises `RecordError`."""
    return _OWN[found.reader][0](root, path) if found.reader in _OWN else read_vendor(root, path, found, checks).record


def read_device_head(root: Root, path: str, found: Format, checks: str = "stated") -> Head:
    """What the file at a path says beside its waveforms; raises `RecordError`.

    A file that takes `ecglfm[formats]` is read whole for it.
    """
    return _OWN[found.reader][1](root, path) if found.reader in _OWN else read_vendor(root, path, found, checks).head
