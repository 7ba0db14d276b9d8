"""Warnings for the person at the console: the workflow sends standard error, where they are logged, to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from ecglfm.config.wording import counted

_MOST = 20  # warnings that are shown; the log has every one


class _Collector(logging.Handler):
    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, None] = {}
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self._said.setdefault(record.getMessage())
        more = len(self._said) - _MOST
        rest = [f"and {counted(more, 'more warning')}, in the log of the stage"] if more > 0 else []
        self._texts[:] = [*islice(self._said, _MOST), *rest]


@contextmanager
def warnings_of(name: str) -> Iterator[list[str]]:
    """Collect what a package logs as a warning, once each, in a list that is filled as they come."""
    texts: list[str] = []
    collector, logger = _Collector(texts), logging.getLogger(name)
    logger.addHandler(collector)
    try:
        yield texts
    finally:
        logger.removeHandler(collector)
