"""What the config says of a table's columns: by their names, and in conditions (`ecglfm.config.expression`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.expression import All, Comparison, Condition, Not, columns_of

#: What R, pandas and spreadsheets write into a cell without a value, in lower case; it is no answer to any question.
NO_VALUE = frozenset({"", "nan", "na", "n/a", "<na>", "#n/a"})
#: What a cell of text says where a number, or yes or no, is asked for and it has none.
NOT_STATED = NO_VALUE | {"none", "null"}


def resolve(condition: Condition, offered: Iterable[str], where: str) -> dict[str, str]:
    """Column of the table that each name of a condition means: the column itself, else the database's own.

    Parameters
    ----------
    condition : Condition
    offered : iterable of str
        Columns of the table, or of all the tables it will be asked of.
    where : str
        Key of the config, for messages.

    Raises
    ------
    UserError
        There is no such column; near names, or all, are listed.
    """
    offered = sorted(set(offered))
    found = {}
    for name in columns_of(condition):
        column = next((one for one in (name, f"native.{name}") if one in offered), None)
        if column is None:
            raise UserError(f"{where}: there is no column {name!r}; {_offered(name, offered)}")
        found[name] = column
    return found


def _offered(name: str, columns: Iterable[str]) -> str:
    """Columns that are nearly named so, or else all, each once; for a message."""
    names = dict(sorted((column.removeprefix("native."), column) for column in columns))
    near = difflib.get_close_matches(name.removeprefix("native."), names, 3, 0.6)
    if not near:
        return f"there are {', '.join(names)}"
    full = name.startswith("native.")
    return f"near names: {', '.join(names[one] if full else one for one in near)}"


def matches(condition: Condition, frame: pd.DataFrame, names: dict[str, str], where: str) -> np.ndarray:
    """Which rows of a table meet a condition.

    A comparison with a missing value is false, whatever the operator; `not` turns it into true, and
    `is None` finds it. A column that this table lacks is missing everywhere; `NA` and its like are missing, but where
    the condition asks for the very word.

    Parameters
    ----------
    condition : Condition
    frame : DataFrame
    names : dict
        As `resolve` gives them.
    where : str
        Key of the config, for messages.

    Returns
    -------
    ndarray of bool, shape (len(frame),)

    Raises
    ------
    UserError
        A column of numbers is compared with text, text is put in order or is no number, or a column holds lists.
    """
    if isinstance(condition, Comparison):
        column = names[condition.column]
        if column not in frame:
            return np.full(len(frame), condition.operator == "is")
        return _compare(frame[column], condition, where)
    if isinstance(condition, Not):
        return ~matches(condition.part, frame, names, where)
    parts = np.stack([matches(part, frame, names, where) for part in condition.parts])
    return np.asarray(parts.all(axis=0) if isinstance(condition, All) else parts.any(axis=0))


def is_missing(values: pd.Series) -> np.ndarray:
    """Rows in which a column has no value, or the text for none (`NO_VALUE`); bool."""
    missing = values.isna()
    if pd.api.types.is_string_dtype(values):
        missing |= values.astype("str").str.strip().str.casefold().isin(NO_VALUE)
    return missing.to_numpy(bool)


def _compare(values: pd.Series, comparison: Comparison, where: str) -> np.ndarray:
    operator, value = comparison.operator, comparison.value
    missing = is_missing(values)
    if operator in {"is", "is not"}:
        return missing if operator == "is" else ~missing
    numeric = pd.api.types.is_numeric_dtype(values)
    if not numeric and not values.dropna().map(lambda one: isinstance(one, str)).all():
        raise UserError(f"{where}: column {comparison.column!r} holds lists; only numbers and text can be compared")
    wanted = value if isinstance(value, list) else [value]
    texts = [one for one in wanted if isinstance(one, str)]
    if texts and numeric:
        raise UserError(f"{where}: column {comparison.column!r} holds numbers; {texts[0]!r} is text")
    if texts and operator not in {"==", "!=", "in", "not in"}:
        raise UserError(
            f"{where}: {comparison.column} {operator} {texts[0]!r}: only numbers have an order; of a date "
            "make a column of numbers first, such as its year, or days since a day"
        )
    if operator in {"==", "!=", "in", "not in"}:
        found = np.zeros(len(values), bool)
        for one in wanted:
            found |= _equal(values, one, numeric=numeric)
        return found if operator in {"==", "in"} else ~found & ~missing
    number = _numbers(values)
    if not numeric:
        _check_numbers(values, number, f"{where}: {comparison.column} {operator} {value}")
    with np.errstate(invalid="ignore"):
        ordered = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[operator]
        return np.asarray(ordered(number, value), bool)


def _numbers(values: pd.Series) -> np.ndarray:
    """Float64, NaN where a value is missing or is text that is no number."""
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _check_numbers(values: pd.Series, number: np.ndarray, where: str) -> None:
    """Raise `UserError` where a cell says something that is no number, such as `59,6` or `<5`: that is not missing."""
    said = values[np.isnan(number)].dropna().astype("str").str.strip()
    wrong = said[~said.str.casefold().isin(NOT_STATED)]
    if len(wrong):
        raise UserError(
            f"{where}: {wrong.iloc[0][:60]!r} in the column is no number; write numbers, with a decimal point, and "
            "leave the cell empty where there is none"
        )


def _equal(values: pd.Series, wanted: bool | int | float | str, *, numeric: bool) -> np.ndarray:
    """Rows equal to one value; the databases' own columns are text, so numbers in text count as numbers."""
    if isinstance(wanted, str):
        return (values.astype("str").str.strip() == wanted).fillna(False).to_numpy(bool)
    if isinstance(wanted, bool) and not numeric:
        return (values.astype("str").str.strip().str.casefold() == str(wanted).casefold()).fillna(False).to_numpy(bool)
    return _numbers(values) == float(wanted)


def find_column(columns: Iterable[str], name: str, where: str) -> str:
    """Column of the index that a selector means: a native one, else one of the standard columns.

    Raises
    ------
    UserError
        There is none; near names, or all, are listed.
    """
    columns = list(columns)
    for candidate in (f"native.{name}", name):
        if candidate in columns:
            return candidate
    raise UserError(f"{where}: column {name!r} is not in the database's table; {_offered(name, columns)}")
