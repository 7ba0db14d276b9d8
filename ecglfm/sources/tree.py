"""The files below a folder: each once, by their ending, in the order of their ids, and those that no table names."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.records import RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.tables import Sorter, batched, merge_join, natural_key, sort

logger = logging.getLogger(__name__)


def walk(root: Root, start: str = "") -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Each folder of a tree, relative to the root, with its file names, both in order of name.

    A link to a folder inside the root is passed over, as that folder is walked itself. One that leads outside is
    followed where the root allows it, each such folder once, and is else counted in a warning, as are names in no
    known encoding.

    Parameters
    ----------
    root : Root
        The database.
    start : str
        Folder to begin at, relative to the root.

    Raises
    ------
    UserError
        A folder cannot be listed, or `start` leads outside.
    """
    try:
        begin = Path(root.folder(tuple(part for part in start.split("/") if part)))
    except RecordError as error:
        raise UserError(f"{root.path}: {error.detail}") from None
    refused: list[Path] = []  # links
    unnamed: list[Path] = []
    outside = {begin} if not begin.is_relative_to(root.path) else set()  # folders that were reached through links
    waiting = [(PurePosixPath(start), begin)]
    while waiting:
        place, folder = waiting.pop()
        folders, files = _listed(folder)
        unnamed += [root.path / place / name for name in [*folders, *files] if not _is_text(name)]
        yield place, list(filter(_is_text, files))
        below = []
        for name in filter(_is_text, folders):
            path = folder / name
            if os.path.islink(path):
                path = path.resolve()
                if path.is_relative_to(root.path):
                    continue
                if not root.allows(path):
                    refused.append(root.path / place / name)
                    continue
            if path in outside:
                continue
            if not path.is_relative_to(root.path):
                outside.add(path)
            below.append((place / name, path))
        waiting += reversed(below)
    if refused:
        logger.warning(
            "%d links lead outside %s and are not followed, the first: %s; write `links: follow` in the source's YAML, "
            "or list the folders that they may lead to: `links: [DIR]`",
            len(refused), root.path, refused[0],
        )  # fmt: skip
    if unnamed:
        logger.warning(
            "%d names below %s are not UTF-8, and are passed over, the first: %r; rename them (`convmv` does)",
            len(unnamed), root.path, os.fsencode(unnamed[0]),
        )  # fmt: skip


def _is_text(name: str) -> bool:
    """Whether the name of a file can stand in a table: an archive of another system may have brought other bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders, and links to folders, in a folder; and those of its files."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if os.path.isdir(entry) else files).append(entry.name)  # False for a loop of links
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be listed: {error.strerror}") from None
    return sorted(folders), sorted(files)


def files_of(root: Root, endings: tuple[str, ...]) -> Iterator[str]:
    """Paths, relative to the root, of the files with one of these endings (in lower case; any case is found)."""
    for place, names in walk(root):
        yield from ((place / name).as_posix() for name in names if name.lower().endswith(endings))


def in_pieces(name: str, paths: Iterable[tuple[str, str]], unit: str) -> Iterator[list[str]]:
    """Different paths in natural order of their ids, some thousand at a time, with a progress bar.

    Parameters
    ----------
    name : str
        Of the source.
    paths : iterable of (id, path)
        Where one path comes twice, so does its id.
    unit : str
    """
    sorter, last = Sorter("key", "path"), ""
    for pairs in batched(paths):
        keys = pa.array([natural_key(native_id) for native_id, _ in pairs], pa.large_binary())
        sorter.add(pa.table({"key": keys, "path": pa.array([path for _, path in pairs], pa.large_string())}))
    with tqdm(total=len(sorter), desc=f"index {name}", unit=unit, disable=None) as progress:
        for table in sorter.tables():
            piece = table["path"].to_pylist()
            different = [path for before, path in pairwise([last, *piece]) if path != before]
            if different:
                yield different
                last = different[-1]
            progress.update(len(piece))


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
