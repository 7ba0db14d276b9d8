"""What a label set says of the rows of one source's index: the columns of its label table, by kind."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import LabelFile, Selector, TaskSlice
from ecglfm.config.expression import parse_condition
from ecglfm.config.sources import PatientIds
from ecglfm.config.wording import counted
from ecglfm.data.columns import resolve
from ecglfm.data.labels.cells import Cells
from ecglfm.data.labels.files import AS_WRITTEN, ROW, FileTable, file_columns
from ecglfm.data.labels.follow_up import Losses, came_within, days_made, followed_to_end
from ecglfm.data.labels.other_values import OtherValues, words_asked_for
from ecglfm.data.labels.selectors import (
    DX,
    SCP_CLASS,
    SCP_SUBCLASS,
    Statements,
    columns_used,
    condition_met,
    find_target,
    is_silent,
    is_unread,
    select,
)
from ecglfm.data.missing_codes import MissingCodes
from ecglfm.data.tables import table_pieces

logger = logging.getLogger(__name__)

#: Column of `SourceTargets.of` that marks the records which the task leaves out on purpose.
EXCLUDED = "excluded"


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
        The index, whose dates of recordings are read as a whole, in one order of day and month; needed for `since`,
        and for `competing` without `follow_up_end`.

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
        self._losses = self._estimated(index) if index is not None else {}

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
        cells = self._cells(index, selector, where, file)
        if selector.value is not None:
            return [cells.numbers(selector.value)]
        if selector.time is not None:
            time, event = self._follow_up(cells, selector.time, index["patient_id"])
            if selector.within is not None:
                return [came_within(time, event, selector.within)]
            unknown = np.isnan(time) | np.isnan(event)
            return [np.where(unknown, np.nan, time), np.where(unknown, np.nan, event)]
        selected = select(index, selector, where, file, statements).astype(np.float64)
        selected[(selected == 0) & is_unread(index, selector)] = np.nan
        if self.slice.config.missing == "ignore":
            selected[(selected == 0) & is_silent(index, selector, where, file)] = np.nan
        return [selected]

    def _cells(self, index: pd.DataFrame, selector: Selector, where: str, file: pd.DataFrame | None) -> Cells:
        """What a selector asks of some rows of the index."""
        table = index if file is None else file

        def place(row: int, column: str) -> str:
            if selector.file is None:
                return f"{where}: index/{self.source}.parquet: {index['record_id'].iloc[row]}: {column}"
            return f"{where}: {self._files[selector.file][0].place(int(table[ROW].iloc[row]))}: {column}"

        if selector.since is None:
            return Cells(table, selector, where, place)
        made = self._made[selector.since].reindex(index["record_id"]).to_numpy(np.float64)
        return Cells(table, selector, where, place, made)

    def _follow_up(self, cells: Cells, name: str, patient_ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Time and event of a label whose last news is a column's."""
        time, event, gone = cells.follow_up(name)
        if cells.selector.competing is None:
            return time, event
        if (end := cells.selector.follow_up_end) is None:
            until = self._losses[cells.where].followed_until(gone, patient_ids)
        else:
            until = cells.end(end)
        followed = followed_to_end(time, event, gone, until)
        self._ruled_out[cells.where] += int(((followed[0] > 0) & (followed[0] != time)).sum())
        return followed

    def _estimated(self, index: Path) -> dict[str, Losses]:
        """How long records are followed, by the place of each label whose `competing` has no `follow_up_end`."""
        asked = {
            f"task {self.slice.task!r}: {place}": selector
            for place, kind, selector in self.slice.config.selectors()
            if kind == self.kind and selector.competing is not None and selector.follow_up_end is None
        }
        seen: dict[str, list[np.ndarray]] = {where: [] for where in asked}
        for piece in table_pieces(index, self.columns) if asked else ():
            for where, selector in asked.items():
                cells = self._cells(piece, selector, where, self.file_rows(piece, selector))
                told = np.stack(cells.follow_up(str(selector.time)))
                within = slice(None) if selector.among is None else condition_met(selector.among, piece, where)
                seen[where].append(told[:, within])
        return {where: Losses.of(*np.concatenate(told, axis=1)) for where, told in seen.items()}

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
