"""CODE-15 % (Ribeiro et al., doi:10.5281/zenodo.4916206): 345,779 exams in the parts `exams_part{N}.hdf5`.

Table: `exams.csv`, a row per exam. A part holds `exam_id` (n) and `tracings` (n, 4096, 12) float32, in mV although
no file says so, at 400 Hz, leads in the usual order; exams of 7 s stand in the middle of zeros. A record's path
is `{part}#{exam_id}`, so that a tracing is found by its id, never by its position (`ecglfm.sources.arrays.ExamFile`).

The index follows the parts and the rows in them, not the ids, which lie scattered over all parts: ingest then opens
one part after the other and reads it from front to back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import SourceConfig, UserError
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays import ExamFile, split_path
from ecglfm.sources.base import Source, unique
from ecglfm.sources.tables import (
    ORDER,
    Sorter,
    fail_at,
    merge_join,
    natural_key,
    number_column,
    read_pieces,
    rechunked,
    sort,
    to_frame,
    to_table,
    years_column,
)

logger = logging.getLogger(__name__)

DIAGNOSES = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF", "normal_ecg")
FOLLOW_UP = ["death", "timey"]
_REQUIRED = ["exam_id", "age", "is_male", "patient_id", "trace_file", *FOLLOW_UP, *DIAGNOSES]
_TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


class Code15(Source):
    """CODE-15 %'s own layout: the parts, unzipped, beside `exams.csv`."""

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        super().__init__(name, root, config)
        self._open: tuple[str, ExamFile] | None = None

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per exam; see `Source.pieces`, but in the order of the parts.

        `codes` has the `DIAGNOSES` that are true. `native.death` and `native.timey` are null for all exams of a
        patient but the first. Exams in a part that `exams.csv` does not have are named in a warning.

        Raises
        ------
        UserError
            The table is missing, lacks a column, repeats an exam, or has a row that cannot be read.
        """
        (path,) = self.tables()
        later = exams_not_first(path)
        if len(later):
            logger.warning("%s: death and timey of %d exams are left out: not the patient's first", path, len(later))
        tables = (to_table(table.assign(row=table.index)) for table in read_pieces(path, _REQUIRED))
        rows = (
            self._rows(table.to_pandas(), not_, path) for table, not_ in merge_join([tables, later.tables()], "row")
        )
        for placed in rechunked(self._placed(sort(map(to_table, rows), "part", "exam"))):
            yield to_frame(placed.drop_columns(["part", "exam"]))

    def _rows(self, table: pd.DataFrame, not_first: pa.Table, path: Path) -> pd.DataFrame:
        """Rows of the index from rows of `exams.csv`, with their part's and their own place among the others."""
        table = table.set_index("row")
        exams = number_column(table, "exam_id", path, integer=True, required=True).astype("int64")
        patients = number_column(table, "patient_id", path, integer=True)
        record_id = self.name + "/" + exams.astype(str)
        patient_id = self.name + "/" + patients.astype("Int64").astype("string").astype(object)
        index = pd.DataFrame(
            {
                "part": table["trace_file"].str.strip().map(natural_key),
                "exam": exams,
                "record_id": record_id,
                "source": self.name,
                "patient_id": patient_id.where(patients.notna(), None).astype("string"),
                "path": table["trace_file"].str.strip() + "#" + exams.astype(str),
                "age": years_column(table, "age", path),
                "sex": _truth(table, "is_male", path).map({True: "male", False: "female"}).astype("string"),
                "fold": pd.Series(pd.NA, index=table.index, dtype="Int64"),
                "codes": _codes({code: _truth(table, code, path) for code in DIAGNOSES}),
                "report": "",
            }
        )
        native = table.add_prefix("native.")
        native.loc[not_first["row"].to_numpy(), [f"native.{column}" for column in FOLLOW_UP]] = None
        return pd.concat([index, native], axis=1)

    def _placed(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Rows, sorted by `part`, in the order in which the parts hold them; those that no part holds are the last."""
        for (table,) in merge_join([tables], "part"):
            parts, exams = table["path"].to_numpy(), table["exam"].to_numpy()
            parts = np.array([split_path(path)[0] for path in parts], object)
            places = np.full(len(table), np.inf)
            for name in dict.fromkeys(parts):
                here = np.flatnonzero(parts == name)
                places[here] = self._rows_in_part(name, exams[here])
            order = [("part", "ascending"), ("place", "ascending"), ("exam", "ascending")]
            table = table.append_column("place", pa.array(places))
            yield table.take(pc.sort_indices(table, order)).drop_columns("place")

    def _rows_in_part(self, name: str, exams: np.ndarray) -> np.ndarray:
        """Row of each exam in its part; infinite where the part does not have it or cannot be read, which is logged."""
        try:
            there = self._part(name).exams
        except RecordError as error:
            logger.warning("source %s: %d exams are lost: %s", self.name, len(exams), error)
            return np.full(len(exams), np.inf)
        known = pd.Series(np.arange(len(there)), index=there)
        known = known[~known.index.duplicated()]
        others = known.index.difference(pd.Index(exams)).drop([0], errors="ignore")  # 0 fills up a part
        if len(others):
            logger.warning(
                "source %s: %s holds %d exams that exams.csv does not place there, such as %d; they are not used",
                self.name, name, len(others), others[0],
            )  # fmt: skip
        return known.reindex(exams).fillna(np.inf).to_numpy()

    def _part(self, name: str) -> ExamFile:
        """The part of that name, the one opened last when it is the same; one is open at a time."""
        if self._open is None or self._open[0] != name:
            self._open = None
            self._open = (name, ExamFile(self._inside, name))
        return self._open[1]

    def read(self, path: str) -> Record:
        """Read the exam at `{part}#{exam_id}`.

        Raises
        ------
        RecordError
            `path_outside_root`, `signal_missing`, `signal_unreadable`, `exam_missing`, `exam_repeated`.
        """
        name, exam = split_path(path)
        return self._part(name).read(exam)


def exams_not_first(path: Path) -> Sorter:
    """Rows of `exams.csv`, in order, whose `death` and `timey` do not count: all of a patient but one.

    The database gives them for a patient's first exam only and gives no dates. Where several exams of a patient have
    them, the longest follow-up time `timey` is that of the first one (of equal ones the smallest id): a patient who
    counts twice makes mortality look more certain than it is.

    Returns
    -------
    Sorter
        Of the column `row`.

    Raises
    ------
    UserError
        As `Code15.pieces`, as far as the columns go that order and follow-up depend on.
    """
    all_exams, followed, later = Sorter(ORDER), Sorter("patient", "shorter", "exam"), Sorter("row")
    for table in read_pieces(path, _REQUIRED, ["exam_id", "patient_id", "trace_file", *FOLLOW_UP]):
        exams = number_column(table, "exam_id", path, integer=True, required=True).astype("int64")
        patients = number_column(table, "patient_id", path, integer=True)
        fail_at(path, table["trace_file"].isna(), "trace_file is empty", table["trace_file"])
        all_exams.add(pa.table({ORDER: exams}))
        rows = {
            "patient": patients.fillna(-1 - exams).astype("int64"),  # one that is not stated is the exam's own
            "shorter": -number_column(table, "timey", path).fillna(-np.inf),
            "exam": exams,
            "row": table.index,
        }
        given = (table["death"].notna() | table["timey"].notna()).to_numpy(bool)
        followed.add(pa.table(rows).filter(pa.array(given)))
    if not len(all_exams):
        raise UserError(f"{path}: holds no recording")
    for _ in unique(all_exams.tables(), f"{path}:"):
        pass
    for (group,) in merge_join([followed.tables()], "patient"):
        again = np.diff(group["patient"].to_numpy(), prepend=np.iinfo(np.int64).min) == 0
        later.add(group.select(["row"]).filter(pa.array(again)))
    return later


def _codes(found: dict[str, pd.Series]) -> list[list[dict[str, object]]]:
    """What is true of each row, as the index lists it."""
    rows: list[list[dict[str, object]]] = [[] for _ in range(len(next(iter(found.values()))))]
    for code, column in found.items():
        for row in np.flatnonzero(column.eq(True).fillna(False)):
            rows[row].append({"code": code, "likelihood": 100.0})
    return rows


def _truth(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """A column of True and False, null where empty."""
    text = table[column].str.strip().str.lower()
    fail_at(path, text.notna() & ~text.isin(list(_TRUTH)), f"{column} must be True or False", table[column])
    return text.map(_TRUTH).astype("boolean")
