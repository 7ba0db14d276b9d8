"""The lock of a checkpoint folder: two runs never write the same one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
from pathlib import Path
from typing import IO, Any

from ecglfm import slurm
from ecglfm.config import UserError

logger = logging.getLogger(__name__)


class Lock:
    """A file that says who writes a folder: process, machine, Slurm job. It is there while somebody does.

    Parameters
    ----------
    path : path
        Its folder is made.

    Raises
    ------
    UserError
        Somebody else who is still running, or of whom that cannot be told, holds it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._me = {
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "host": socket.gethostname(),
            "job": _own_job(),
        }
        while not self._take():
            pass

    def _take(self) -> bool:
        """Write this process into the file; False where it was removed while we waited for it."""
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)  # two processes that find the same stale lock
            if not is_still(file, self.path):
                return False
            file.seek(0)
            holder = _parse_holder(file.read())
            if holder is not None:
                if is_running(holder):
                    raise UserError(
                        f"{self.path}: process {holder['pid']} on {holder['host']} (job {holder['job']}) already trains"
                        " here; wait for it or stop it. If it is gone for certain, delete this file"
                    )
                logger.info("took over the lock of process %s on %s, gone", holder["pid"], holder["host"])
            file.truncate(0)
            file.write(json.dumps(self._me))
        return True

    def release(self) -> None:
        """Let others write; where somebody deleted the file, it may be another's by now, and stays."""
        with contextlib.suppress(FileNotFoundError), self.path.open("r+", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            if is_still(file, self.path) and _parse_holder(file.read()) == self._me:
                self.path.unlink()


def is_still(file: IO[Any], path: Path) -> bool:
    """Whether an open file is still the one of this name: whoever waited for one that is gone holds nothing."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _parse_holder(text: str) -> dict[str, Any] | None:
    """Content of a lock file; None for nobody (empty, or torn by a crash while it was written)."""
    try:
        holder = json.loads(text)
    except json.JSONDecodeError:
        return None
    return holder if isinstance(holder, dict) and {"pid", "started", "host", "job"} <= set(holder) else None


def _process_start(pid: int) -> str | None:
    """Start of a process in clock ticks after boot (proc(5), stat field 22): tells a reused pid apart."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _own_job() -> str | None:
    return os.environ.get("SLURM_JOB_ID")


def holder_of(path: Path) -> dict[str, Any] | None:
    """Who holds a lock, by its own words: `pid`, `started`, `host`, `job` of Slurm or None; None for nobody."""
    try:
        return _parse_holder(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def is_running(holder: dict[str, Any]) -> bool:
    """Whether the holder of a lock still runs; also when that cannot be told."""
    if holder["host"] == socket.gethostname():
        return holder["started"] is not None and _process_start(int(holder["pid"])) == holder["started"]
    if holder["job"] is None:
        return True
    if holder["job"] == _own_job():  # our own earlier life, before a requeue
        return False
    return slurm.is_alive(str(holder["job"]))
