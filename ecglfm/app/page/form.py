"""What a browser sends: a form with files, none of which is trusted.

Files reach the disk under names of a plain pattern, in a folder of their own that is deleted after the answer. So that
a person can ask once more without choosing them again, the answer's page has them in hidden fields: the browser keeps
them, the server nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ecglfm.sources.devices import START, recognise

MAX_BYTES = 16 * 2**20  # of the files of one request; five minutes of twelve leads at 1000 Hz are 7
MAX_BODY = MAX_BYTES * 4 // 3 + 2**20  # hidden fields are base64
MAX_FILES = 32
MAX_FIELD = 500  # characters of what is no file
ENDINGS = (".hea", ".dat", ".mat", ".xml", ".hdf5", ".h5")  # others are known by their content
WHICH = ("now", "before")  # fields with files: the recording, and an earlier one of the person
_NAME = re.compile(r"\w[\w .()+=-]{0,119}")
_LONGEST = 255  # bytes of a file's name, on Linux's disks
_BOUNDARY = re.compile(r"multipart/form-data\s*;.*?boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?\s*$", re.IGNORECASE)
_FIELD = re.compile(r'form-data\s*;\s*name="([^"]*)"(?:\s*;\s*filename="([^"]*)")?', re.IGNORECASE)


class PageError(Exception):
    """What cannot be done, in a sentence for the person.

    Parameters
    ----------
    sentence : str
    status : int
        Of HTTP.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Form:
    """A form.

    Attributes
    ----------
    files : dict of str to dict of str to bytes
        By field of `WHICH`, name and content.
    fields : dict of str to str
        The others.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=lambda: {which: {} for which in WHICH})
    fields: dict[str, str] = field(default_factory=dict)


def read_form(content_type: str, body: bytes) -> Form:
    """A form of a request's body, `multipart/form-data` (RFC 7578).

    Raises
    ------
    PageError
        It is none, a file has a name or an ending that no recording has, or the files are too many or too large.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise PageError("This is no form with files; use the page.")
    form = Form()
    for name, filename, content in _parts(body, found[1].encode()):
        if name in WHICH and filename is not None:
            if filename or content:  # browsers send an empty part where no file was chosen
                _add(form, name, filename, content)
        elif name in WHICH:
            _add(form, name, *_unhidden(content))
        else:
            form.fields[name] = content[: 4 * MAX_FIELD].decode("utf-8", "replace")[:MAX_FIELD]
    return form


def hidden(files: Mapping[str, bytes]) -> list[str]:
    """Values of hidden fields that `read_form` reads as these files."""
    return [f"{name}/{base64.b64encode(content).decode()}" for name, content in files.items()]


@contextmanager
def on_disk(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with these files and nothing else, for this user alone, deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="ecglfm-page-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        yield Path(folder)


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    """Name, file name (None where it is no file) and content of each part."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise PageError("The form did not arrive whole; send it once more.")
    for piece in pieces[1:-1]:
        head, end, content = piece.partition(b"\r\n\r\n")
        named = _FIELD.search(head.decode("utf-8", "replace"))
        if not end or named is None:
            raise PageError("The form did not arrive whole; send it once more.")
        yield named[1], named[2], content


def _unhidden(content: bytes) -> tuple[str, bytes]:
    name, _, encoded = content.partition(b"/")
    try:
        return name.decode("utf-8", "replace"), base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise PageError("The form did not arrive whole; choose the files once more.") from None


def _add(form: Form, which: str, filename: str, content: bytes) -> None:
    name = unicodedata.normalize("NFC", filename)
    if len(name.encode()) > _LONGEST:
        raise PageError(f"A file is called {name[:80]!r} …: longer than a file's name may be; rename it.")
    if not _NAME.fullmatch(name):
        raise PageError(
            f"A file is called {name[:80]!r}: letters, digits, blanks and . _ - ( ) + = are allowed, no path."
        )
    if not name.lower().endswith(ENDINGS):
        found = recognise(content[:START])
        if found is not None and not found.reader:
            raise PageError(f"{name} is {found.name}: {found.advice}.")
        if found is None:
            raise PageError(
                f"{name} is no recording that can be read here; choose WFDB (.hea with its .dat or .mat), GE's XML, "
                "CODE-15 % (.hdf5), or a DICOM, HL7 aECG, SCP-ECG, EDF, Philips, Mortara or ISHNE file."
            )
    form.files[which][name] = content
    chosen = [kept for files in form.files.values() for kept in files.values()]
    if len(chosen) > MAX_FILES:
        raise PageError(f"More than {MAX_FILES} files; a recording has fewer.", 413)
    if sum(map(len, chosen)) > MAX_BYTES:
        raise PageError(
            f"The files are larger than {MAX_BYTES // 2**20} MB together; `ecglfm predict` takes them.", 413
        )
