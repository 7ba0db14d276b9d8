"""Selectors of a task: which rows of a database's index carry a label, by the database's own words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import Selector, UserError
from ecglfm.config.text import as_text
from ecglfm.sources.snomed import merged

SCP_CLASS = "native.scp_class"
DX = "native.dx"


def find_column(columns: Iterable[str], name: str, where: str) -> str:
    """Column of the index that a selector means: a native one, else one of the standard columns.

    Raises
    ------
    UserError
        There is none; near names are listed.
    """
    columns = list(columns)
    for candidate in (f"native.{name}", name):
        if candidate in columns:
            return candidate
    known = [column.removeprefix("native.") for column in columns]
    near = difflib.get_close_matches(name, known, 3, 0.6) or sorted(known)
    raise UserError(f"{where}: column {name!r} is not in the database's table; near names: {', '.join(near[:12])}")


def _by_value(values: pd.Series, test: Callable[[Any], object]) -> np.ndarray:
    """Apply a test to each distinct value once; null fails."""
    unique = {value: bool(test(value)) for value in values.dropna().unique()}
    return np.array([unique.get(value, False) if pd.notna(value) else False for value in values.array], bool)


def select(index: pd.DataFrame, selector: Selector, where: str) -> np.ndarray:
    """Which rows of one source's index a selector takes: any clause is enough.

    Parameters
    ----------
    index : DataFrame
        Index table of one source.
    selector : Selector
    where : str
        Task, label and kind, for messages.

    Returns
    -------
    ndarray of bool, shape (len(index),)

    Raises
    ------
    UserError
        A column is not in the index, or a clause does not fit the kind of database.
    """
    selected = np.zeros(len(index), bool)
    if selector.scp:
        if SCP_CLASS not in index:
            raise UserError(f"{where}: `scp` needs a database with SCP-ECG codes; use `report` or `column` here")
        codes, least = set(selector.scp), selector.min_likelihood
        selected |= np.array(
            [any(c["code"] in codes and c["likelihood"] >= least for c in row) for row in index["codes"]], bool
        )
    if selector.scp_class:
        if SCP_CLASS not in index:
            raise UserError(f"{where}: `scp_class` needs a database with SCP-ECG codes; use `report` or `column` here")
        if selector.min_likelihood > 0:
            raise UserError(f"{where}: `min_likelihood` counts for `scp` only; list the codes of the class under `scp`")
        classes = set(selector.scp_class)
        selected |= np.array([not classes.isdisjoint(row) for row in index[SCP_CLASS]], bool)
    if selector.snomed:
        if DX not in index:
            raise UserError(f"{where}: `snomed` needs a database with SNOMED CT codes; use `report` or `column` here")
        if selector.min_likelihood > 0:
            raise UserError(f"{where}: `min_likelihood` counts for `scp` only; take it out")
        codes = {merged(code) for code in selector.snomed}
        selected |= np.array([any(c["code"] in codes for c in row) for row in index["codes"]], bool)
    for pattern in selector.report:
        selected |= _by_value(index["report"], re.compile(pattern, re.IGNORECASE).search)
    for name, values in selector.column.items():
        wanted = {as_text(value) for value in values}
        texts = index[find_column(index.columns, name, where)].map(as_text, na_action="ignore")
        selected |= texts.isin(wanted).to_numpy(bool)
    return selected


def near_spellings(index: pd.DataFrame, selector: Selector) -> str:
    """What the source has that looks like what the selector asks for, for a message; empty when nothing does."""
    hints = []
    offers: dict[str, tuple[list[str], set[str]]] = {}
    if selector.scp:
        offers["scp"] = (selector.scp, {c["code"] for row in index["codes"] for c in row})
    if selector.scp_class:
        offers["scp_class"] = (selector.scp_class, {name for row in index[SCP_CLASS] for name in row})
    if selector.snomed:
        offers["snomed"] = (selector.snomed, {c["code"] for row in index["codes"] for c in row})
    for name, values in selector.column.items():
        column = index[find_column(index.columns, name, name)]
        offers[name] = (values, {str(value) for value in column.dropna().unique()})
    for clause, (wanted, offered) in offers.items():
        there = {text.casefold(): text for text in sorted(offered)}
        for word in wanted:
            near = [there[key] for key in difflib.get_close_matches(word.casefold(), sorted(there), 3, 0.5)]
            if near:
                hints.append(f"{clause} {word!r}: near ones are {', '.join(near)}")
            elif there:
                hints.append(f"{clause} {word!r}: there are {', '.join(sorted(there.values())[:12])}")
    return "; ".join(hints)
