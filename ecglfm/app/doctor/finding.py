"""One line of the doctor."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """What was found; `text` says how to mend it where it is not `ok`."""

    level: Literal["ok", "warn", "fail", "skip"]
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5}{self.text}"


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warn(text: str) -> Finding:
    """It works, but less well than it could, or not for everything."""
    return Finding("warn", text)


def fail(text: str) -> Finding:
    """Something of the pipeline will not work."""
    return Finding("fail", text)


def skip(text: str) -> Finding:
    """Nothing could be seen of it here."""
    return Finding("skip", text)
