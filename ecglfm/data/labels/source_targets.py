"""What a label set says of the rows of one source's index: the columns of its label table, by kind."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ecglfm.config import LabelFile, Selector, TaskSlice
from ecglfm.config.expression import parse_condition
from ecglfm.config.sources import PatientIds
from ecglfm.config.wording import counted
from ecglfm.data.columns import resolve
from ecglfm.data.labels.cells import DATE, EVENT, NUMBER, TRUTH, number, parsed
from ecglfm.data.labels.files import AS_WRITTEN, ROW, FileTable, file_columns
from ecglfm.data.labels.follow_up import came_within, days_made, followed_to_end
from ecglfm.data.labels.other_values import OtherValues, words_asked_for
from ecglfm.data.labels.selectors import (
    DX,
    SCP_CLASS,
    SCP_SUBCLASS,
    Statements,
    columns_used,
    condition_met,
    find_target,
    fixed_end,
    is_silent,
    is_unread,
    says_nothing,
    select,
)
from ecglfm.data.missing_codes import MissingCodes
from ecglfm.records import stated_day

logger = logging.getLogger(__name__)

#: Column of `SourceTargets.of` that marks the records which the task leaves out on purpose.
EXCLUDED = "excluded"
_YEAR = 365.25  # days
_Came = Literal["event", "competing"]


def target_columns(slice: TaskSlice, label: str) -> list[str]:  # noqa: A002
    """Columns of a label in `labels/{task}.parquet`."""
    return slice.config.task_kind.label_columns(label)


class SourceTargets:
    """Labels of the rows of one source's index.

    Parameters
    ----------
    slice : TaskSlice
    source : str
        One of its sources.
    offered : list of str
        Columns of the source's index.
    patient_ids : PatientIds
        How the index took ids of patients (`ecglfm.sources.base.patient_ids`).
    index : path, optional
        The index, whose dates of recordings are read as a whole, in one order of day and month; needed for `since`.

    Attributes
    ----------
    columns : list of str
        Columns of the index that are read, in the index's order.

    Raises
    ------
    UserError
        A selector names a column that is not there, or a file that cannot be used.
    """

    def __init__(
        self,
        slice: TaskSlice,  # noqa: A002
        source: str,
        offered: list[str],
        patient_ids: PatientIds = AS_WRITTEN,
        index: Path | None = None,
    ) -> None:
        self.slice, self.source, self.kind = slice, source, slice.kinds[source]
        self._files: dict[LabelFile, tuple[FileTable, str]] = {}
        self._made: dict[str, pd.Series] = {}
        self._warned = False
        self._shared, self._ruled_out = Counter[str](), Counter[str]()
        self._codes, self._watched = MissingCodes(), dict[str, tuple[LabelFile | None, str]]()
        self._others = OtherValues(exclusive=slice.config.task_kind.exclusive)
        needed = {"record_id", "patient_id", "source", "codes", "report", SCP_CLASS, SCP_SUBCLASS, DX}
        of_files: dict[LabelFile, set[str]] = {}
        for place, kind, selector in slice.config.selectors():
            if kind != self.kind:
                continue
            where = f"task {slice.task!r}: {place}"
            if selector.among is not None:
                needed |= set(resolve(parse_condition(selector.among), offered, where).values())
            if selector.since is not None and index is not None:
                self._made[selector.since] = days_made(index, offered, selector.since, where)
            if selector.file is None:
                table, whose = offered, f"index/{source}.parquet"
                needed |= (used := columns_used(selector, table, where))
            else:
                table, whose = file_columns(selector.file), selector.file.path
                used = columns_used(selector, table, where := f"{where}: {whose}")
                of_files.setdefault(selector.file, set()).update(used)
            named = {f"{whose}: column {column!r}": column for column in sorted(used)}
            self._watched |= {name: (selector.file, column) for name, column in named.items()}
            if place.startswith("labels."):
                self._others.watch(named, words_asked_for(selector, table, where))
        for file, used in of_files.items():
            by = find_target(offered, file.by, f"task {slice.task!r}: {file.path}: by")
            needed.add(by)
            self._files[file] = FileTable(file, sorted(used), source, slice.kinds, patient_ids), by
        self.columns = [column for column in offered if column in needed]

    def of(self, index: pd.DataFrame) -> pd.DataFrame:
        """Labels of some rows of the index.

        Returns
        -------
        DataFrame
            Float columns as `target_columns` names them, in the task's order, NaN where unknown, then `EXCLUDED`.
            Of `survival`, times as they are given.
        """
        files = {file: table.rows(index, by) for file, (table, by) in self._files.items()}
        for name, (own, column) in self._watched.items():
            self._codes.add(name, index[column] if own is None else files[own][column])
        statements = Statements(index)
        columns: dict[str, np.ndarray] = {}
        for label, selectors in self.slice.config.labels.items():
            names = target_columns(self.slice, label)
            if self.kind not in selectors:
                columns |= dict.fromkeys(names, np.full(len(index), np.nan, np.float32))
                continue
            selector = selectors[self.kind]
            where = f"task {self.slice.task!r}: labels.{label}.{self.kind}"
            file = files[selector.file] if selector.file else None
            values = self._values(index, selector, where, file, statements)
            if selector.time and not selector.since and selector.file and selector.file.by == "patient_id":
                self._shared[label] += int((~np.isnan(values[0]) & index["patient_id"].duplicated()).sum())
            if selector.among is not None:
                outside = ~condition_met(selector.among, index, where)
                values = [np.where(outside, np.nan, value) for value in values]
            columns |= {name: value.astype(np.float32) for name, value in zip(names, values, strict=True)}
        columns[EXCLUDED] = self._excluded(index, files)
        rows = self._others.rows(columns.values())
        for name in self._others.names:
            own, column = self._watched[name]
            self._others.add(name, (index if own is None else files[own])[column][rows])
        return pd.DataFrame(columns, index=index.index)

    def _excluded(self, index: pd.DataFrame, files: dict[LabelFile, pd.DataFrame]) -> np.ndarray:
        selector = self.slice.config.exclude.get(self.kind)
        if selector is None:
            return np.zeros(len(index), bool)
        where = f"task {self.slice.task!r}: exclude.{self.kind}"
        selected = select(index, selector, where, files[selector.file] if selector.file else None)
        return selected & condition_met(selector.among, index, where) if selector.among is not None else selected

    def _values(
        self,
        index: pd.DataFrame,
        selector: Selector,
        where: str,
        file: pd.DataFrame | None,
        statements: Statements,
    ) -> list[np.ndarray]:
        """A label's columns, float64, NaN where unknown."""
        table = index if file is None else file
        if selector.value is not None:
            return [self._numbers(index, table, selector, selector.value, where)]
        if selector.time is not None:
            time, event = self._follow_up(index, table, selector, selector.time, where)
            if selector.within is not None:
                return [came_within(time, event, selector.within)]
            unknown = np.isnan(time) | np.isnan(event)
            return [np.where(unknown, np.nan, time), np.where(unknown, np.nan, event)]
        selected = select(index, selector, where, file, statements).astype(np.float64)
        selected[(selected == 0) & is_unread(index, selector)] = np.nan
        if self.slice.config.missing == "ignore":
            selected[(selected == 0) & is_silent(index, selector, where, file)] = np.nan
        return [selected]

    def _follow_up(
        self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, name: str, where: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Time and event; of dates in years from each recording, to the event or else to the last news."""
        said = self._numbers if selector.since is None else self._years
        news = said(index, table, selector, name, where)
        came, event = self._came(index, table, selector, "event", news, where)
        time = np.where(np.isnan(came), news, came)
        if selector.competing is None or selector.follow_up_end is None:
            return time, event
        gone, ruled_out = self._came(index, table, selector, "competing", news, where)
        event = np.where(np.isnan(ruled_out) & (event == 0), np.nan, event)
        if (fixed := fixed_end(selector)) is None:
            end = said(index, table, selector, selector.follow_up_end, where)
        else:
            end = np.full(len(index), fixed) if selector.since is None else self._counted(index, selector, fixed)
        followed = followed_to_end(time, event, gone, end)
        self._ruled_out[where] += int(((followed[0] > 0) & (followed[0] != time)).sum())
        return followed

    def _came(
        self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, key: _Came, news: np.ndarray, where: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """When what a key says came, NaN where it did not, and whether, NaN where unknown; at `news` but of dates."""
        if selector.since is not None and selector.condition(key) is None:
            came = self._years(index, table, selector, getattr(selector, key), where)
            return came, (~np.isnan(came)).astype(np.float64)
        event = self._events(index, table, selector, key, where)
        return np.where(event == 1, news, np.nan), event

    def _years(self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, name: str, where: str) -> np.ndarray:
        return self._counted(index, selector, self._days(index, table, selector, name, where))

    def _counted(self, index: pd.DataFrame, selector: Selector, day: np.ndarray | float) -> np.ndarray:
        """Years from when each recording was made to a day."""
        made = self._made[str(selector.since)].reindex(index["record_id"]).to_numpy(np.float64)
        return np.asarray((day - made) / _YEAR)

    def _days(self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, name: str, where: str) -> np.ndarray:
        column = find_target(table.columns, name, where)
        return parsed(table[column], stated_day, DATE, self._teller(index, table, selector, column, where))

    def _numbers(
        self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, name: str, where: str
    ) -> np.ndarray:
        column = find_target(table.columns, name, where)
        return parsed(table[column], number, NUMBER, self._teller(index, table, selector, column, where))

    def _events(
        self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, key: _Came, where: str
    ) -> np.ndarray:
        condition = selector.condition(key)
        if condition is not None:
            met = condition_met(condition, table, where).astype(np.float64)
            return np.where(says_nothing(condition, table, where), np.nan, met)
        column = find_target(table.columns, getattr(selector, key), where)
        return parsed(table[column], TRUTH.__getitem__, EVENT, self._teller(index, table, selector, column, where))

    def _teller(
        self, index: pd.DataFrame, table: pd.DataFrame, selector: Selector, column: str, where: str
    ) -> Callable[[int], str]:
        """Say where the cell in a row of the piece comes from."""

        def place(row: int) -> str:
            if selector.file is None:
                return f"{where}: index/{self.source}.parquet: {index['record_id'].iloc[row]}: {column}"
            return f"{where}: {self._files[selector.file][0].place(int(table[ROW].iloc[row]))}: {column}"

        return place

    def file_rows(self, index: pd.DataFrame, selector: Selector) -> pd.DataFrame | None:
        """Columns of a selector's file for rows of the index; None where it has no file."""
        if selector.file is None:
            return None
        table, by = self._files[selector.file]
        return table.rows(index, by)

    def bare_ids(self) -> dict[LabelFile, np.ndarray]:
        """Of each file the ids without a source's name before them that records of this source have had, so far."""
        return {file: table.bare() for file, (table, _) in self._files.items()}

    def warn(self) -> None:
        """Warn, once, of what only a person can judge; to be called when all rows have been asked for."""
        for table, _ in self._files.values() if not self._warned else ():
            table.warn_unknown()
        for name, codes in self._codes.found().items() if not self._warned else ():
            code, number = next(iter(codes.items()))
            logger.warning(
                "task %r: %s has %d in %s, and nothing else near it: where that means that nothing is known,"
                " leave the cell empty", self.slice.task, name, code,
                counted(number, "recording"),
            )  # fmt: skip
        for sentence in self._others.told() if not self._warned else ():
            logger.warning("task %r: %s", self.slice.task, sentence)
        for place, number in self._ruled_out.items() if not self._warned else ():
            logger.info("%s: %s had a competing event first", place, counted(number, "recording"))
        for label, number in self._shared.items() if not self._warned else ():
            if number:
                logger.warning(
                    "task %r: label %r has one time a patient, which %s with another one of the same patient: with"
                    " dates and `since` it is counted from each recording",
                    self.slice.task, label, counted(number, "recording shares", "recordings share"),
                )  # fmt: skip
        self._warned = True
