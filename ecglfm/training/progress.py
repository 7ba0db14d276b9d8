"""What a training shows of itself: a bar on a terminal, elsewhere a line of the log now and then, and a small file."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import sys
import time
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from ecglfm import distributed
from ecglfm.progress import FILE, Progress, write_progress

logger = logging.getLogger(__name__)

LOG_SECONDS = 30.0  # between lines of the log, where no bar can be shown
FILE_SECONDS = 5.0  # between versions of the file


class TrainingProgress:
    """Steps, figures and time left of one training; on rank 0. A context manager around its loop.

    Parameters
    ----------
    folder : path or None
        Of the outputs: gets `progress.json`, which is removed when the loop has ended, and stays after anything else.
        A file that cannot be written is said once, and stops nothing.
    start, total : int
        Steps that were done before, and in all.
    unit : str
        What a step is called.
    at_most : bool
        It may stop earlier.

    Attributes
    ----------
    part : str
        Part of the training that is under way: `epoch 2 of 3`.
    """

    def __init__(
        self, folder: Path | None, *, start: int, total: int, unit: str = "step", at_most: bool = False
    ) -> None:
        main = distributed.is_main()
        bar = main and sys.stderr.isatty()
        self.part = ""
        self._bar = tqdm(initial=start, total=total, unit=unit, disable=not bar)
        self._lines, self._folder = main and not bar, folder if main else None
        self._total, self._unit, self._at_most = total, unit, at_most
        self._start, self._began = start, math.nan  # of what time left is told from: a first step takes longer
        self._spoke = time.monotonic()
        self._wrote, self._warned = -math.inf, False
        self._step, self._loss, self._rate = start, math.nan, math.nan

    def describe(self, *, loss: float, segments_per_second: float) -> None:
        """Remember the figures to show."""
        self._loss, self._rate = loss, segments_per_second
        if not self._bar.disable:
            self._bar.set_postfix_str(", ".join(filter(None, [self.part, self._figures()])), refresh=False)

    def left(self, before: str = "") -> str:
        """Time left, as `Progress.left`."""
        return self._now(time.monotonic()).left(before)

    def update(self, step: int) -> None:
        """So many steps are done."""
        self._bar.update(step - self._step)
        self._step, now = step, time.monotonic()
        if math.isnan(self._began):
            self._start, self._began = step, now
        if self._folder is not None and now - self._wrote >= FILE_SECONDS:
            self._write(now)
        if self._lines and (now - self._spoke > LOG_SECONDS or (step == self._total and not self._at_most)):
            logger.info("%s", self._now(now))
            self._spoke = now

    def _now(self, now: float) -> Progress:
        """Where the training is."""
        done = self._step - self._start
        left = (now - self._began) / done * (self._total - self._step) if done else None
        place = f"{self._unit} {self._step} of {self._total}" + (f" ({self.part})" if self.part else "")
        text = ", ".join(filter(None, [place, self._figures()]))
        return Progress(text, left, self._at_most, time.time())

    def _figures(self) -> str:
        """Loss and speed, once they are known."""
        return "" if math.isnan(self._rate) else f"loss {self._loss:.3f}, {self._rate:.0f} segments/s"

    def _write(self, now: float) -> None:
        self._wrote = now
        try:
            assert self._folder is not None
            write_progress(self._folder, self._now(now))
        except OSError as error:
            if not self._warned:
                why = errno.errorcode.get(error.errno or 0, type(error).__name__)
                logger.warning("%s/%s cannot be written (%s), the training goes on", self._folder, FILE, why)
            self._warned = True

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._folder is None:
            return
        if kind is not None and not math.isnan(self._began):
            self._write(time.monotonic())
        elif kind is None:
            with contextlib.suppress(OSError):
                (self._folder / FILE).unlink(missing_ok=True)
