"""Any tree of WFDB records: a lab's own, or a database without an adapter.

With a `table`, its rows are the records. Without one, every header is a record (but not the segments of a
multi-segment record). Comments of the headers give what they can and the table does not: age, sex, and SNOMED CT codes
from `#Dx:`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.records import RecordError
from ecglfm.sources.base import Source
from ecglfm.sources.folder import hashes, warn_of_others
from ecglfm.sources.inside import Root
from ecglfm.sources.record_table import completed, stem, table_pieces, with_patients
from ecglfm.sources.reorder import in_order, natural_order, text_array
from ecglfm.sources.wfdb_reader.header import read_header
from ecglfm.sources.wfdb_reader.tree import Refused, header_index, in_pieces, read_notes, walk

logger = logging.getLogger(__name__)

_ENDINGS = (".hea", ".dat", ".mat")
_NOTES = ("age", "sex", "dx")


class WfdbFolder(Source):
    """A folder of WFDB records; native id: path relative to the root, or `record_id` of the table."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per row of the table, or per record on disk; see `Source.pieces`.

        Raises
        ------
        UserError
            The table cannot be read, or there is neither table nor header.
        """
        refused = Refused()
        inside = Root(self.root)
        yield from (
            self._from_headers(inside, refused) if self.config.table is None else self._from_table(inside, refused)
        )
        refused.warn()

    def _from_table(self, root: Root, refused: Refused) -> Iterator[pd.DataFrame]:
        (path,) = self.tables()
        known = []
        for index in with_patients(path, self._completed(root, path, refused)):
            known.append(hashes(index["path"] + ".hea"))
            yield index
        warn_of_others(path, (f"{header}.hea" for header in _headers(root.path)), np.concatenate(known))

    def _completed(self, root: Root, path: Path, refused: Refused) -> Iterator[pd.DataFrame]:
        """Rows of the table with what the headers say where it does not."""
        for index in table_pieces(self.name, path, self.config.columns, _ENDINGS):
            index["path"] = [PurePosixPath(stem(text, _ENDINGS)).as_posix() for text in index["path"]]
            ids = index["record_id"].str.removeprefix(f"{self.name}/").tolist()
            paths = index["path"].tolist()
            said = header_index(self.name, ids, paths, [read_notes(root, p) for p in paths], _NOTES, refused)
            yield completed(index, said).assign(codes=said["codes"])

    def _from_headers(self, root: Root, refused: Refused) -> Iterator[pd.DataFrame]:
        headers = text_array(_headers(root.path))
        if not len(headers):
            raise UserError(f"{self.root}: no WFDB header (.hea) in it; is `root` the right folder?")
        segmented: list[str] = []

        def rows() -> Iterator[pd.DataFrame]:
            order = natural_order(path.as_py() for path in headers)
            for paths in in_pieces(self.name, headers, order, "header"):
                notes = [read_notes(root, path) for path in paths]
                segmented.extend(path for path, note in zip(paths, notes, strict=True) if note.segmented)
                yield header_index(self.name, paths, paths, notes, _NOTES, refused)

        segments: set[str] | None = None
        for index in in_order(rows(), np.arange(len(headers))):  # which of them are segments, only all headers tell
            if segments is None:
                segments = _segments(root, segmented)
                if segments:
                    logger.info("%s: %d more headers are segments of records", self.root, len(segments))
            yield index[~index["path"].isin(segments)].reset_index(drop=True)


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


def _headers(root: Path) -> Iterator[str]:
    """Path of every header, without ending, relative to the root; signal files without one are counted in a warning."""
    bare, first = 0, ""
    for folder, files in walk(root, root):
        place = folder.relative_to(root)
        headers = {name[:-4] for name in files if name.endswith(".hea")}
        yield from ((place / name).as_posix() for name in sorted(headers))
        others = {name[:-4] for name in files if name.endswith((".dat", ".mat"))} - headers
        if others:
            least = (place / min(others)).as_posix()
            bare, first = bare + len(others), min(first or least, least)
    if bare:
        logger.warning("%s: %d signal files have no header of their name, the first: %s", root, bare, first)
