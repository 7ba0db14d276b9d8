"""Files of a folder by their ending, and those that a table does not name."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ecglfm.sources.wfdb_reader.tree import walk

logger = logging.getLogger(__name__)


def files_of(root: Path, endings: tuple[str, ...]) -> list[str]:
    """Paths, relative to the root, of the files with one of these endings (in lower case; any case is found)."""
    root = root.resolve()
    return [
        (folder.relative_to(root) / name).as_posix()
        for folder, names in walk(root, root)
        for name in names
        if name.lower().endswith(endings)
    ]


def warn_of_others(table: Path, root: Path, endings: tuple[str, ...], paths: Iterable[str]) -> None:
    """Name in a warning the files with one of these endings that are in no row of the table."""
    others = sorted(set(files_of(root, endings)) - {PurePosixPath(path).as_posix() for path in paths})
    if others:
        logger.warning(
            "%s: %d files are in no row of it and are not used, the first: %s", table, len(others), others[0]
        )
