"""A tree of files, one recording each, that say themselves whose they are; with a `table`, its rows are the recordings.

Age, sex, patient and report come from the file, but from the table where it gives them.
"""

from __future__ import annotations

import logging
import math
import re
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.records import RecordError
from ecglfm.sources.base import Source, check_neighbours
from ecglfm.sources.tables import completed, parse_age, parse_sex, stem, table_pieces
from ecglfm.sources.tree import Known, files_of, in_pieces

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"[-+]?\d{1,10}(\.\d{1,9})?", re.ASCII)
_YEARS = {"MONTHS": 1 / 12, "WEEKS": 7 / 365.25, "DAYS": 1 / 365.25, "HOURS": 1 / 8766}


class Head(NamedTuple):
    """What a file says beside its waveforms; `patient` is empty where it does not say."""

    patient: str
    age: float
    sex: str | None
    report: str
    native: dict[str, str | None]


class RecordingFiles(Source):
    """Native id: path relative to the root without ending, or the table's `record_id`.

    Attributes
    ----------
    endings : tuple of str
        Of the files, with their dot, in lower case.
    native : tuple of str
        Keys of `Head.native`, which become `native.{key}`.
    """

    endings: ClassVar[tuple[str, ...]]
    native: ClassVar[tuple[str, ...]]

    @abstractmethod
    def head(self, path: str) -> Head:
        """What the file at `path` says beside its waveforms; raises `RecordError`."""

    def files(self) -> Iterator[str]:
        """Paths, relative to the root, of the recordings where no table names them."""
        return files_of(self._inside, self.endings)

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per row of the table, or per file; see `Source.pieces`.

        A file that cannot be read has a row too, and becomes a row of the ledger when it is ingested.

        Raises
        ------
        UserError
            The table cannot be read, or there is neither table nor file.
        """
        faults: list[str] = []
        yield from self._from_files(faults) if self.config.table is None else self._from_table(faults)
        if faults:
            logger.warning(
                "source %s: %s cannot be read, the first: %s", self.name, counted(len(faults), "file"), faults[0]
            )

    def _from_table(self, faults: list[str]) -> Iterator[pd.DataFrame]:
        (path,) = self.tables()
        known = Known(path)
        rows = table_pieces(self.name, path, self.config.columns, self.endings)
        for index in (completed(index, self.said(index, faults)) for index in rows):
            known.add(index["path"])
            yield index
        known.warn_of_others(self.files())

    def _from_files(self, faults: list[str]) -> Iterator[pd.DataFrame]:
        files, last = ((path, path) for path in self.files()), ""
        blank = {"age": np.nan, "sex": pd.NA, "fold": pd.NA, "report": ""}
        for paths in in_pieces(self.name, files, "file"):
            native = [stem(path, self.endings) for path in paths]
            check_neighbours([last, *native], f"{self.root}:")
            last, ids = native[-1], [f"{self.name}/{native_id}" for native_id in native]
            index = pd.DataFrame({"record_id": ids, "source": self.name, "patient_id": pd.NA, "path": paths} | blank)
            index["codes"] = [[] for _ in paths]
            index = index.astype({"patient_id": "string", "sex": "string", "fold": "Int64"})
            yield completed(index, self.said(index, faults))
        if not last:
            what = f"{' or '.join(self.endings)} file" if any(self.endings) else "recording"
            raise UserError(f"{self.root}: no {what} in it; is `root` the right folder?")

    def whose(self, path: str) -> str:
        """The patient whom the name of a file tells; empty where it does not."""
        return ""

    def _head(self, path: str, faults: list[str]) -> Head:
        """Head of a file; of one that cannot be read, which is added to `faults`, what its name tells.

        One whose name tells an excluded patient is not opened, and no message names it.
        """
        person = self.whose(path)
        if not (person and self.excluded and f"{self.name}/{person}" in self.excluded):
            try:
                return self.head(path)
            except RecordError as error:
                faults.append(f"{path}: {error}")
        return Head(person, math.nan, None, "", {})

    def said(self, index: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
        """What the files of an index say, row for row, as `completed` takes it."""
        heads = [self._head(path, faults) for path in index["path"]]
        patients = [f"{self.name}/{head.patient}" if head.patient else None for head in heads]
        native = pd.DataFrame([head.native for head in heads], columns=list(self.native))
        native = native.astype("str").where(native.notna()).add_prefix("native.")
        return native.assign(
            patient_id=pd.Series(patients, dtype="string"),
            age=[head.age for head in heads],
            sex=pd.Series([head.sex for head in heads], dtype="string"),
            report=[head.report for head in heads],
        )


def age_in_years(age: str, unit: str, path: str = "") -> float:
    """Years; NaN where no age is stated, or none that is understood, which is logged."""
    try:
        if unit.upper() in {"", "YEARS"}:
            return parse_age(age)
        if not age:
            return math.nan
        if _NUMBER.fullmatch(age) and float(age) >= 0 and unit.upper() in _YEARS:
            return float(age) * _YEARS[unit.upper()]
    except ValueError:
        pass
    logger.warning("%s: age %r %s is not understood; the age is left empty", path, age[:20], unit[:20])
    return math.nan


def stated_sex(text: str, path: str = "") -> str | None:
    """`male` or `female`; None where neither is stated, or nothing that is understood, which is logged."""
    try:
        return parse_sex(text)
    except ValueError:
        logger.warning("%s: gender %r is not understood; the sex is left empty", path, text[:20])
        return None
