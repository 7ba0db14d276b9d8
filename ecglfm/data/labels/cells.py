"""What stands in a cell: a number, a date, or whether something is so; and the message where it is none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ecglfm.config import Selector, UserError
from ecglfm.data.columns import NOT_STATED
from ecglfm.data.labels.selectors import condition_met, find_target, fixed_end, says_nothing
from ecglfm.records import stated_day

_YEAR = 365.25  # days
TRUTH = {"true": 1.0, "yes": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "no": 0.0, "0": 0.0, "0.0": 0.0}

#: What a cell must be, and how to mend one that is not.
NUMBER = "a number", "write it with a decimal point, or leave the cell empty"
EVENT = "true or false, or 1 or 0", "of other words write a condition, such as `COLUMN == 'yes'`, instead of the column"

DATE = (
    "a date such as 2021-03-05 or 5.3.2021",
    "leave the cell empty where there is none; of a column of 0 and 1 write a condition instead: `COLUMN == '1'`",
)


_LARGEST = float(np.finfo(np.float32).max)


def number(text: str) -> float:
    """A number that float32 can hold; raises `ValueError` for another."""
    found = float(text)
    if not abs(found) <= _LARGEST:
        raise ValueError(text)
    return found


def parsed(
    values: pd.Series, parse: Callable[[str], float], what: tuple[str, str], place: Callable[[int], str]
) -> np.ndarray:
    """Cells as float64, NaN where they say nothing; raises `UserError` that names the first that is not `what`."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and parse is number:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if not (np.abs(numbers) > _LARGEST).any():
            return numbers
    texts = values.map(lambda value: str(value).strip().casefold(), na_action="ignore")
    known: dict[str, float] = {}
    for text in texts.dropna().unique():
        try:
            known[text] = np.nan if text in NOT_STATED else parse(text)
        except (ValueError, KeyError):
            row = int(np.flatnonzero((texts == text).to_numpy(bool, na_value=False))[0])
            found = repr(str(values.iloc[row])[:60])
            raise UserError(f"{place(row)} must be {what[0]}, found {found}; {what[1]}") from None
    return texts.map(known).to_numpy(np.float64, na_value=np.nan)


@dataclass(frozen=True)
class Cells:
    """What a selector asks of some rows of an index, in that or in a file of its own; float64, NaN where unknown.

    Attributes
    ----------
    table : DataFrame
        A row for each of the index: the index, or rows of the selector's file.
    selector : Selector
    where : str
        Of the selector, for messages.
    place : callable
        Where the cell in a row of a column comes from, likewise.
    made : ndarray, shape (n,)
        When the recordings were made, in days since 1970; with `since`.
    """

    table: pd.DataFrame
    selector: Selector
    where: str
    place: Callable[[int, str], str]
    made: np.ndarray = field(default_factory=lambda: np.empty(0))

    def numbers(self, name: str) -> np.ndarray:
        """Of a column of numbers."""
        return self._parsed(name, number, NUMBER)

    def times(self, name: str) -> np.ndarray:
        """Of a column of times; with `since` of dates, in years from each recording."""
        return self.numbers(name) if self.selector.since is None else self._years(self._parsed(name, stated_day, DATE))

    def follow_up(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """When the event or, without it, the last news came, whether it came, and when a competing one did.

        Parameters
        ----------
        name : str
            Column of the last news.
        """
        news = self.times(name)
        came, event = self._came("event", news)
        time = np.where(np.isnan(came), news, came)
        if self.selector.competing is None:
            return time, event, np.full(len(time), np.nan)
        gone, ruled_out = self._came("competing", news)
        return time, np.where(np.isnan(ruled_out) & (event == 0), np.nan, event), gone

    def end(self, name: str) -> np.ndarray:
        """When follow-up ends, by a column, or by what is the same for all."""
        if (fixed := fixed_end(self.selector)) is None:
            return self.times(name)
        return np.full(len(self.table), fixed) if self.selector.since is None else self._years(fixed)

    def _came(self, key: Literal["event", "competing"], news: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """When what a key says came, NaN where it did not, and whether, NaN where unknown; at `news` but of dates."""
        condition, name = self.selector.condition(key), getattr(self.selector, key)
        if condition is not None:
            event = condition_met(condition, self.table, self.where).astype(np.float64)
            event[says_nothing(condition, self.table, self.where)] = np.nan
        elif self.selector.since is not None:
            came = self.times(name)
            return came, (~np.isnan(came)).astype(np.float64)
        else:
            event = self._parsed(name, TRUTH.__getitem__, EVENT)
        return np.where(event == 1, news, np.nan), event

    def _years(self, day: np.ndarray | float) -> np.ndarray:
        """From when each recording was made to a day."""
        return np.asarray((day - self.made) / _YEAR)

    def _parsed(self, name: str, parse: Callable[[str], float], what: tuple[str, str]) -> np.ndarray:
        column = find_target(self.table.columns, name, self.where)
        return parsed(self.table[column], parse, what, lambda row: self.place(row, column))
