"""The journal of a run: what MLflow shall hold of it, on the disk before anything is sent.

`<results>/tracking/{stage}/{key}.jsonl` has one JSON event a line; MLflow mirrors it, during the run or by a later
`tracking sync`. A kill loses at most the line being written.
"""

from __future__ import annotations

import fcntl
import json
import logging
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ecglfm.config import TrackingSlice
from ecglfm.provenance import sha256_file, try_lock

logger = logging.getLogger(__name__)


def folder_of(tracking: TrackingSlice) -> Path:
    """Folder of the journals, beside that of the artifacts."""
    return Path(tracking.artifacts).with_name("tracking")


def results_of(journal: Path) -> Path:
    """The results folder of a journal, absolute."""
    return journal.resolve().parents[2]


def run_key(key: Any = None) -> str:
    """`key` where it was made here, else a new one: it becomes a file name."""
    return key if isinstance(key, str) and re.fullmatch("[0-9a-f]{32}", key) else uuid.uuid4().hex


class Artifact(NamedTuple):
    """A file to be copied into the run: where it lies, and what it was when it was logged."""

    path: str
    size: int
    sha256: str


class Parent(NamedTuple):
    """The run that a run belongs to, by our identifier."""

    stage: str
    key: str


@dataclass
class Content:
    """What a journal says of its run.

    Attributes
    ----------
    key : str
        Our identifier, a tag of the run in MLflow.
    metrics : dict
        (name, step): (value, milliseconds since 1970).
    artifacts : dict
        By file name.
    config : dict
        All of its configuration, of which `params` are what differs from the defaults.
    parent : Parent or None
    status : str or None
        None: the run has not ended, or was killed.
    began, ended : int
        Times of the first and of the newest event, ms.
    """

    key: str = ""
    stage: str = ""
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    status: str | None = None
    began: int = 0
    ended: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    parent: Parent | None = None

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in the next event.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is not one that `Run` writes.
        """
        when = int(event["time"])
        self.began, self.ended = self.began or when, when
        if "run" in event:
            self._begin(event["run"])
        for name, value in event.get("metrics", {}).items():
            self.metrics[str(name), int(event["step"])] = float(value), when
        self.tags.update(event.get("tags", {}))
        if "artifact" in event:
            artifact = Artifact(**event["artifact"])
            self.artifacts[Path(artifact.path).name] = artifact
        self.status = event.get("status", self.status)

    def _begin(self, run: Mapping[str, Any]) -> None:
        """A start, or a resumption after `step`: what a killed process logged beyond that is done again."""
        self.key, self.stage, self.name, self.status = run["key"], run["stage"], run["name"], None
        self.tags.update(run["tags"])
        self.config = dict(run.get("config") or self.config)
        self.parent = Parent(**run["parent"]) if run.get("parent") else self.parent
        self.params = {**run["params"], **self.params}  # a parameter cannot be changed in MLflow
        self.metrics = {at: value for at, value in self.metrics.items() if at[1] <= int(run["step"])}


class Journal:
    """Writes the events of one run; a disk without room is one warning, and they wait in memory.

    Parameters
    ----------
    path : path
        Is made, or continued.

    Raises
    ------
    OSError
        It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._waiting = b"\n" if self._file.tell() else b""  # ends a line that a kill has torn
        self._full = False

    def write(self, event: Mapping[str, Any]) -> None:
        """Add one event; its time is now."""
        line = json.dumps({"time": int(time.time() * 1000), **event}, allow_nan=False)
        self._waiting += line.encode() + b"\n"
        try:
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]
        except OSError as error:
            if not self._full:
                logger.warning("%s: %s; what was to be noted there waits in memory", self.path, error.strerror)
            self._full = True

    def artifact(self, path: Path) -> None:
        """Note a file as it is now; its path is from the results folder, where it is below it."""
        path, results = path.resolve(), results_of(self.path)
        inside = path.relative_to(results) if path.is_relative_to(results) else path
        size, digest = path.stat().st_size, sha256_file(path)
        self.write({"artifact": {"path": str(inside), "size": size, "sha256": digest}})

    def close(self) -> None:
        """Write no more."""
        self._file.close()


class Reader:
    """Reads the events of a journal as they come; lines that are not whole, or not events, are passed over.

    Parameters
    ----------
    path : path

    Raises
    ------
    OSError
        There is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("r+b")

    def read(self, content: Content) -> None:
        """Add what was written since the last call."""
        for line in self._lines():
            try:
                content.add(json.loads(line))
            except (KeyError, TypeError, ValueError, AttributeError):
                logger.warning("%s: a line that is no event is passed over: %s", self.path, line[:80])

    def rewind(self) -> None:
        """Begin again with the first line."""
        self._file.seek(0)

    def close(self) -> None:
        """Let go of the file and of its lock, also where a loader process was forked meanwhile and has it open, too."""
        if self._file.closed:
            return
        with suppress(OSError):  # its file system has no locks
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()

    def lock(self) -> bool:
        """Be the only one that brings this run to MLflow; False where another process is.

        flock(2), not fcntl(2): that one is lost when any other descriptor of the file is closed.
        """
        return try_lock(self._file)

    def _lines(self) -> Iterator[bytes]:
        while True:
            start = self._file.tell()
            line = self._file.readline()
            if not line.endswith(b"\n"):
                self._file.seek(start)
                return
            if line.strip():
                yield line


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """A reader that is closed in the end."""
    reader = Reader(path)
    try:
        yield reader
    finally:
        reader.close()


def contents(folder: Path) -> Iterator[Content]:
    """What each journal of a folder says."""
    for path in sorted(folder.glob("*.jsonl")):
        content = Content()
        with reading(path) as reader:
            reader.read(content)
        yield content
