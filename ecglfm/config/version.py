"""Version of the config: which keys were renamed, and since when.

A file without `version` is of version 1, from before there was one. A renamed key is written into `MOVES` beside the
version that has the new name; `ecglfm config migrate` moves it, and whoever still writes the old one is told both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ecglfm import __version__

#: Of the keys that this package reads.
VERSION = 2


class Move(NamedTuple):
    """A key that has another name now.

    Attributes
    ----------
    since : int
        First version of the config that has the new name.
    kind : {"config", "encoder"}
        File that the key is in; an encoder may stand under `define` in a project, too.
    old, new : tuple of str
        From the top of the file.
    """

    since: int
    kind: str
    old: tuple[str, ...]
    new: tuple[str, ...]


MOVES = (
    Move(2, "config", ("evaluate", "calibration"), ("finetune", "calibration")),
    Move(2, "encoder", ("pretrain", "warmup_steps"), ("pretrain", "schedule", "warmup")),
)


def renamed(location: Sequence[Any], where: str) -> str | None:
    """What is said of a key that has another name now; None of one that never was.

    Parameters
    ----------
    location : sequence
        The key, from the top of its file.
    where : str
        What holds it, as messages name it: a file, a file and a place under `define`, or `--config`.
    """
    found = next((move for move in MOVES if move.old == tuple(location)), None)
    if found is None:
        return None
    file = where.partition(": ")[0]
    how = "" if file.startswith("--") else f"; `ecglfm config migrate {file}` moves it"
    return f"is now `{'.'.join(found.new)}`{how}"


def newer(content: Mapping[str, Any]) -> str | None:
    """What is said of a file that is made for an ecglfm of later; None of one that this one can read."""
    said = content.get("version")
    if isinstance(said, int) and said > VERSION:
        return (
            f"version: {said} is newer than this ecglfm {__version__}, which knows up to {VERSION}: install the ecglfm"
            " that the file was written for"
        )
    return None
