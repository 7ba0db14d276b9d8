"""Files of a database, and none outside its root, whatever its tables, headers and symlinks say.

Symbolic links that lead outside are followed where the user says so (`links`), and then only from a folder or file of
the tree itself: a path in a table or a header leaves the root in no case.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
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
    """Name of a file that a header names (`./x.dat` is `x.dat`); raises RecordError `path_outside_root`.

    It must lie beside the header.
    """
    while name.startswith("./"):
        name = name[2:]
    if name in {"", ".", "..", "-"} or "/" in name or "\\" in name or "\0" in name or ":" in name:
        raise RecordError("path_outside_root", f"the header names {name!r}; a plain file name is allowed, no path")
    return name


class Root:
    """The folder of a database, which opens files inside it and no others.

    A folder is looked at once, for it holds up to thousands of recordings; a file is opened without following a
    symlink, and only where that fails is the symlink resolved and checked.

    Parameters
    ----------
    path : path
    links : {'inside', 'follow'} or sequence of path
        Where symbolic links may lead: inside the root, anywhere, or also into these folders.
    """

    def __init__(self, path: str | Path, links: str | Sequence[str | Path] = "inside") -> None:
        self.path = Path(path).resolve()
        self._anywhere = links == "follow"
        self._targets = [self.path, *(Path(p).resolve() for p in ([] if isinstance(links, str) else links))]
        self._folders: dict[tuple[str, ...], str] = {(): str(self.path)}

    def allows(self, target: Path) -> bool:
        """Whether a symbolic link may lead to `target`, which is resolved."""
        return self._anywhere or any(target.is_relative_to(folder) for folder in self._targets)

    def resolve(self, path: str | Path) -> Path:
        """`path`, absolute, with symlinks resolved, where they may lead.

        Raises
        ------
        RecordError
            `path_outside_root`.
        """
        path = Path(path)
        try:
            resolved = _resolved(path)
        except (OSError, RuntimeError, ValueError) as error:  # a symlink loop, a NUL in the name
            raise RecordError("path_outside_root", f"{str(path)!r} cannot be resolved: {error}") from None
        if not self.allows(resolved):
            raise RecordError(
                "path_outside_root",
                f"{path.name!r} leads outside the database: {resolved}; symbolic links to there are followed where "
                "the source says `links: follow`, or lists folders that they may lead to: `links: [DIR]`",
            )
        return resolved

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
            parent = self._folders[parts[:end]]
            path = f"{parent}/{spelled(parent, parts[end])}"
            if os.path.islink(path):
                path = str(self.resolve(path))
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
        try:
            descriptor = self._open(folder, name)
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

    def _open(self, folder: str, name: str) -> int:
        path = f"{folder}/{name}"
        try:
            return os.open(path, _FLAGS)
        except OSError as error:
            if error.errno == errno.ENOENT and (other := spelled(folder, name)) != name:
                return self._open(folder, other)
            if error.errno != errno.ELOOP:  # a symlink, so O_NOFOLLOW refused it
                raise
        return os.open(self.resolve(path), _FLAGS)


def _resolved(path: Path) -> Path:
    """`path`, absolute, with symlinks resolved, whether it exists or not; a loop of them raises.

    Raises
    ------
    OSError, RuntimeError
        A loop: one since Python 3.13, the other before.
    """
    try:
        return path.resolve(strict=True)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise
    return path.resolve()


def spelled(folder: str, name: str) -> str:
    """`name` as the folder has it, which depends on the system that wrote it; `name` where the folder has none.

    An umlaut is one character or two. DOS and Windows write capitals: `a001.dat` may be `a001.DAT`, or `A001.DAT` where
    the folder has no `a001.hea`, for else that is another record's.
    """
    if os.path.lexists(f"{folder}/{name}"):
        return name
    forms = [name] if name.isascii() else [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    for form in list(forms):
        stem, dot, ending = form.rpartition(".")
        forms += [f"{stem}{dot}{ending.swapcase()}"] if dot else []
        forms += [form.upper()] if not os.path.lexists(f"{folder}/{stem}.hea") else []
    return next((form for form in forms if os.path.lexists(f"{folder}/{form}")), name)
