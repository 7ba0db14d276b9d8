"""Any tree of WFDB records: a lab's own, or a database without an adapter.

With a `table`, its rows are the records. Without one, every header is a record (but not the segments of a
multi-segment record). Comments of the headers give what they can and the table does not: patient (`subject_id:`,
`patient id:`), age, sex, and SNOMED CT codes from `#Dx:`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.records import RecordError
from ecglfm.sources.base import Source
from ecglfm.sources.inside import Root, spelled
from ecglfm.sources.tables import (
    ORDER,
    Sorter,
    completed,
    merge_join,
    natural_key,
    rechunked,
    stem,
    table_pieces,
    to_frame,
    to_table,
)
from ecglfm.sources.tree import Known, in_pieces, walk
from ecglfm.sources.wfdb_reader import Refused, header_index, read_header, read_notes

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
        yield from self._from_headers(refused) if self.config.table is None else self._from_table(refused)
        refused.warn()

    def _from_table(self, refused: Refused) -> Iterator[pd.DataFrame]:
        (path,) = self.tables()
        known = Known(path)
        for index in self._completed(path, refused):
            known.add(index["path"] + ".hea")
            yield index
        known.warn_of_others(f"{header}.hea" for header in _headers(self._inside))

    def _completed(self, path: Path, refused: Refused) -> Iterator[pd.DataFrame]:
        """Rows of the table with what the headers say where it does not."""
        for index in table_pieces(self.name, path, self.config.columns, _ENDINGS):
            index["path"] = [PurePosixPath(stem(text, _ENDINGS)).as_posix() for text in index["path"]]
            ids = index["record_id"].str.removeprefix(f"{self.name}/").tolist()
            paths = index["path"].tolist()
            said = header_index(self.name, ids, paths, [read_notes(self._inside, p) for p in paths], _NOTES, refused)
            yield completed(index, said).assign(codes=said["codes"])

    def _from_headers(self, refused: Refused) -> Iterator[pd.DataFrame]:
        rows, segments = Sorter(ORDER), _Segments(self._inside)
        for paths in in_pieces(self.name, ((path, path) for path in _headers(self._inside)), "header"):
            notes = [read_notes(self._inside, path) for path in paths]
            segments.add(path for path, note in zip(paths, notes, strict=True) if note.segmented)
            index = header_index(self.name, paths, paths, notes, _NOTES, refused)
            rows.add(to_table(index.assign(**{ORDER: list(map(natural_key, paths))})))
        if not len(rows):
            raise UserError(f"{self.root}: no WFDB header (.hea) in it; is `root` the right folder?")
        for table in rechunked(segments.without(rows.tables())):  # which of them are segments, only all headers tell
            yield to_frame(table.drop_columns(ORDER))


class _Segments:
    """Segments of multi-segment records, which are no records.

    Those of a record whose header or one of whose segments' cannot be read are none: they may be sound recordings, and
    would be lost with it. A warning counts such records.
    """

    def __init__(self, root: Root) -> None:
        self._root, self._paths = root, Sorter(ORDER)
        self._faults, self._first = 0, ""

    def add(self, paths: Iterable[str]) -> None:
        """Take the segments of the multi-segment records at these paths."""
        found: list[bytes] = []
        for path in paths:
            try:
                found += [natural_key((PurePosixPath(path).parent / name).as_posix()) for name in self._of(path)]
            except RecordError as error:
                self._first = self._first or f"{path}.hea: {error}"
                self._faults += 1
        self._paths.add(pa.table({ORDER: pa.array(found, pa.binary())}))

    def _of(self, path: str) -> list[str]:
        folder, name = self._root.split(path)
        named = sorted({segment.name for segment in read_header(self._root, folder, name).segments} - {"~"})
        nested = [segment for segment in named if read_header(self._root, folder, segment).segments]
        if nested:
            raise RecordError("header_invalid", f"its segment {nested[0]} has segments itself")
        return [spelled(folder, f"{segment}.hea")[:-4] for segment in named]

    def without(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Rows, sorted by `ORDER`, the natural key of their paths, that are no segments."""
        if self._faults:
            logger.warning(
                "%s: %s of several segments cannot be read; their segments count as records, the first: %s",
                self._root.path, counted(self._faults, "record"), self._first,
            )  # fmt: skip
        n_segments = 0
        for rows, segments in merge_join([tables, self._paths.tables()], ORDER):
            kept = rows.filter(pc.invert(pc.is_in(rows[ORDER], segments[ORDER].combine_chunks())))
            n_segments += len(rows) - len(kept)
            yield kept
        if n_segments:
            logger.info(
                "%s: %s",
                self._root.path,
                counted(n_segments, "more header is a segment of a record", "more headers are segments of records"),
            )


def _headers(root: Root) -> Iterator[str]:
    """Path of every header, without ending, relative to the root; signal files without one are counted in a warning."""
    bare, first = 0, ""
    for place, files in walk(root):
        headers = {name[:-4] for name in files if name.lower().endswith(".hea")}
        yield from ((place / name).as_posix() for name in sorted(headers))
        others = {name[:-4] for name in files if name.lower().endswith((".dat", ".mat"))} - headers
        if others:
            least = (place / min(others)).as_posix()
            bare, first = bare + len(others), min(first or least, least)
    if bare:
        logger.warning(
            "%s: %s, the first: %s",
            root.path,
            counted(bare, "signal file has no header of its name", "signal files have no header of their name"),
            first,
        )
