"""Files of a database, and none outside its root, whatever its tables, headers and symlinks say."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecglfm.records import RecordError

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: a pipe would never open
MAX_FOLDERS = 4096  # that are remembered
_NO_SUCH_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO}


def check_relative(path: str) -> str:
    """A record's path relative to the root, as a table gives it; raises RecordError `path_outside_root`."""
    if not path.strip("./") or path.startswith("/") or ".." in path.split("/") or "\\" in path or "\0" in path:
        raise RecordError("path_outside_root", f"{path!r} is not a path inside the database")
    return path


def check_file_name(name: str) -> str:
    """A file named by a header must lie beside it; raises RecordError `path_outside_root`."""
    if name in {".", "..", "-"} or "/" in name or "\\" in name or "\0" in name or ":" in name:
        raise RecordError("path_outside_root", f"the header names {name!r}; a plain file name is allowed, no path")
    return name


def contained(root: Path, path: Path) -> Path:
    """`path` with symlinks resolved, when that is inside `root` (itself resolved).

    Raises
    ------
    RecordError
        `path_outside_root`.
    """
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a symlink loop, a NUL in the name
        raise RecordError("path_outside_root", f"{str(path)!r} cannot be resolved: {error}") from None
    if not resolved.is_relative_to(root):
        raise RecordError("path_outside_root", f"{path.name!r} leads outside the database: {resolved}")
    return resolved


class Root:
    """The folder of a database, which opens files inside it and no others.

    A folder is looked at once, for it holds up to thousands of recordings; a file is opened without following a
    symlink, and only where that fails is the symlink resolved and checked.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self._folders: dict[tuple[str, ...], str] = {(): str(self.path)}

    def folder(self, parts: tuple[str, ...]) -> str:
        """Real path of a folder, given by the names that lead to it from the root.

        Raises
        ------
        RecordError
            `path_outside_root`.
        """
        found = self._folders.get(parts)
        if found is not None:
            return found
        if len(self._folders) > MAX_FOLDERS:
            self._folders = {(): str(self.path)}
        depth = len(parts) - 1
        while parts[:depth] not in self._folders:
            depth -= 1
        for end in range(depth, len(parts)):
            path = f"{self._folders[parts[:end]]}/{parts[end]}"
            if os.path.islink(path):
                path = str(contained(self.path, Path(path)))
            self._folders[parts[: end + 1]] = path
        return self._folders[parts]

    def split(self, path: str) -> tuple[str, str]:
        """Real folder and name of a path relative to the root; raises RecordError `path_outside_root`."""
        *folders, name = [part for part in check_relative(path).split("/") if part not in {"", "."}]
        return self.folder(tuple(folders)), name

    @contextmanager
    def open(self, folder: str, name: str, missing: str) -> Iterator[tuple[int, int]]:
        """Open a file of a folder that `folder` gave.

        Parameters
        ----------
        folder, name : str
        missing : str
            Reason of the error when there is no such file.

        Yields
        ------
        descriptor, size in bytes

        Raises
        ------
        RecordError
            `path_outside_root`, `file_unreadable` (permissions), or `missing`.
        """
        path = f"{folder}/{name}"
        try:
            descriptor = self._open(path)
        except OSError as error:
            if error.errno in _NO_SUCH_FILE:
                raise RecordError(missing, f"{name} does not exist") from None
            if isinstance(error, PermissionError):
                raise RecordError("file_unreadable", f"{name}: {error.strerror}") from None
            raise  # a failing disk is no property of the recording
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RecordError(missing, f"{name} is not a file")
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        try:
            return os.open(path, _FLAGS)
        except OSError as error:
            if error.errno != errno.ELOOP:  # a symlink, so O_NOFOLLOW refused it
                raise
        return os.open(contained(self.path, Path(path)), _FLAGS)
