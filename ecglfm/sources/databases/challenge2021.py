"""PhysioNet/CinC Challenge 2021 (Reyna et al., doi:10.13026/34va-7q14): `training/{database}/g*/{record}.hea`, `.mat`.

Native id: `{database}/{record}`. The only table is the headers' comments (`#Age: 85`, `#Sex: Male`, `#Dx: ` and SNOMED
CT codes), in the spelling of 2021 and of 2020. No header names a patient; `ptb-xl` is
PTB-XL again, under other names, and its table says whose the records are (`config.patients`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.sources import ChallengeDatabase
from ecglfm.records import RecordError
from ecglfm.sources.base import Source, check_neighbours
from ecglfm.sources.inside import Root
from ecglfm.sources.tables import number_column, read_pieces
from ecglfm.sources.tree import in_pieces, walk
from ecglfm.sources.wfdb_reader import Refused, header_index, read_notes, read_text

logger = logging.getLogger(__name__)

_NOTES = ("age", "sex", "dx", "rx", "hx", "sx")


class Challenge2021(Source):
    """The Challenge's training sets; `config.databases` chooses among them."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per header, signal file or line of a `RECORDS`; see `Source.pieces`.

        `codes` has codes that are scored as the same diagnosis under one of them, `native.dx` the header's own.

        Raises
        ------
        UserError
            There is no `training/`, a chosen database is not in it, or a record is there twice.
        """
        patients = self._patients()
        inside, refused, last = self._inside, Refused(), ""
        root = inside.path
        paths = (path for database in self._databases(root) for path in _record_paths(inside, database))
        for some in in_pieces(self.name, ((_native_id(path), path) for path in paths), "header"):
            ids = [_native_id(path) for path in some]
            check_neighbours([last, *ids], f"{root / 'training'}:")
            last = ids[-1]
            index = header_index(self.name, ids, some, [read_notes(inside, path) for path in some], _NOTES, refused)
            index["patient_id"] = pd.Series([patients.get(native_id) for native_id in ids], dtype="string")
            yield index.assign(report="", **{"native.database": [native_id.split("/")[0] for native_id in ids]})
        if not last:
            raise UserError(f"{root / 'training'}: holds no recording")
        refused.warn()

    def _patients(self) -> dict[str, str]:
        """Patient of each native id of which PTB-XL's own table, where the user has it, knows one."""
        if not isinstance(self.config.patients, str):
            return {}
        path, found = Path(self.config.patients), dict[str, str]()
        for table in read_pieces(path, ["ecg_id", "patient_id"], ["ecg_id", "patient_id"]):
            records = number_column(table, "ecg_id", path, integer=True, required=True)
            patients = number_column(table, "patient_id", path, integer=True)
            for record, patient in zip(records, patients, strict=True):
                if patient == patient:  # no NaN
                    found[f"ptb-xl/HR{int(record):05d}"] = f"{self.patients_of}/{int(patient)}"
        return found

    def _databases(self, root: Path) -> list[str]:
        """Names of the chosen databases, which are there."""
        training = root / "training"
        if not training.is_dir():
            raise UserError(f"{self.root}: has no folder training/; `root` is the folder that holds it")
        there = sorted(entry.name for entry in training.iterdir() if entry.is_dir())
        known = get_args(ChallengeDatabase)
        chosen: list[str] = [*self.config.databases] or [name for name in there if name in known]
        unknown = sorted(set(there) - set(known))
        if unknown:
            logger.warning("%s: passed over, as none of the Challenge's databases: %s", training, ", ".join(unknown))
        missing = [name for name in chosen if name not in there]
        if missing or not chosen:
            wanted = missing[0] if missing else "/".join(known)
            raise UserError(f"{training}: has no folder {wanted}; it has: {', '.join(there) or 'none'}")
        return sorted(set(chosen))


def _record_paths(root: Root, database: str) -> Iterator[str]:
    """Records of a database, relative to the root: those with a header or signal file, and those that it lists."""
    empty, start = True, f"training/{database}"
    for folder, files in walk(root, start):
        place = folder.as_posix()
        names = {name[:-4] for name in files if name.lower().endswith((".hea", ".mat"))}
        names.update(_listed(root, f"{place}/RECORDS") if "RECORDS" in files else [])
        empty = empty and not names
        yield from (f"{place}/{name}" for name in sorted(names))
    if empty:
        logger.warning("%s/%s: no records", root.path, start)


def _listed(root: Root, path: str) -> list[str]:
    """Records that a `RECORDS` lists; its lines with a slash at the end are folders."""
    try:
        lines = [line.strip() for line in read_text(root, path).splitlines()]
    except RecordError as error:
        logger.warning("%s is not read: %s", path, error.detail)
        return []
    return [line for line in lines if line and not line.endswith("/")]


def _native_id(path: str) -> str:
    """`{database}/{record}` of `training/{database}/g1/{record}`."""
    parts = path.split("/")
    return f"{parts[1]}/{parts[-1]}"
