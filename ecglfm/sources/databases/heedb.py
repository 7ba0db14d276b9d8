"""HEEDB, the Harvard-Emory ECG Database (Koscova et al., doi:10.60508/rv6h-7d10), versions 3 and 4.

Tables, of each of two institutions (`I0001`, Massachusetts General; `I0006`, Emory): `metadata/metadata.csv`, a row per
recording, and what GE's 12SL program states of it, numbers of statements with commas between them, in
`12SL_diagnoses/`: `diagnoses_acquisition.csv` (at the time, by the software and by the physician) and
`diagnoses_v24.csv` (later, by version 24 of the program). A recording lies at `{institution}/WFDB/{name}`; its signals
are in a Matlab 4 `.mat` file at I0001 and in a `.dat` at I0006, as its header says.

Tables write its name with and without a slash, `./` or `WFDB/` before it, and `.hea` and a line end behind it. The
first folder of four digits is the year; dates in names and tables are others, as they were shifted.

Nobody here has seen the database: this rests on what others published about it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import UserError
from ecglfm.config.sources import Institution
from ecglfm.config.wording import counted
from ecglfm.sources.base import Source, unique
from ecglfm.sources.patients import UNSTATED
from ecglfm.sources.tables import (
    MAX_AGE,
    MAX_WHOLE,
    NESTED,
    ORDER,
    Sorter,
    fail_at,
    merge_join,
    number_column,
    parse_sex,
    read_pieces,
    rechunked,
    to_frame,
)

logger = logging.getLogger(__name__)

DAYS_PER_YEAR = 365.2425
_REQUIRED = ["BDSPPatientID", "AgeAtAcquisition", "FileName"]
_SEX_COLUMNS = ("SexDSC", "Sex")  # I0001's and I0006's
_ACQUISITION = ["FileName", "codes_software", "codes_physician"]
_V24 = ["FileName", "codes"]
_RENAMED = {"codes": "codes_v24"}
_STATEMENTS = {"codes_software", "codes_physician", "codes_v24"}
_YEAR = r"(?:^|/)(?P<year>\d{4})/"
_TEXT = pa.large_string()
_RUN = 1 << 26  # bytes of rows that are sorted in memory, of ten million
#: Columns of sorted rows that are none of the tables' own.
_PATIENT, _AGE, _SEX = "patient", "age in years", "male or female"


class Heedb(Source):
    """HEEDB's own layout: the folders `I0001` and `I0006`, or the one of them that `config.institutions` names."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """One row per row of `metadata.csv`, by institution and in order of the letters of its name.

        See `Source.pieces`. `codes` stays empty: of `native.codes_software`, `native.codes_physician` and
        `native.codes_v24` a label set chooses one; each is null where its table has no row of a recording, and empty
        where nothing is stated. An age outside 0 to 125 years, a word for a sex that means neither, a row without a
        name (a recording whose header is missing) and statements of no recording are counted in warnings.

        Raises
        ------
        UserError
            A table is missing, lacks a column, repeats a recording, or has a row that cannot be read.
        """
        tables = self.tables()
        places = self.config.institutions or get_args(Institution)
        sites = [_Site(place, *tables[3 * number : 3 * number + 3]) for number, place in enumerate(places)]
        columns = list(dict.fromkeys(name for site in sites for name in site.columns))
        for site in sites:
            for rows in rechunked(site.rows()):
                yield self._index(site.place, rows, columns)
            site.warn()

    def _index(self, place: str, rows: pa.Table, columns: list[str]) -> pd.DataFrame:
        """Rows of the index from joined rows of the tables; `columns` are those of both institutions' tables."""
        number = len(rows)
        native = {
            "institution": _repeated(place, number),
            "year": pc.struct_field(pc.extract_regex(rows[ORDER], _YEAR), "year").cast(pa.int64()),
        } | {name: rows[name] if name in rows.column_names else pa.nulls(number, _TEXT) for name in columns}
        standard = {
            "record_id": _after(f"{self.name}/{place}/", rows[ORDER]),
            "source": _repeated(self.name, number),
            "patient_id": _after(f"{self.name}/{place}/", rows[_PATIENT]),
            "path": _after(f"{place}/WFDB/", rows[ORDER]),
            "age": rows[_AGE],
            "sex": rows[_SEX],
            "fold": pa.nulls(number, pa.int64()),
            "codes": pa.array([[]] * number, NESTED["codes"]),
            "report": _repeated("", number),
        }
        frame = to_frame(pa.table(standard | {f"native.{name}": values for name, values in native.items()}))
        return frame.astype({"fold": "Int64", "native.year": "Int64"})


class _Site:
    """The tables of one institution.

    Parameters
    ----------
    place : str
        Name of its folder.
    metadata, acquisition, v24 : path

    Attributes
    ----------
    columns : list of str
        Those of its tables, as the index calls them.
    """

    def __init__(self, place: str, metadata: Path, acquisition: Path, v24: Path) -> None:
        self.place, self._metadata = place, metadata
        self._statements = {acquisition: _ACQUISITION, v24: _V24}
        required = {metadata: _REQUIRED, **self._statements}
        headers = [next(read_pieces(path, names)).columns.tolist() for path, names in required.items()]
        self._sex = next((name for name in _SEX_COLUMNS if name in headers[0]), "")
        if not self._sex:
            raise UserError(f"{metadata}: column {' or '.join(map(repr, _SEX_COLUMNS))} is missing")
        self.columns = list(dict.fromkeys(_RENAMED.get(name, name) for header in headers for name in header))
        self._odd, self._example = Counter[str](), dict[str, object]()

    def rows(self) -> Iterator[pa.Table]:
        """Rows of `metadata.csv` by name, with what is stated of each."""
        recordings = map(self._recordings, read_pieces(self._metadata, _REQUIRED))
        with ThreadPoolExecutor() as pool:  # Arrow, which does most of the work, lets them run at once
            tables = [recordings, *(self._stated(path, names) for path, names in self._statements.items())]
            sorted_, *stated = pool.map(_sorter, tables)
        if not len(sorted_):
            raise UserError(f"{self._metadata}: holds no recording")
        streams = [unique(sorted_.tables(), f"{self._metadata}:")]
        for path, sorter in zip(self._statements, stated, strict=True):
            streams.append(unique(sorter.tables(), f"{path}: FileName", hint=""))
        for rows, *others in merge_join(streams, ORDER):
            names = rows[ORDER].combine_chunks()
            for path, other in zip(self._statements, others, strict=True):
                keys = other[ORDER].combine_chunks()
                found = pc.index_in(names, keys)
                if len(keys) > len(found) - found.null_count:
                    self._note(f"{path}: %s of no recording", keys.filter(pc.invert(pc.is_in(keys, names))))
                for name in set(other.column_names) - set(rows.column_names):
                    rows = rows.append_column(name, other[name].combine_chunks().take(found))
            yield rows

    def _recordings(self, table: pd.DataFrame) -> pa.Table:
        """Rows of `metadata.csv` with their name, patient, age (years) and sex."""
        rows, path = pa.Table.from_pandas(table, preserve_index=False), self._metadata
        names = _names(rows["FileName"])
        if names.null_count:
            numbered = pa.array([f"row-{row + 2}" for row in table.index], _TEXT)  # as a spreadsheet counts them
            self._note(f"{path}: %s without a file name", numbered.filter(pc.is_null(names)))
            names = pc.coalesce(names, numbered)
        days = _days(table, rows, path)
        impossible = (days < 0) | (days > MAX_AGE * DAYS_PER_YEAR)
        self._note(f"{path}: %s with no age in days in AgeAtAcquisition", pa.array(days[impossible]))
        years = np.where(impossible, np.nan, days) / DAYS_PER_YEAR
        more = {ORDER: names, _PATIENT: self._patients(table, rows), _AGE: pa.array(years), _SEX: self._sexes(rows)}
        for name, values in more.items():
            rows = rows.append_column(name, values)
        return rows

    def _patients(self, table: pd.DataFrame, rows: pa.Table) -> pa.Array:
        """Ids of patients, null where none is stated; 123.0 is 123, and what is no number stays as it is.

        A number is the same one, and nobody is nobody, whatever else stands in the piece of the table.
        """
        written = rows["BDSPPatientID"].combine_chunks()
        try:
            numbers = written.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:  # pseudonyms, blanks
            text = pc.replace_substring_regex(pc.ascii_trim_whitespace(written), r"^0*(\d+)(\.0+)?$", r"\1")
            nobody = pc.is_in(pc.utf8_lower(text), pa.array(sorted(UNSTATED), _TEXT))
            return pc.if_else(nobody, pa.scalar(None, _TEXT), text)
        wrong = pd.Series((numbers % 1 > 0) | (numbers >= MAX_WHOLE), index=table.index)
        fail_at(self._metadata, wrong, "BDSPPatientID must be a whole number", table["BDSPPatientID"])
        stated = numbers >= 0
        return pa.array(np.where(stated, numbers, 0).astype(np.int64), mask=~stated).cast(_TEXT)

    def _sexes(self, rows: pa.Table) -> pa.Array:
        """Male, female or null."""
        words = rows[self._sex].combine_chunks().dictionary_encode()
        meanings = [_sex(word) for word in words.dictionary.to_pylist()]
        wrong = [number for number, (_, known) in enumerate(meanings) if not known]
        if wrong:
            odd = words.filter(pc.is_in(words.indices, pa.array(wrong, words.indices.type)))
            self._note(f"{self._metadata}: %s of another {self._sex} than male and female", odd)
        return pa.array([meant for meant, _ in meanings], _TEXT).take(words.indices)

    def _stated(self, path: Path, required: list[str]) -> Iterator[pa.Table]:
        """Rows of a table of statements with their recording's name; cells of numbers are never null."""
        for table in read_pieces(path, required):
            rows = pa.Table.from_pandas(table.rename(columns=_RENAMED), preserve_index=False)
            names = _names(rows["FileName"])
            rows = rows.drop_columns("FileName").append_column(ORDER, names)
            for name in _STATEMENTS & set(rows.column_names):
                filled = pc.fill_null(rows[name], pa.scalar("", _TEXT))
                rows = rows.set_column(rows.schema.get_field_index(name), name, filled)
            if names.null_count:
                nameless = pc.is_null(names).to_numpy(zero_copy_only=False)
                self._note(f"{path}: %s without a file name", pa.array(table.index[nameless] + 2))
                rows = rows.filter(pc.is_valid(names))
            yield rows

    def _note(self, what: str, found: pa.Array) -> None:
        """Count what was found; the first of it is remembered."""
        if len(found):
            self._odd[what] += len(found)
            self._example.setdefault(what, found[0].as_py())

    def warn(self) -> None:
        """Tell what was odd in all the rows."""
        for what, number in self._odd.items():
            logger.warning(f"{what}, the first: %s", counted(number, "row"), self._example[what])


def _sorter(tables: Iterable[pa.Table]) -> Sorter:
    """All rows, to be had by name."""
    sorter = Sorter(ORDER, run=_RUN)
    for table in tables:
        sorter.add(table)
    return sorter


def _names(written: pa.ChunkedArray) -> pa.Array:
    """Paths below `WFDB/`, without ending, of recordings as tables write them; null where a cell is blank."""
    text = written.combine_chunks()
    names = pc.ascii_ltrim(pc.ascii_trim_whitespace(text), "./")
    if pc.any(pc.starts_with(names, "WFDB/")).as_py():
        names = pc.replace_substring_regex(names, "^WFDB/", "")
    if pc.any(pc.ends_with(names, ".hea")).as_py():
        names = pc.replace_substring_regex(names, r"\.hea$", "")
    return pc.if_else(pc.equal(names, ""), pa.scalar(None, _TEXT), names)


def _days(table: pd.DataFrame, rows: pa.Table, path: Path) -> np.ndarray:
    """Ages as float64, NaN where empty; raises as `number_column`, which is slower and takes more spellings."""
    try:
        numbers = rows["AgeAtAcquisition"].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return number_column(table, "AgeAtAcquisition", path).to_numpy()
    return np.where(np.isinf(numbers), np.nan, numbers)


def _sex(word: str) -> tuple[str | None, bool]:
    """What a word for a sex means, and whether that is known."""
    try:
        return parse_sex(word), True
    except ValueError:
        return None, False


def _repeated(text: str, number: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, _TEXT), number)


def _after(beginning: str, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with a beginning before each; null stays null."""
    return pc.binary_join_element_wise(pa.scalar(beginning, _TEXT), texts, pa.scalar("", _TEXT))
