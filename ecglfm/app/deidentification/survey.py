"""One file, read for what it holds before anything is written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ecglfm.app.deidentification import table, wfdb_header
from ecglfm.app.deidentification.cleaning import ENDINGS, Cleaner, Names
from ecglfm.app.deidentification.spelling import Forbidden, words
from ecglfm.app.deidentification.vendors import VENDORS
from ecglfm.app.deidentification.xml_tree import cleaned
from ecglfm.records import RecordError
from ecglfm.sources.devices import read_xml
from ecglfm.sources.inside import Root


class Survey(NamedTuple):
    """What a file holds, before it is known what others do.

    Attributes
    ----------
    path : str
    refused : str
        Why it is not let through; empty where it is.
    patient : str
        Its own word for whose recording it is; empty where it has none.
    parts : tuple of str
        Segments of a record, as paths without ending.
    signals : tuple of str
        Its signal files.
    linked : tuple of (str, str)
        Path and patient of rows of a table.
    everybody, known : frozenset of str
        Names and ids, long enough to be searched for in all files; and those that no file may be called.
    short : int
        Values that are not searched for.
    """

    path: str
    refused: str = ""
    patient: str = ""
    parts: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    linked: tuple[tuple[str, str], ...] = ()
    everybody: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    short: int = 0


def stem(path: str) -> str:
    """A path without the ending of a recording."""
    ending = next((ending for ending in ENDINGS if path.lower().endswith(ending)), "")
    return path[: len(path) - len(ending)]


class Surveyor:
    """Reads one file for what it holds; sent to worker processes once.

    Parameters
    ----------
    folder : path
    names : Names
    """

    def __init__(self, folder: Path, names: Names) -> None:
        self._folder, self._root, self._names = folder, Root(folder), names

    def __call__(self, path: str) -> Survey:
        """What the file at `path` holds, or why it is not let through."""
        cleaner = Cleaner(self._names)
        read = {".csv": self._table, ".xml": self._xml, ".hea": self._record}[path[-4:].lower()]
        try:
            found = read(path, cleaner)
        except RecordError as error:
            return Survey(path, error.detail)
        if found.patient:
            cleaner.drop("id", found.patient)
        return found if found.refused else _completed(found, cleaner)

    def _table(self, path: str, cleaner: Cleaner) -> Survey:
        columns = table.Columns(self._folder / path, cleaner)
        linked = tuple(table.linked(columns, cleaner))
        for _ in table.pieces(columns, cleaner, lambda _: ""):
            pass
        return Survey(path, linked=linked)

    def _xml(self, path: str, cleaner: Cleaner) -> Survey:
        found = read_xml(self._root, path)
        vendor = VENDORS.get(found.tag)
        if vendor is None:
            return Survey(path, f"<{found.tag[:40]}> is no XML that is known: {', '.join(VENDORS)}")
        cleaned(found, vendor.spec, cleaner, path)
        return Survey(path, patient=vendor.patient_of(found, path))

    def _record(self, path: str, cleaner: Cleaner) -> Survey:
        found, beside = wfdb_header.read(self._root, stem(path)), PurePosixPath(path).parent
        wfdb_header.cleaned(found, stem(path), cleaner)
        wfdb_header.check_signals(self._root, stem(path), found)
        return Survey(
            path,
            patient=wfdb_header.patient_of(found, cleaner),
            parts=tuple(str(beside / one.name) for one in found.header.segments if one.name != wfdb_header.GAP),
            signals=tuple(dict.fromkeys(str(beside / one.file) for one in found.header.signals)),
        )


def _completed(found: Survey, cleaner: Cleaner) -> Survey:
    """What a file holds, with the names and ids that were removed from it."""
    forbidden = Forbidden().add(cleaner.removed, cleaner.harmless)
    known = {
        word
        for kind, value in cleaner.removed
        if kind in {"name", "id", "staff"} and isinstance(value, str)
        for word in [*words(value), "".join(words(value))]
        if len(word) > 2
    }
    return found._replace(
        patient=cleaner.names.normal(found.patient),
        everybody=frozenset(forbidden.of_all()),
        known=frozenset(known),
        short=forbidden.short,
    )
