"""A table of recordings that a person made: a CSV with a row per recording, to rows of an index.

Also the words and numbers with which headers and tables state an age and a sex.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from ecglfm.config import UserError
from ecglfm.config.sources import TableColumn
from ecglfm.sources.tables.csv_table import fail_at, fail_rows, number_column, read_pieces
from ecglfm.sources.tables.reorder import ORDER, Sorter, merge_join, natural_key, sort, to_frame, to_table

logger = logging.getLogger(__name__)

OLDEST = 90.0  # what ages above 89, which databases withhold to protect patients, are set to
_WITHHELD = 300.0  # PTB-XL's and the Challenge's number for them
MAX_AGE = 125.0  # years; above it a number is no age
_AGE = re.compile(r"(?P<above>>\s*)?(?P<years>\d{1,4}(?:\.\d*)?)", re.ASCII)
_UNSTATED = {
    "", "nan", "na", "n/a", "none", "null", "unknown", "unspecified", "u", "?", "-", "unbekannt", "k.a.", "k. a.",
    "inconnu", "desconocido",
}  # fmt: skip
#: What a lab's table writes, in the languages that were met; `divers` and its like are neither of the two that we hold.
_SEXES = dict.fromkeys(("m", "male", "man", "männlich", "mann", "homme", "masculin", "masculino", "hombre"), "male") | (
    dict.fromkeys(("f", "female", "woman", "w", "weiblich", "frau", "femme", "féminin", "femenino", "mujer"), "female")
)
_SEX = "male or female, M or F or W (0 and 1 mean either: write which), or empty where it is not stated"
_NEITHER = {"d", "divers", "diverse", "other", "x", "nonbinary", "non-binary", "intersex"}

ValueT = TypeVar("ValueT")


def parse_age(text: str) -> float:
    """Age in years; NaN where it is not stated; `>89` and 300, which stand for a withheld age, are `OLDEST`.

    Raises
    ------
    ValueError
        The text is no age.
    """
    text = text.strip()
    if text.lower() in _UNSTATED:
        return float("nan")
    match = _AGE.fullmatch(text)
    if match is None:  # 61,5 too: whether a comma is a decimal sign is not guessed
        raise ValueError(f"{text!r} is no age")
    years = float(match["years"])
    if years == _WITHHELD:
        return OLDEST
    if years > MAX_AGE:
        raise ValueError(f"{text!r} is no age")
    return years + 1 if match["above"] else years


def years_column(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """Ages of a column of numbers, by the rule of `parse_age`; one that is none raises `UserError` naming its row."""
    ages = number_column(table, name, path)
    withheld = ages == _WITHHELD
    fail_at(path, (ages < 0) | ((ages > MAX_AGE) & ~withheld), f"{name} must be an age in years", table[name])
    return ages.mask(withheld, OLDEST)


def parse_sex(text: str) -> str | None:
    """`male` or `female`; None where it is not stated, or another than these two.

    Raises
    ------
    ValueError
        The text is neither.
    """
    word = text.strip().lower()
    if word in _UNSTATED or word in _NEITHER:
        return None
    if word not in _SEXES:
        raise ValueError(f"{text!r} is neither male nor female")
    return _SEXES[word]


def table_pieces(
    name: str, path: Path, columns: Mapping[TableColumn, str], endings: tuple[str, ...]
) -> Iterator[pd.DataFrame]:
    """Rows of an index from a CSV with a row per recording, in natural order of the native id, in pieces.

    Parameters
    ----------
    name : str
        Name of the source.
    path : path
        The CSV. Needs `path` (of the file, relative to the database's root) or, where the two are the same,
        `record_id`; may have `patient_id`, `age`, `sex`, `fold`, `report`. A record without patient is its own.
    columns : mapping
        Our name of a column: the CSV's, where they differ.
    endings : tuple of str
        File endings that are no part of a record's id, with their dot, in lower case.

    Yields
    ------
    DataFrame
        `INDEX_COLUMNS` (`path` as the table has it) and every column of the CSV as `native.{column}`.

    Raises
    ------
    UserError
        The CSV is missing, lacks a column, has one nearly under our name, has no row, repeats a recording or has a
        cell that cannot be read; names file, row and column.
    """
    required = list(columns.values())
    has = _columns_found(next(read_pieces(path, required)), columns, path)
    _check_repeats(read_pieces(path, required, [has.get("record_id") or has["path"]]), has, path, endings)
    rows = sort((to_table(_rows(name, table, has, path, endings)) for table in read_pieces(path, required)), ORDER)
    for table in rows:
        yield to_frame(table.drop_columns(ORDER))


def _check_repeats(
    tables: Iterable[pd.DataFrame], has: dict[TableColumn, str], path: Path, endings: tuple[str, ...]
) -> None:
    """Raise `UserError` where no recording or one twice is in the table; files are read only after that."""
    sorter = Sorter("id", "row")
    for table in tables:
        ids = pa.array(_ids(table, has, path, endings), pa.large_string())
        sorter.add(pa.table({"id": ids, "row": table.index}))
    if not len(sorter):
        raise UserError(f"{path}: holds no recording")
    groups = (table.to_pandas() for (table,) in merge_join([sorter.tables()], "id"))
    again = pd.concat(group[group["id"].duplicated()] for group in groups).sort_values("row")
    if len(again):
        what = "this recording stands in an earlier row already"
        fail_rows(path, again["row"].to_numpy(), what, again["id"].iloc[0])


def _ids(table: pd.DataFrame, has: dict[TableColumn, str], path: Path, endings: tuple[str, ...]) -> pd.Series:
    """Native ids: `record_id`, or the path without its ending."""
    if "record_id" in has:
        return filled_column(table, has["record_id"], path)
    return _paths(table, has["path"], path, endings).map(lambda p: str(PurePosixPath(stem(p, endings))))


def _paths(table: pd.DataFrame, column: str, path: Path, endings: tuple[str, ...]) -> pd.Series:
    """Paths of files with `/` between folders, as also Windows' are meant; as they are where they are of no files."""
    text = filled_column(table, column, path)
    return text.str.replace("\\", "/", regex=False) if endings else text


def _rows(
    name: str, table: pd.DataFrame, has: dict[TableColumn, str], path: Path, endings: tuple[str, ...]
) -> pd.DataFrame:
    """Rows of the index from rows of the CSV."""
    ids = _ids(table, has, path, endings)
    record_id = name + "/" + ids
    unknown = pd.Series(pd.NA, index=table.index, dtype="object")
    patients = identifiers(table, has.get("patient_id"), path)
    fold = number_column(table, has["fold"], path, integer=True) if "fold" in has else unknown
    index = pd.DataFrame(
        {
            ORDER: ids.map(natural_key),
            "record_id": record_id,
            "source": name,
            "patient_id": (name + "/" + patients).where(patients.notna(), None).astype("string"),
            "path": _paths(table, has.get("path") or has["record_id"], path, endings),
            "age": parse_column(table, has.get("age"), path, parse_age, "an age in years, with a decimal point").astype(
                "float64"
            ),
            "sex": parse_column(table, has.get("sex"), path, parse_sex, _SEX).astype("string"),
            "fold": fold.astype("Int64"),
            "codes": [[] for _ in range(len(table))],
            "report": table[has["report"]].fillna("") if "report" in has else "",
        }
    )
    return pd.concat([index, table.add_prefix("native.")], axis=1)


def _columns_found(table: pd.DataFrame, columns: Mapping[TableColumn, str], path: Path) -> dict[TableColumn, str]:
    """Our name of each column that the CSV has, and the CSV's; raises UserError where one is nearly ours."""
    named: dict[TableColumn, str] = {ours: columns.get(ours, ours) for ours in get_args(TableColumn)}
    has = {ours: theirs for ours, theirs in named.items() if theirs in table.columns}
    others = {_squashed(name): name for name in table.columns if name not in has.values()}
    for ours in named:
        near = others.get(_squashed(ours))
        if ours not in has and near is not None:
            raise UserError(f"{path}: is column {near!r} our {ours}? Write `columns: {{{ours}: {near}}}`, or rename it")
    if not ({"path", "record_id"} & set(has)):
        raise UserError(
            f"{path}: no column {named['path']!r} that says where each recording lies; name it with "
            f"`columns: {{path: COLUMN}}`; the file has: {', '.join(table.columns[:12])}"
        )
    return has


def _squashed(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def completed(index: pd.DataFrame, said: pd.DataFrame) -> pd.DataFrame:
    """The index with what the files say where the table does not.

    Parameters
    ----------
    index : DataFrame
        From `table_pieces`.
    said : DataFrame
        Row for row of the same recordings: `patient_id` (null where the file does not say), `age`,
        `sex`, `report` and `native.*`.
    """
    given = {
        "patient_id": index["patient_id"].fillna(said["patient_id"]),
        "age": index["age"].fillna(said["age"]),
        "sex": index["sex"].fillna(said["sex"]),
        "report": index["report"].mask(index["report"] == "", said["report"]),
    }
    native = [column for column in said.columns if column.startswith("native.") and column not in index.columns]
    return pd.concat([index.assign(**given), said[native]], axis=1)


def identifiers(table: pd.DataFrame, column: str | None, path: Path) -> pd.Series:
    """Ids of a column of patients, null where it does not state one, or where `column` is None."""
    return parse_column(table, column, path, _stated, "a patient's number or name")


def _stated(text: str) -> str | None:
    """Text of an identifier; None where it is not stated."""
    return None if text.strip().lower() in _UNSTATED else text.strip()


def stem(path: str, endings: tuple[str, ...]) -> str:
    """`path` without its ending, where that is one of `endings` in any case."""
    ending = next((e for e in endings if path.lower().endswith(e)), "")
    return path[: len(path) - len(ending)]


def filled_column(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Text of a column, stripped; an empty cell raises `UserError` naming its row."""
    text = table[column].str.strip().replace("", None)
    fail_at(path, text.isna(), f"{column} is empty", table[column])
    return text


def parse_column(
    table: pd.DataFrame, column: str | None, path: Path, parse: Callable[[str], ValueT], what: str
) -> pd.Series:
    """Each cell of a column through `parse`; null where it is empty or where `column` is None.

    Raises
    ------
    UserError
        `parse` refuses a cell (ValueError); names file and row, and that it must be `what`.
    """
    if column is None:
        return pd.Series(np.nan, index=table.index, dtype="object")
    values: dict[str, ValueT | None] = {}
    wrong = set()
    for text in table[column].dropna().unique():
        try:
            values[text] = parse(text)
        except ValueError:
            wrong.add(text)
    fail_at(path, table[column].isin(wrong), f"{column} must be {what}", table[column])
    return table[column].map(values).astype("object")
