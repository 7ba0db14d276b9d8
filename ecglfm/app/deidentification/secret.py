"""The secret that pseudonyms and shifts are made with: who has it can find a known id again, nobody else can.

HMAC-SHA256 (RFC 2104) of what for and of the id. Without the key the few million possible ids of a hospital would be
tried in a second; with it the same id has the same pseudonym in every format, table and run.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from ecglfm.config import UserError

_BYTES = 32
_SHOWN = 20  # hexadecimal digits: 80 bits, so that two of ten million ids share one with a chance of 4e-11


class Secret:
    """A key, and what is derived from it.

    Parameters
    ----------
    key : bytes
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _digest(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\0{text}".encode(errors="surrogateescape"), "sha256").hexdigest()

    def pseudonym(self, identifier: str) -> str:
        """What stands for an id; begins with a letter, so that no program takes it for a number."""
        return "p" + self._digest("id", identifier)[:_SHOWN]

    def name(self, name: str) -> str:
        """What stands for the name of a record or folder."""
        return "r" + self._digest("name", name)[:_SHOWN]

    def days(self, person: str, most: int) -> int:
        """By how many days the dates of a person go back, 1 to `most`."""
        return 1 + int(self._digest("days", person), 16) % most


def open_secret(path: Path) -> tuple[Secret, bool]:
    """Take the secret of a file, or make one that nobody else may read.

    Returns
    -------
    secret : Secret
    made : bool
        The file is new.

    Raises
    ------
    UserError
        Others may read it, it is too short to be a secret, or it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return Secret(_read(path)), False
    except OSError as error:
        raise UserError(f"--secret {path}: cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Secret(_read(path)), True


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 16).strip()
    except OSError as error:
        raise UserError(f"--secret {path}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise UserError(f"--secret {path}: others may read it, so it is no secret; `chmod 600 {path}`")
    if len(content) < _BYTES:
        raise UserError(f"--secret {path}: holds {len(content)} bytes, a secret has {_BYTES} at least; name a new file")
    return content
