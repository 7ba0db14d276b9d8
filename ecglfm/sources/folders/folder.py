"""Files of a folder by their ending, and those that a table does not name."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config.wording import counted
from ecglfm.sources.inside import Root
from ecglfm.sources.tables.reorder import Sorter, batched, merge_join, sort
from ecglfm.sources.wfdb_reader.tree import walk

logger = logging.getLogger(__name__)


def files_of(root: Root, endings: tuple[str, ...]) -> Iterator[str]:
    """Paths, relative to the root, of the files with one of these endings (in lower case; any case is found)."""
    for place, names in walk(root):
        yield from ((place / name).as_posix() for name in names if name.lower().endswith(endings))


class Known:
    """Files that a table names, to be held against those that are there.

    Parameters
    ----------
    table : path
        For the message.
    """

    def __init__(self, table: Path) -> None:
        self._table, self._paths = table, Sorter("path")
        self.add([])

    def add(self, paths: Iterable[str]) -> None:
        """Take some paths, relative to the root."""
        self._paths.add(_paths(PurePosixPath(path).as_posix() for path in paths))

    def warn_of_others(self, files: Iterable[str]) -> None:
        """Count in a warning the files that are in no row of the table."""
        n_others, first = 0, b""
        for there, known in merge_join([sort(map(_paths, batched(files)), "path"), self._paths.tables()], "path"):
            others = there.filter(pc.invert(pc.is_in(there["path"], known["path"].combine_chunks())))
            if len(others) and not n_others:
                first = others["path"][0].as_py()
            n_others += len(others)
        if n_others:
            logger.warning(
                "%s: %s, the first: %s",
                self._table, counted(
                    n_others, "file is in no row of it and is not used", "files are in no row of it and are not used"
                ), os.fsdecode(first),
            )  # fmt: skip


def _paths(paths: Iterable[str]) -> pa.Table:
    return pa.table({"path": pa.array(map(os.fsencode, paths), pa.large_binary())})  # a name need not be UTF-8
