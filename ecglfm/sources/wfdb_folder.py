"""Any tree of WFDB records: a lab's own, or a database without an adapter.

With a `table`, its rows are the records. Without one, every header is a record (but not the segments of a
multi-segment record). Comments of the headers give what they can and the table does not: age, sex, and SNOMED CT codes
from `#Dx:`.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath

import pandas as pd
from tqdm import tqdm

from ecglfm.config import UserError
from ecglfm.records import RecordError
from ecglfm.sources.base import Source, check_index
from ecglfm.sources.inside import Root
from ecglfm.sources.record_table import completed, natural_key, stem, table_index, warn_without_patients
from ecglfm.sources.wfdb_reader.header import read_header
from ecglfm.sources.wfdb_reader.tree import Notes, header_index, read_notes, walk

logger = logging.getLogger(__name__)

_ENDINGS = (".hea", ".dat", ".mat")
_NOTES = ("age", "sex", "dx")


class WfdbFolder(Source):
    """A folder of WFDB records; native id: path relative to the root, or `record_id` of the table."""

    def index(self) -> pd.DataFrame:
        """One row per row of the table, or per record on disk; see `Source.index`.

        Raises
        ------
        UserError
            The table cannot be read, or there is neither table nor header.
        """
        inside = Root(self.root)
        return self._from_headers(inside) if self.config.table is None else self._from_table(inside)

    def _from_table(self, root: Root) -> pd.DataFrame:
        (path,) = self.tables()
        index = table_index(self.name, path, self.config.columns, _ENDINGS)
        index["path"] = [PurePosixPath(stem(text, _ENDINGS)).as_posix() for text in index["path"]]
        others = sorted(set(_headers(root.path)) - set(index["path"]))
        if others:
            logger.warning("%s: %d headers are in no row of it, the first: %s.hea", path, len(others), others[0])
        ids = index["record_id"].str.removeprefix(f"{self.name}/").tolist()
        paths = index["path"].tolist()
        said = header_index(self.name, ids, paths, self._notes(root, paths), _NOTES)
        index = completed(index, said).assign(codes=said["codes"])
        warn_without_patients(path, index)
        return check_index(index, path)

    def _from_headers(self, root: Root) -> pd.DataFrame:
        headers = _headers(root.path)
        notes = dict(zip(headers, self._notes(root, headers), strict=True))
        segments = _segments(root, [path for path in headers if notes[path].segmented])
        paths = sorted(set(headers) - segments, key=natural_key)
        if not paths:
            raise UserError(f"{self.root}: no WFDB header (.hea) in it; is `root` the right folder?")
        if segments:
            logger.info("%s: %d more headers are segments of records", self.root, len(segments))
        return check_index(header_index(self.name, paths, paths, [notes[p] for p in paths], _NOTES), self.root)

    def _notes(self, root: Root, paths: list[str]) -> list[Notes]:
        found = tqdm(paths, desc=f"index {self.name}", unit="header", disable=None)
        return [read_notes(root, path) for path in found]


def _segments(root: Root, paths: list[str]) -> set[str]:
    """Paths of the segments of multi-segment records.

    Those of a record whose header or one of whose segments' cannot be read are none: they may be sound recordings, and
    would be lost with it. A warning counts such records.
    """
    segments: set[str] = set()
    faults = []
    for path in paths:
        try:
            folder, name = root.split(path)
            named = {segment.name for segment in read_header(root, folder, name).segments} - {"~"}
            nested = [segment for segment in sorted(named) if read_header(root, folder, segment).segments]
            if nested:
                raise RecordError("header_invalid", f"its segment {nested[0]} has segments itself")
        except RecordError as error:
            faults.append(f"{path}.hea: {error}")
        else:
            segments |= {(PurePosixPath(path).parent / segment).as_posix() for segment in named}
    if faults:
        logger.warning(
            "%s: %d records of several segments cannot be read; their segments count as records, the first: %s",
            root.path, len(faults), faults[0],
        )  # fmt: skip
    return segments


def _headers(root: Path) -> list[str]:
    """Path of every header, without ending, relative to the root; signal files without one are counted in a warning."""
    headers, signals = set(), set()
    for folder, files in walk(root, root):
        for name in files:
            path = (folder.relative_to(root) / name).as_posix()
            if name.endswith(".hea"):
                headers.add(path.removesuffix(".hea"))
            elif name.endswith((".dat", ".mat")):
                signals.add(path[:-4])
    bare = sorted(signals - headers)
    if bare:
        logger.warning("%s: %d signal files have no header of their name, the first: %s", root, len(bare), bare[0])
    return sorted(headers)
