"""Selectors of a task: which rows of a database's index carry a label, by the database's own words."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import Selector, UserError
from ecglfm.config.expression import Condition, parse_condition
from ecglfm.config.text import as_text, split_codes
from ecglfm.data.columns import find_column, is_missing, matches, resolve
from ecglfm.data.labels.mentions import Mentions
from ecglfm.records import stated_day
from ecglfm.sources.snomed import merged

#: Of each of the row's codes its diagnostic class and subclass, empty where it has none.
SCP_CLASS, SCP_SUBCLASS = "native.scp_class", "native.scp_subclass"
DX = "native.dx"


def find_target(columns: Iterable[str], name: str, where: str) -> str:
    """Column that `value`, `time` or `event` means: as conditions do, a standard one first, then a native one."""
    columns = list(columns)
    return name if name in columns else find_column(columns, name, where)


def columns_used(selector: Selector, offered: Iterable[str], where: str) -> set[str]:
    """Columns of a table that a selector's clauses read by name; raises `UserError` for one that is not there."""
    offered = list(offered)
    used = {find_column(offered, name, where) for name in (*selector.column, *selector.codes)}
    if selector.statement:
        column = _statement_column(selector)
        if column not in offered:
            raise UserError(
                f"{where}: `statement` needs a database with 12SL statements; use `report` or `column` here"
            )
        used.add(column)
    if selector.where is not None:
        used |= set(resolve(parse_condition(selector.where), offered, where).values())
    ends = [selector.follow_up_end] if fixed_end(selector) is None else []
    used |= {find_target(offered, name, where) for name in (selector.value, selector.time, *ends) if name is not None}
    for name, condition in (
        (selector.event, selector.condition("event")),
        (selector.competing, selector.condition("competing")),
    ):
        if condition is not None:
            used |= set(resolve(condition, offered, where).values())
        elif name is not None:
            used.add(find_target(offered, name, where))
    return used


def fixed_end(selector: Selector) -> float | None:
    """A `follow_up_end` that is the same for all, in days since 1970 or as a time; None where it is a column's."""
    if selector.follow_up_end is None:
        return None
    try:
        return (float if selector.since is None else stated_day)(selector.follow_up_end)
    except ValueError:
        return None


def _statement_column(selector: Selector) -> str:
    return f"native.codes_{selector.read_by}"


def _by_value(values: pd.Series, test: Callable[[Any], object]) -> np.ndarray:
    """Apply a test to each distinct value once; null fails."""
    unique = {value: bool(test(value)) for value in values.dropna().unique()}
    return np.array([unique.get(value, False) if pd.notna(value) else False for value in values.array], bool)


def condition_met(text_or_condition: str | Condition, frame: pd.DataFrame, where: str) -> np.ndarray:
    """Rows of a table that meet a condition."""
    condition = parse_condition(text_or_condition) if isinstance(text_or_condition, str) else text_or_condition
    return matches(condition, frame, resolve(condition, frame.columns, where), where)


def select(
    index: pd.DataFrame,
    selector: Selector,
    where: str,
    file: pd.DataFrame | None = None,
    statements: Statements | None = None,
) -> np.ndarray:
    """Which rows of one source's index a selector takes: any clause is enough.

    Parameters
    ----------
    index : DataFrame
        Index table of one source.
    selector : Selector
    where : str
        Task, label and kind, for messages.
    file : DataFrame, optional
        Columns of `selector.file` for the same rows.
    statements : Statements, optional
        Of the same rows, where many selectors are asked.

    Returns
    -------
    ndarray of bool, shape (len(index),)

    Raises
    ------
    UserError
        A column is not in the index, or a clause does not fit the kind of database.
    """
    table = index if file is None else file
    selected = np.zeros(len(index), bool)
    if selector.scp or selector.scp_class or selector.scp_subclass or selector.snomed:
        statements = statements or Statements(index)
        selected |= _by_scp(index, selector, where, statements)
    if selector.snomed:
        if DX not in index:
            raise UserError(f"{where}: `snomed` needs a database with SNOMED CT codes; use `report` or `column` here")
        assert statements is not None
        selected |= statements.rows("codes", {merged(code) for code in selector.snomed})
    if selector.statement:
        selected |= _by_value(index[_statement_column(selector)], _HasCode(selector.statement))
    if selector.report:
        selected |= _by_value(index["report"], Mentions(selector))
    for name, values in selector.column.items():
        wanted = {as_text(value) for value in values}
        texts = table[find_column(table.columns, name, where)].map(as_text, na_action="ignore")
        selected |= texts.isin(wanted).to_numpy(bool)
    for name, codes in selector.codes.items():
        selected |= _by_value(table[find_column(table.columns, name, where)], _HasCode(codes))
    if selector.where is not None:
        selected |= condition_met(selector.where, table, where)
    return selected


class _HasCode:
    """Whether a cell of several codes has one that counts; letters in either case, `I48*` for all that begin so."""

    def __init__(self, codes: list[str]) -> None:
        folded = [code.casefold() for code in codes]
        self._whole = {code for code in folded if not code.endswith("*")}
        self._beginnings = tuple(code[:-1] for code in folded if code.endswith("*"))

    def __call__(self, cell: Any) -> bool:
        found = [code.casefold() for code in split_codes(str(cell))]
        return any(code in self._whole or code.startswith(self._beginnings) for code in found)


class Statements:
    """The coded statements of some rows of an index, one after the other, so that many labels are found fast.

    Parameters
    ----------
    index : DataFrame
    """

    def __init__(self, index: pd.DataFrame) -> None:
        lengths = index["codes"].map(len).to_numpy(np.int64)
        self._n_rows, self._row = len(index), np.repeat(np.arange(len(index)), lengths)
        self._likelihood = np.array([c["likelihood"] for row in index["codes"] for c in row], np.float64)
        self._words = {"codes": pd.factorize(np.array([c["code"] for row in index["codes"] for c in row], object))}
        for column in {SCP_CLASS, SCP_SUBCLASS} & set(index.columns) if SCP_SUBCLASS in index else ():
            self._words[column] = pd.factorize(np.array([word for row in index[column] for word in row], object))

    def rows(self, column: str, wanted: set[str], least: float = -np.inf, most: float = np.inf) -> np.ndarray:
        """Which rows have a statement with such a word in a column, of a likelihood between two bounds."""
        numbers, words = self._words[column]
        counts = np.isin(numbers, np.flatnonzero([word in wanted for word in words]))
        found = np.zeros(self._n_rows, bool)
        found[self._row[counts & (self._likelihood >= least) & (self._likelihood <= most)]] = True
        return found


def _by_scp(index: pd.DataFrame, selector: Selector, where: str, statements: Statements) -> np.ndarray:
    """Rows with a code that `scp`, `scp_class` or `scp_subclass` names, of a likelihood that counts."""
    named = {"codes": selector.scp, SCP_CLASS: selector.scp_class, SCP_SUBCLASS: selector.scp_subclass}
    named = {column: words for column, words in named.items() if words}
    selected = np.zeros(len(index), bool)
    if not named:
        return selected
    if SCP_CLASS not in index:
        clause = "scp" if "codes" in named else next(iter(named)).removeprefix("native.")
        raise UserError(f"{where}: `{clause}` needs a database with SCP-ECG codes; use `report` or `column` here")
    if SCP_SUBCLASS not in index and set(named) != {"codes"}:
        raise UserError(f"{where}: the index was made by an earlier version; run snakemake --forcerun index_source")
    least, most = selector.min_likelihood, selector.max_likelihood
    for column, words in named.items():
        selected |= statements.rows(column, set(words), least, most)
    return selected


def is_unread(index: pd.DataFrame, selector: Selector) -> np.ndarray:
    """Rows of which nobody read what a selector asks: no row of statements, which says less than one without any."""
    if not selector.statement:
        return np.zeros(len(index), bool)
    return index[_statement_column(selector)].isna().to_numpy(bool)


def is_silent(index: pd.DataFrame, selector: Selector, where: str, file: pd.DataFrame | None = None) -> np.ndarray:
    """Rows that say nothing at all of what a selector asks: no codes, no report, empty cells, no row in the file.

    Parameters and errors as in `select`.
    """
    table = index if file is None else file
    silent = np.ones(len(index), bool)
    if selector.scp or selector.scp_class or selector.scp_subclass or selector.snomed:
        silent &= np.array([len(row) == 0 for row in index["codes"]], bool)
    if selector.statement:
        silent &= is_unread(index, selector)
    if selector.report:
        silent &= is_missing(index["report"])
    for name in (*selector.column, *selector.codes):
        silent &= is_missing(table[find_column(table.columns, name, where)])
    if selector.where is not None:
        silent &= says_nothing(parse_condition(selector.where), table, where)
    return silent


def says_nothing(condition: Condition, table: pd.DataFrame, where: str) -> np.ndarray:
    """Rows in which every column of a condition is empty."""
    columns = set(resolve(condition, table.columns, where).values())
    return np.logical_and.reduce([is_missing(table[column]) for column in sorted(columns)])


def near_spellings(index: pd.DataFrame, selector: Selector, file: pd.DataFrame | None = None) -> str:
    """What the source has that looks like what the selector asks for, for a message; empty when nothing does."""
    table = index if file is None else file
    hints = []
    offers: dict[str, tuple[list[str], set[str]]] = {}
    if selector.scp:
        offers["scp"] = (selector.scp, {c["code"] for row in index["codes"] for c in row})
    for native, words in ((SCP_CLASS, selector.scp_class), (SCP_SUBCLASS, selector.scp_subclass)):
        if words:
            offers[native.removeprefix("native.")] = (words, {name for row in index[native] for name in row if name})
    if selector.snomed:
        offers["snomed"] = (selector.snomed, {c["code"] for row in index["codes"] for c in row})
    if selector.statement:
        cells = index[_statement_column(selector)].dropna().unique()
        offers["statement"] = (selector.statement, {code for cell in cells for code in split_codes(str(cell))})
    for name, values in selector.column.items():
        column = table[find_column(table.columns, name, name)]
        offers[name] = (values, {str(value) for value in column.dropna().unique()})
    for name, codes in selector.codes.items():
        cells = table[find_column(table.columns, name, name)].dropna().unique()
        offers[name] = (codes, {code for cell in cells for code in split_codes(str(cell))})
    for clause, (wanted, offered) in offers.items():
        there = {text.casefold(): text for text in sorted(offered)}
        for word in wanted:
            near = [there[key] for key in difflib.get_close_matches(word.casefold(), sorted(there), 3, 0.5)]
            if near:
                hints.append(f"{clause} {word!r}: near ones are {', '.join(near)}")
            elif there:
                hints.append(f"{clause} {word!r}: there are {', '.join(sorted(there.values())[:12])}")
    return "; ".join(hints)
