"""Any tree of WFDB records: a lab's own, or a database without an adapter.

With a `table`, its rows are the records. Without one, every header is a record (but not the segments of a
multi-segment record), and its comments give what they can: age, sex, and SNOMED CT codes from `#Dx:`.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath

import pandas as pd
from tqdm import tqdm

from ecglfm.config import UserError
from ecglfm.sources.base import Source, check_index
from ecglfm.sources.inside import Root
from ecglfm.sources.record_table import natural_key, stem, table_index
from ecglfm.sources.wfdb_tree import header_index, read_notes, walk

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
        root = self.root.resolve()
        return self._from_headers(root) if self.config.table is None else self._from_table(root)

    def _from_table(self, root: Path) -> pd.DataFrame:
        (path,) = self.tables()
        index = table_index(self.name, path, self.config.columns, _ENDINGS)
        index["path"] = [PurePosixPath(stem(text, _ENDINGS)).as_posix() for text in index["path"]]
        others = sorted(set(_headers(root)) - set(index["path"]))
        if others:
            logger.warning("%s: %d headers are in no row of it, the first: %s.hea", path, len(others), others[0])
        return check_index(index, path)

    def _from_headers(self, root: Path) -> pd.DataFrame:
        inside = Root(root)
        headers = tqdm(_headers(root), desc=f"index {self.name}", unit="header", disable=None)
        found = {path: read_notes(inside, path) for path in headers}
        segments = {
            (PurePosixPath(path).parent / name).as_posix() for path, notes in found.items() for name in notes.segments
        }
        paths = sorted(set(found) - segments, key=natural_key)
        if not paths:
            raise UserError(f"{self.root}: no WFDB header (.hea) in it; is `root` the right folder?")
        logger.info("%s: %d records; %d more headers are segments of theirs", root, len(paths), len(found) - len(paths))
        return check_index(header_index(self.name, paths, paths, [found[p] for p in paths], _NOTES), root)


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
