"""Unpack a zip archive that came with a database (CODE-15's HDF5 parts), then remove it.

`.download/{archive}.json` remembers what an archive held, so that it is not fetched again.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path
from typing import IO

from ecglfm.config import UserError
from ecglfm.provenance import atomic, read_json, write_json
from ecglfm.sources.download.listing import RemoteFile, check_path

_CHUNK = 1 << 20


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
        It is no sound zip, holds a path outside of the root or a link, or more than the disk has room for.
    """
    archive = root / file.path
    files = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check(archive, members)
            for member in members:
                target = archive.parent / member.filename
                with opened.open(member) as packed, atomic(target) as temporary, temporary.open("wb") as out:
                    _copy(packed, out, member.file_size)
                files[target.relative_to(root).as_posix()] = _state(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"{archive}: cannot be unpacked: {error}") from None
    write_json(_note(folder, file), {"digest": file.digest, "files": files})
    archive.unlink()


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse links, paths outside, repeated paths, and more bytes than fit."""
    paths = [check_path(member.filename, str(archive)) for member in members]
    if len(set(paths)) < len(paths):
        raise UserError(f"{archive}: holds a file twice")
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            raise UserError(f"{archive}: {member.filename} is not a plain file")
        if not (archive.parent / member.filename).parent.resolve().is_relative_to(archive.parent.resolve()):
            raise UserError(f"{archive}: {member.filename} would lie outside the database's root")
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(archive.parent).free
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
