"""Which recordings a person means, and how each is read: files, folders, or a database by its own tables."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ecglfm.config import SerialConfig, SourceConfig, SourceSlice, UserError
from ecglfm.config.wording import counted
from ecglfm.records import Record, RecordError, columns_of, made_at
from ecglfm.sources import open_source
from ecglfm.sources.arrays import ExamFile
from ecglfm.sources.base import Source
from ecglfm.sources.devices import identify
from ecglfm.sources.files import read_head, read_record
from ecglfm.sources.inside import Root
from ecglfm.sources.origin import Origin, read_origin
from ecglfm.sources.patients import is_nobody
from ecglfm.sources.tree import files_of

logger = logging.getLogger(__name__)

#: What Python names: in memory, files, folders, one or several of them.
Records = Record | str | Path | Iterable[Record | str | Path]
#: Endings of files that hold recordings; a WFDB record is found by its header.
_WFDB, _XML, _CODE15 = (".hea",), (".xml",), (".hdf5", ".h5")
#: Files of such a record, and arrays, which do not say what they are.
_COMPANIONS = (".hea", ".dat", ".mat", ".atr", ".npy", ".npz")
_TABLES = (".csv", ".tsv", ".xlsx", ".parquet")


class Recording(NamedTuple):
    """A recording to be read.

    Attributes
    ----------
    name : str
        What the table calls it: a path that `read_record` takes, or its id in a database.
    patient_id : str or None
        None where the list does not say whose it is; the file may.
    path : str
        What `Reader.read` takes.
    when : datetime or None
        When it was made, where the list says it.
    """

    name: str
    patient_id: str | None
    path: str
    when: datetime | None = None


class Reader(ABC):
    """Reads recordings; goes to worker processes."""

    @abstractmethod
    def read(self, path: str) -> Record:
        """Read the recording at a path; raises `RecordError`."""

    def patient(self, path: str) -> str | None:
        """Whose it is, by the file itself; raises `RecordError`."""
        return None

    def origin(self, path: str) -> Origin:
        """Whose it is and when it was made, by the file itself; raises `RecordError`."""
        return Origin()


@dataclass(frozen=True)
class FromFiles(Reader):
    """Reads files one by one; the fields are arguments of `ecglfm.read_record`."""

    leads: Mapping[str, str] = field(default_factory=dict)
    file_leads: Sequence[str] = ()
    checks: str = "stated"
    links: str | Sequence[str] = "inside"

    def read(self, path: str) -> Record:
        """Read the recording at a path; raises `RecordError`."""
        return read_record(path, leads=self.leads, file_leads=self.file_leads, checks=self.checks, links=self.links)

    def patient(self, path: str) -> str | None:
        """The patient's id in a device's file."""
        head = read_head(path, links=self.links)
        return head.patient or None if head else None

    def origin(self, path: str) -> Origin:
        """What a device's file or a WFDB header says."""
        return read_origin(path, links=self.links)

    def find(self, named: Sequence[str | Path]) -> list[Recording]:
        """Recordings of some files and folders, each once, however many of its files are named.

        Parameters
        ----------
        named : sequence of path
            A folder stands for every recording below it; an HDF5 file of CODE-15 % for all its exams. Another file is
            a recording, if only one that cannot be read.

        Raises
        ------
        UserError
            There is no such file or folder, it is a table, or a folder holds no recording.
        """
        found: dict[str, Recording] = {}
        for path in map(Path, named):
            names = list(self._below(path) if path.is_dir() else self._of_file(path))
            if not names:
                raise UserError(
                    f"{path}: no recording in it; looked for *{', *'.join(_WFDB + _XML + _CODE15)} and"
                    " the formats of devices"
                )
            found |= {name: Recording(name, None, name) for name in names}
        return list(found.values())

    def _below(self, folder: Path) -> Iterator[str]:
        root = Root(folder, self.links)
        if next(files_of(root, _WFDB), None) is not None:
            config = SourceConfig(kind="wfdb_folder", root=str(folder), checks=self.checks, links=self.links)
            source = open_source(SourceSlice(source="files", config=config))
            for piece in source.pieces():  # without the segments of records of several
                yield from (str(folder / path) for path in piece["path"])
        yield from (str(folder / path) for path in self._devices(root))
        for path in files_of(root, _CODE15):
            try:
                yield from self._exams(folder / path)
            except UserError:  # among others it is a recording that cannot be read, as a damaged file of a device is
                yield str(folder / path)

    def _devices(self, root: Root) -> Iterator[str]:
        """Files of a tree that are recordings by their content, and XML, which may be a damaged one."""
        others: Counter[str] = Counter()
        for path in files_of(root, ("",)):
            if _ends(path, _COMPANIONS + _CODE15 + _TABLES):
                continue
            found = identify(root, path)
            if _ends(path, _XML) or (found is not None and found.recording):
                yield path
            elif found is not None:
                others[found.name] += 1
        if others:
            what = ", ".join(f"{n} {name}" for name, n in others.most_common(5))
            files = counted(
                others.total(), "file is no recording and is not read", "files are no recordings and are not read"
            )
            logger.warning("%s: %s: %s", root.path, files, what)

    def _of_file(self, path: Path) -> Iterator[str]:
        if _ends(path.name, _CODE15) and path.is_file():
            yield from self._exams(path)
        elif path.suffix in {".hea", ".dat", ".mat"} and path.with_suffix(".hea").is_file():
            yield str(path.with_suffix(""))
        elif _ends(path.name, _TABLES) and path.is_file():
            raise UserError(
                f"{path}: a table, no recording: name the recordings' files or their folder; a table that lists them"
                " belongs into a source (`table:`), which --source takes"
            )
        elif "#" in path.name or path.is_file() or path.with_name(f"{path.name}.hea").is_file():
            yield str(path)
        else:
            raise UserError(f"{path}: no such file or folder, nor a WFDB record of that name")

    def _exams(self, path: Path) -> Iterator[str]:
        try:
            exams = ExamFile(Root(path.parent, self.links), path.name).exams
        except RecordError as error:
            raise UserError(f"{path}: {error.detail}") from None
        yield from (f"{path}#{exam}" for exam in exams.tolist() if exam)  # 0 fills up a part


@dataclass(frozen=True)
class FromSource(Reader):
    """Reads the recordings of a database by its own tables.

    Parameters
    ----------
    slice : SourceSlice
    """

    slice: SourceSlice

    @cached_property
    def _source(self) -> Source:
        return open_source(self.slice)

    def read(self, path: str) -> Record:
        """Read the recording at a path of the index; raises `RecordError`."""
        return self._source.record(path)

    def find(self) -> list[Recording]:
        """Every recording of the database; raises `UserError` as the stage `index`."""
        date, columns = SerialConfig().time.get(self.slice.config.native_kind, ""), ["record_id", "patient_id", "path"]
        pieces = []
        for piece in open_source(self.slice).recordings():  # another than `read` has: what it opens goes to no worker
            there = {name.removeprefix("native.") for name in piece.columns if name.startswith("native.")}
            dates = [f"native.{name}" for name in columns_of(date, there)] if date in there else []
            pieces.append(piece[[*columns, *dates]])
        table = pd.concat(pieces, ignore_index=True)
        times = made_at(*(table[name] for name in dates)).dt.tz_localize(None) if dates else [None] * len(table)
        nobody = [pd.isna(one) or is_nobody(one, self.slice.config.patient_id) for one in table["patient_id"]]
        rows = zip(*(table[name] for name in columns), nobody, times, strict=True)
        return [
            Recording(record, None if alone else patient, path, None if pd.isna(when) else when.to_pydatetime())
            for record, patient, path, alone, when in rows
        ]


@dataclass(frozen=True)
class FromMemory(Reader):
    """Reads recordings in memory by their numbers, and others as files."""

    held: Mapping[str, Record]
    files: FromFiles = field(default_factory=FromFiles)

    def read(self, path: str) -> Record:
        """The recording of a number or at a path; raises `RecordError`."""
        return self.held[path] if path in self.held else self.files.read(path)

    def patient(self, path: str) -> str | None:
        """Whose it is, where a file says so."""
        return None if path in self.held else self.files.patient(path)


def named(records: Any) -> tuple[list[Recording], Reader]:
    """Recordings that Python names, in memory, files and folders, in their order, and what reads them.

    Raises
    ------
    UserError
        There is no such file or folder, or `records` is something else.
    """
    if not isinstance(records, Record | str | Path | Iterable):
        what = type(records).__name__
        raise UserError(f"records are what read_record or as_record gives, or paths, one or several, not {what}")
    several = [records] if isinstance(records, Record | str | Path) else list(records)
    held: dict[str, Record] = {}
    found: list[Recording] = []
    files = FromFiles()
    for number, one in enumerate(several):
        if isinstance(one, Record):
            held[str(number)] = one
            found.append(Recording(str(number), None, str(number)))
        elif isinstance(one, str | Path):
            found += files.find([one])
        else:
            what = f"number {number} is {type(one).__name__}; ecglfm.as_record makes a recording of an array"
            raise UserError(f"records are what read_record or as_record gives, or paths; {what}")
    return found, FromMemory(held, files)


def _ends(path: str, endings: tuple[str, ...]) -> bool:
    return path.partition("#")[0].lower().endswith(endings)
