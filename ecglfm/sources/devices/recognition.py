"""What a file is, by its content: one table for every place that opens a file which a person names.

Endings tell little: a DICOM export often has none, and `.xml`, `.ecg` and `.dat` are several makers'. WFDB alone goes
by its header's name, for its signal files say nothing of themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ecglfm.records import RecordError
from ecglfm.sources.devices.xml_files import first_tag
from ecglfm.sources.inside import Root

#: What of a file is looked at: XML may begin with a comment, the others say it in their first bytes.
START = 1 << 14


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        For people, with its article: `a DICOM file`.
    reader : str
        Key of what reads it in `ecglfm.sources.files`; empty: nothing does.
    extra : bool
        It takes `ecglfm[formats]`.
    advice : str
        What to do with a file that nothing reads.
    recording : bool
        It holds recordings, so that one which is left out is a row of the ledger; others only stand beside them.
    """

    name: str
    reader: str = ""
    extra: bool = False
    advice: str = ""
    recording: bool = True


MUSE = Format("a GE MUSE XML", "muse")
CARDIOSOFT = Format("a GE CardioSoft XML", "cardiosoft")
AECG = Format("an HL7 aECG", "aecg", extra=True)
SIERRA = Format("a Philips Sierra XML", "sierra", extra=True)
MORTARA = Format("a Mortara ELI XML", "mortara", extra=True)
DICOM = Format("a DICOM file", "dicom", extra=True)
SCP = Format("an SCP-ECG file", "scp", extra=True)
EDF = Format("an EDF file", "edf", extra=True)
ISHNE = Format("an ISHNE Holter file", "ishne", extra=True)

#: Formats of XML, by the root element.
ROOT_ELEMENTS = {
    "RestingECG": MUSE,
    "CardiologyXML": CARDIOSOFT,
    "AnnotatedECG": AECG,
    "restingecgdata": SIERRA,
    "ECG": MORTARA,
}

_EXPORT = "export the recording as DICOM, HL7 aECG, SCP-ECG, EDF or the device's XML"
_PICTURE = f"a picture of a recording is not read; {_EXPORT}"
_UNPACK = "unpack it, and name the files in it"
_TABLE = "tables of samples are read as arrays, `kind: numpy_folder`"


def _beside(name: str, advice: str) -> Format:
    return Format(name, advice=advice, recording=False)


class _Magic(NamedTuple):
    """Bytes at a place, and what has them there."""

    at: int
    content: bytes
    format: Format


_ZIP = _beside("a ZIP archive", _UNPACK)
_IMAGE = _beside("a picture", _PICTURE)
_OFFICE = _beside("an Office document", _TABLE)
_MAGIC = (
    _Magic(128, b"DICM", DICOM),
    _Magic(0, b"ISHNE1.0", ISHNE),
    _Magic(0, b"\xffBIOSEMI", Format("a BDF file", advice="it is not read; save it as EDF")),
    _Magic(2, b"MFR ", Format("an MFER file", advice=f"it is not read; {_EXPORT}")),
    _Magic(0, b"ALIVE\0\0\0", Format("an AliveCor ATC file", advice=f"it is not read; {_EXPORT}")),
    _Magic(0, b"GDF ", Format("a GDF file", advice="it is not read; save it as EDF")),
    _Magic(0, b"ANN  1.0", _beside("an ISHNE annotation file", "name the recording beside it")),
    _Magic(0, b"%PDF", _beside("a PDF", _PICTURE)),
    _Magic(0, b"\x89PNG\r\n\x1a\n", _IMAGE),
    _Magic(0, b"\xff\xd8\xff", _IMAGE),
    _Magic(0, b"GIF8", _IMAGE),
    _Magic(0, b"II*\0", _IMAGE),
    _Magic(0, b"MM\0*", _IMAGE),
    _Magic(0, b"PK\3\4", _ZIP),
    _Magic(0, b"\x1f\x8b", _beside("a gzip archive", _UNPACK)),
    _Magic(0, b"7z\xbc\xaf\x27\x1c", _beside("a 7-Zip archive", _UNPACK)),
    _Magic(0, b"Rar!\x1a\x07", _beside("a RAR archive", _UNPACK)),
    _Magic(0, b"\xfd7zXZ\0", _beside("an xz archive", _UNPACK)),
    _Magic(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    _Magic(0, b"{\\rtf", _OFFICE),
    _Magic(0, b"PAR1", _beside("a Parquet file", _TABLE)),
    _Magic(0, b"MATLAB 5.0", Format("a MATLAB file", advice="without a WFDB header it is not read; save it as .npy")),
)  # fmt: skip


def _is_edf(start: bytes) -> bool:
    """Version 0, and numbers where the numbers of data records and of signals stand."""
    return start.startswith(b"0       ") and all(
        re.fullmatch(rb"-?\d+ *", start[place]) for place in (slice(236, 244), slice(252, 256))
    )


def _is_scp(start: bytes) -> bool:
    """EN 1064: section 0 begins at byte 7, is of pointers of ten bytes, and its first pointer is to itself."""
    if len(start) < 32:
        return False
    size, length = int.from_bytes(start[2:6], "little"), int.from_bytes(start[10:14], "little")
    return (
        start[8:10] == b"\0\0"
        and start[22:24] == b"\0\0"
        and start[28:32] == b"\7\0\0\0"
        and 26 <= length <= size - 6
        and (length - 16) % 10 == 0
    )


_CHECKS: tuple[tuple[Callable[[bytes], bool], Format], ...] = ((_is_edf, EDF), (_is_scp, SCP))


def recognise(start: bytes) -> Format | None:
    """The format of a file that begins with these bytes, `START` of them; None where it is not known."""
    for at, content, format_ in _MAGIC:
        if start.startswith(content, at):
            return format_
    tag = first_tag(start)
    if tag is not None:
        return ROOT_ELEMENTS.get(tag) or _beside(f"XML of <{tag[:40]}>", f"no such recording is known; {_EXPORT}")
    return next((format_ for holds, format_ in _CHECKS if holds(start)), None)


def identify(root: Root, path: str) -> Format | None:
    """The format of the file at a path; None where it is not known, or where there is no such file.

    Raises
    ------
    RecordError
        `path_outside_root`, `file_unreadable`.
    """
    folder, name = root.split(path)
    try:
        with root.open(folder, name, "signal_missing") as (descriptor, _):
            return recognise(os.read(descriptor, START))
    except RecordError as error:
        if error.reason == "signal_missing":
            return None
        raise
