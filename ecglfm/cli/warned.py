"""Warnings for the person at the console: the workflow sends standard error, where they are logged, to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 20  # warnings that are shown; the log has every one


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def warnings_of(name: str) -> Iterator[list[str]]:
    """Collect what a package logs as a warning; the list is filled, once each, when the block ends."""
    collector, logger, texts = _Collector(), logging.getLogger(name), list[str]()
    logger.addHandler(collector)
    try:
        yield texts
    finally:
        logger.removeHandler(collector)
        said = list(dict.fromkeys(collector.texts))
        more = len(said) - _MOST
        texts += said[:_MOST] + ([f"and {more} more warnings, in the log of the stage index"] if more > 0 else [])
