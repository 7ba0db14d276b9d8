"""What is in the root already, so that no file is fetched or hashed twice.

`.download/verified.txt` gains a line `{digest} {size} {modification time} {path}` when a file has been checked. A file
counts as checked while its line agrees with the listing and with the file system; one that was changed since is hashed
anew. Appending keeps 1.6 million files linear, and a killed run loses at most its last line. In memory a line is
16 bytes of its hash.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import IO

from ecglfm.config import UserError
from ecglfm.provenance import try_lock
from ecglfm.sources.download.listing import FOLDER, RemoteFile


class Verified:
    """The checked files of one root; a context manager that keeps a second download of the root out.

    Raises
    ------
    UserError
        Another process is filling the root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER
        self._lines: set[bytes] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Verified:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = (self.folder / "verified.txt").open("a+b")
        if not try_lock(self._file):
            self._file.close()
            raise UserError(f"{self.root}: another download fills this folder; wait for it, or end it")
        self._file.seek(0)
        line = b"\n"
        for line in self._file:
            self._lines.add(_hash(line))
        if not line.endswith(b"\n"):  # a killed run left half a line
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, file: RemoteFile) -> bool:
        try:
            return _hash(self._line(file)) in self._lines
        except OSError:  # not there, or a name that this disk cannot hold
            return False

    def add(self, file: RemoteFile) -> None:
        """Remember a file that is in place and was found to have its checksum."""
        line = self._line(file)
        with self._lock:
            self._file.write(line)
            self._file.flush()
            self._lines.add(_hash(line))

    def _line(self, file: RemoteFile) -> bytes:
        stat = (self.root / file.path).stat()
        return f"{file.digest} {stat.st_size} {stat.st_mtime_ns} {file.path}\n".encode()


def _hash(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
