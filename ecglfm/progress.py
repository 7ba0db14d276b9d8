"""How far a long job is: a small file beside what it makes, which the console, `ecglfm status` and people read.

It is there while the job runs, and stays where the job was killed. No result depends on it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

FILE = "progress.json"


class Progress(NamedTuple):
    """What the file says.

    Attributes
    ----------
    text : str
        Where the job is, and its figures: `step 120 of 200, loss 4.31, 85 segments/s`.
    seconds_left : float or None
        Until the end of the loop, as far as the time since its start tells; None before it tells anything.
    at_most : bool
        The loop may stop earlier.
    written : float
        When the file was written, seconds since the epoch.
    """

    text: str
    seconds_left: float | None
    at_most: bool
    written: float

    def __str__(self) -> str:
        return self.text + self.left(", ")

    def left(self, before: str = "") -> str:
        """Time left, behind `before`; nothing where it is not known."""
        if self.seconds_left is None:
            return ""
        return f"{before}{'at most ' if self.at_most else ''}{duration(self.seconds_left)} left"

    def at(self, now: float) -> Progress:
        """The same when the file is a little old: less time is left."""
        if self.seconds_left is None:
            return self
        return self._replace(seconds_left=max(0.0, self.seconds_left - max(0.0, now - self.written)))


def write_progress(folder: Path, progress: Progress) -> None:
    """Write the file, whole or not at all; without fsync, since nothing is lost with it. Raises `OSError`."""
    temporary = folder / f".{FILE}.tmp"
    try:
        temporary.write_text(json.dumps(progress._asdict()) + "\n", encoding="utf-8")
        temporary.replace(folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_progress(folder: Path) -> Progress | None:
    """What the file in a folder says; None where there is none, or it is not one of ours."""
    try:
        content: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        text, left, at_most, written = (content[name] for name in Progress._fields)
        numbers = [float(written)] + ([] if left is None else [float(left)])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(map(math.isfinite, numbers)):
        return None
    return Progress(" ".join(str(text).split()), None if left is None else numbers[1], bool(at_most), numbers[0])


def duration(seconds: float) -> str:
    """A time as people say it: `45 s`, `1 min 10 s`, `3 h 12 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for (large, long), (small, short) in itertools.pairwise(units):
        if whole >= long:
            rest = whole % long // short
            return f"{whole // long} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"
