"""Where a file came from, and how files are written: hashes, versions, write-then-rename.

Nothing is half-written: every output is made under a temporary name in its own folder, synced, and
renamed. The same content always gives the same hash, whatever the machine.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ecglfm import __version__

if TYPE_CHECKING:
    import pandas as pd  # takes longer than loading an encoder

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic(path: str | Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed, else removed.

    Parameters
    ----------
    path : path
        The final file. Its folder is made when it does not exist.
    private : bool
        Nobody but the owner may ever read it.

    Raises
    ------
    OSError
        There is no room for the file; it names `path`, which the system's own error does not.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        if private:
            temporary.touch(mode=0o600)
        yield temporary
        with temporary.open("rb") as file:
            os.fchmod(
                file.fileno(), 0o600 if private else 0o666 & ~_umask()
            )  # safetensors lets nobody but the owner read
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise OSError(error.errno, f"{os.strerror(error.errno)} (nothing was written)", str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Bits that a new file of this process lacks; from the kernel, as `os.umask` tells them only by setting others."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("\nUmask:")[1].split()[0], 8)


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file, flock(2), without waiting; True also where its file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


def write_text(path: str | Path, text: str, *, private: bool = False) -> None:
    """Write UTF-8 text, atomically; `private` as in `atomic`."""
    with atomic(path, private=private) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON with sorted keys and without NaN (not JSON), atomically."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read one JSON file; raises `ValueError` where it is none, or nested deeper than anybody would write."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def write_parquet(path: str | Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a table without its row index, atomically; `metadata` goes into the file's own, beside the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata((table.schema.metadata or {}) | dict(metadata or {})), temporary)


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one `.npy`, atomically."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def hash_fraction(key: str, seed: int) -> float:
    """Map a key to [0, 1), uniformly, by SHA-256 of seed and key: the same on every machine, for ever."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(content: Any) -> str:
    """SHA-256 of the canonical JSON form of `content`, hexadecimal."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_frame(frame: pd.DataFrame, columns: list[str]) -> str:
    """SHA-256 of some columns of a table, in its row order, hexadecimal."""
    return hashlib.sha256(frame[columns].to_csv(index=False).encode()).hexdigest()


@cache
def git_commit() -> str:
    """Commit of the code that runs, with `-dirty` where it was edited; `unknown` outside a checkout."""
    root = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=root, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return commit.stdout.strip()


def code_version() -> dict[str, str]:
    """Version and commit of ecglfm, to stand in every self-contained output."""
    return {"version": __version__, "commit": git_commit()}
