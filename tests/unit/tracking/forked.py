"""A process that was forked, as a data loader's, and has open whatever was open then."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def forked() -> Iterator[None]:
    """Such a process, as long as the block lasts."""
    context = multiprocessing.get_context("fork")
    end = context.Event()
    process = context.Process(target=end.wait, daemon=True)
    process.start()
    try:
        yield
    finally:
        end.set()
        process.join()
