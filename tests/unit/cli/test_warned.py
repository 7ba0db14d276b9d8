"""Warnings for the person at the console."""

from __future__ import annotations

import logging

from ecglfm.cli.warned import warnings_of


def test_warnings_are_said_once_and_not_without_end():
    logger = logging.getLogger("some.package.module")
    with warnings_of("some.package") as warned:
        logger.info("not a warning")
        for number in range(25):
            logger.warning("file %d", number)
            logger.warning("file %d", number)
    assert warned == [*(f"file {number}" for number in range(20)), "and 5 more warnings, in the log of the stage"]
    logger.warning("later")
    assert len(warned) == 21
