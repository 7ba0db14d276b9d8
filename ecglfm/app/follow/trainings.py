"""The trainings of a results folder that are under way, for the console of the run that started them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ecglfm.lock import holder_of
from ecglfm.progress import FILE, Progress, read_progress

POLL_SECONDS = 10.0
#: A training has its first line after so many seconds, and waits for the next as long as it has run, at most so many.
FIRST_SECONDS, MOST_SECONDS = 30.0, 600.0


def trainings(results: Path) -> Iterator[tuple[str, Progress]]:
    """Name and progress of each that runs or was killed: `pretrain tiny`, `finetune tiny/af/full-s0`."""
    for stage, depth in (("pretrain", "*"), ("finetune", "*/*/*")):
        for path in sorted((results / stage).glob(f"{depth}/{FILE}")):
            progress = read_progress(path.parent)
            if progress is not None:
                yield f"{stage} {path.parent.relative_to(results / stage)}", progress


def holders(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Lock of each training that has begun and not ended, and who holds it."""
    for pattern in ("pretrain/*/checkpoints.lock", "finetune/*/*/*/checkpoints.lock"):
        for lock in sorted(results.glob(pattern)):
            holder = holder_of(lock)
            if holder is not None:
                yield lock, holder


class Teller:
    """What the console says of trainings: of short ones nothing, of long ones a line now and then.

    Parameters
    ----------
    results : path
    began : float
        When the run began, seconds since the epoch: what was written before is of an earlier one.
    """

    def __init__(self, results: Path, began: float) -> None:
        self._results, self._began = results, began
        self._first: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def lines(self, now: float) -> list[str]:
        """Lines that are due."""
        lines = []
        for name, progress in trainings(self._results):
            if progress.written < self._began or progress.written == self._told.get(name):
                continue
            first = self._first.setdefault(name, now)
            if now < self._due.setdefault(name, first + FIRST_SECONDS):
                continue
            lines.append(f"{name}: {progress}")
            self._told[name] = progress.written
            self._due[name] = now + min(max(now - first, FIRST_SECONDS), MOST_SECONDS)
        return lines

    def run(self, say: Callable[[str], object]) -> None:
        """Say each line when it is due, for ever: for a thread that ends with its process."""
        while True:
            time.sleep(POLL_SECONDS)
            try:
                for line in self.lines(time.time()):
                    say(line)
            except OSError:  # a folder that is being removed, a disk that is away
                continue
