"""Unpack an archive that came with a database (CODE-15's HDF5 parts, SPH's records), then remove it.

`.download/{archive}.json` remembers what an archive held, so that it is not fetched again.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from ecglfm.config import UserError
from ecglfm.provenance import atomic, read_json, write_json
from ecglfm.sources.download.listing import RemoteFile, check_path

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_CHUNK = 1 << 20
_MAX_HEADER = 1 << 16  # bytes of what a tar says of a file beside its content, a long name mostly
_MAX_MEMBERS = 1 << 19  # of a tar, which packs a thousand empty ones into a kilobyte
_UNSOUND = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, struct.error,
    NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError, OverflowError, IndexError,
)  # fmt: skip


class _Member(NamedTuple):
    """A file in an archive: where it belongs, bytes that it says it has, whether it is a plain file."""

    name: str
    size: int
    is_plain: bool
    open: Callable[[], IO[bytes]]


def is_unpacked(root: Path, folder: Path, file: RemoteFile) -> bool:
    """Whether everything that this very archive held is in place, of the size and time that it was given."""
    note = _note(folder, file)
    if not note.exists():
        return False
    content = read_json(note)
    try:
        return content["digest"] == file.digest and all(
            _state(root / path) == state for path, state in content["files"].items()
        )
    except FileNotFoundError:
        return False


def unpack(root: Path, folder: Path, file: RemoteFile) -> None:
    """Unpack an archive below its own folder and remove it.

    Raises
    ------
    UserError
        It is no sound archive, holds a path outside of the root or a link, or more than the disk has room for.
    """
    archive = root / file.path
    files = {}
    try:
        with _members(archive) as members:
            _check(archive, members)
            for member in members:
                target = archive.parent / member.name
                with member.open() as packed, atomic(target) as temporary, temporary.open("wb") as out:
                    _copy(packed, out, member.size)
                files[target.relative_to(root).as_posix()] = _state(target)
    except _UNSOUND as error:
        raise UserError(f"{archive}: cannot be unpacked: {error}") from None
    write_json(_note(folder, file), {"digest": file.digest, "files": files})
    if file.path not in files:  # else what it held of its own name has replaced it
        archive.unlink()


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    """What is in an archive, folders left out."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            yield [_zipped(opened, member) for member in opened.infolist() if not member.is_dir()]
    else:
        with tarfile.open(archive, tarinfo=_Header) as opened_tar:
            members = []
            for number, member in enumerate(opened_tar):
                if number == _MAX_MEMBERS:
                    raise tarfile.TarError(f"it holds more than {_MAX_MEMBERS} files and folders")
                if not member.isdir():
                    members.append(_tarred(opened_tar, member))
            yield members


class _Header(tarfile.TarInfo):
    """A member of a tar; Python's own takes the memory that a long name's or a sparse file's header asks for."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        found = super().frombuf(buf, encoding, errors)
        if found.type not in tarfile.REGULAR_TYPES and not found.isdir() and found.size > _MAX_HEADER:
            raise tarfile.TarError(f"a header of {found.size} bytes")
        return found

    def _proc_gnusparse_10(self, *_: object) -> NoReturn:
        raise tarfile.TarError("a sparse file, whose holes may be of any size")


def _zipped(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Member:
    is_plain = stat.S_IFMT(member.external_attr >> 16) in {0, stat.S_IFREG}
    return _Member(member.filename, member.file_size, is_plain, partial(opened.open, member))


def _tarred(opened: tarfile.TarFile, member: tarfile.TarInfo) -> _Member:
    def read() -> IO[bytes]:
        file = opened.extractfile(member)
        assert file is not None  # which it is of links and devices alone
        return file

    return _Member(member.name.removeprefix("./"), member.size, member.isreg() and not member.issparse(), read)


def _check(archive: Path, members: list[_Member]) -> None:
    """Refuse links, paths outside, repeated paths, and more bytes than fit."""
    paths = [check_path(member.name, str(archive)) for member in members]
    if len(set(paths)) < len(paths):
        raise UserError(f"{archive}: holds a file twice")
    for member in members:
        if not member.is_plain:
            raise UserError(f"{archive}: {member.name} is not a plain file")
        if not (archive.parent / member.name).parent.resolve().is_relative_to(archive.parent.resolve()):
            raise UserError(f"{archive}: {member.name} would lie outside the database's root")
    needed, free = sum(member.size for member in members), shutil.disk_usage(archive.parent).free
    if needed > free:
        raise UserError(f"{archive}: holds {needed / 1e9:.1f} GB, the disk has room for {free / 1e9:.1f} GB")


def _copy(packed: IO[bytes], out: IO[bytes], size: int) -> None:
    """Copy a member, and stop at the size it declares: `_check` counted no more than that."""
    left = size
    while chunk := packed.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise zipfile.BadZipFile("a file is longer than it declares")
        out.write(chunk)


def _note(folder: Path, file: RemoteFile) -> Path:
    return folder / f"{file.path.replace('/', '--')}.json"


def _state(path: Path) -> list[int]:
    result = path.stat()
    return [result.st_size, result.st_mtime_ns]
