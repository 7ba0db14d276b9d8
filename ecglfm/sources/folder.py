"""Files of a folder by their ending, and those that a table does not name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from ecglfm.sources.wfdb_reader.tree import walk

logger = logging.getLogger(__name__)


def files_of(root: Path, endings: tuple[str, ...]) -> Iterator[str]:
    """Paths, relative to the root, of the files with one of these endings (in lower case; any case is found)."""
    root = root.resolve()
    for folder, names in walk(root, root):
        place = folder.relative_to(root)
        yield from ((place / name).as_posix() for name in names if name.lower().endswith(endings))


def hashes(paths: Iterable[str]) -> np.ndarray:
    """Python's hash of each path, int64: enough to know it again in this process, in 8 bytes."""
    return np.fromiter((hash(PurePosixPath(path).as_posix()) for path in paths), np.int64)


def warn_of_others(table: Path, files: Iterable[str], known: np.ndarray) -> None:
    """Count in a warning the files that are in no row of the table; `known` as `hashes` gives them for its rows."""
    known = np.sort(known)
    others, first = 0, ""
    for path in files:
        place = int(np.searchsorted(known, hash(path)))
        if place == len(known) or known[place] != hash(path):
            others, first = others + 1, min(first or path, path)
    if others:
        logger.warning("%s: %d files are in no row of it and are not used, the first: %s", table, others, first)
