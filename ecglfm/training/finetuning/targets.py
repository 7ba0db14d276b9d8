"""What a fit learns: the columns of a label table as one array, by kind of task (`TaskKind.targets`).

NaN is unknown everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.kinds import KINDS
from ecglfm.config.reference import look_up
from ecglfm.config.wording import counted
from ecglfm.models.outputs import Link, link_of
from ecglfm.records import require_columns


class Numbers:
    """A number in one column, taken as it is; and what other kinds differ from."""

    def faults(self, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        """Yield cells that cannot be, and what was expected there.

        Parameters
        ----------
        *columns : ndarray of float32, shape (records, labels)
            Those of `TaskKind.columns`.
        """
        return iter(())

    def joined(self, *columns: np.ndarray) -> np.ndarray:
        """Targets of `columns`, shape (records, labels)."""
        (values,) = columns
        return values

    def lacks(self, column: np.ndarray) -> str | None:
        """What one label's training targets lack to be learnt from, None for nothing."""
        return None if np.unique(column[~np.isnan(column)]).size > 1 else "no two different values"

    def unchoosable(self, valid: np.ndarray) -> str | None:
        """Why nothing can be chosen by the validation targets (records, labels), some of which are known."""
        return None


class Labels(Numbers):
    """1 or 0."""

    def faults(self, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        """Yield cells with another number."""
        (target,) = columns
        yield ~np.isnan(target) & ~np.isin(target, (0, 1)), "1, 0 or nothing"

    def lacks(self, column: np.ndarray) -> str | None:
        """A label needs both."""
        for value, word in ((1, "positive"), (0, "negative")):
            if not (column == value).any():
                return f"no {word} record"
        return None


class OneClass(Labels):
    """1 for one class of a record, 0 for the others."""

    def faults(self, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        """Yield cells with another number, then records without a class or with several."""
        yield from super().faults(*columns)
        (target,) = columns
        wrong = ~np.isnan(target).any(axis=1) & (target.sum(axis=1) != 1)
        yield wrong[:, None], "exactly one class per record"


class Times(Numbers):
    """Time and event become one signed time: t for an event at t, -t for a record last seen without one at t."""

    def faults(self, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        """Yield times that are not above 0, or whose event is neither 0 nor 1."""
        time, event = columns
        yield ~np.isnan(time) & ((time <= 0) | ~np.isin(event, (0, 1))), "a time above 0 with an event of 0 or 1"

    def joined(self, *columns: np.ndarray) -> np.ndarray:
        """Signed times."""
        time, event = columns
        return np.where(event == 1, time, -time)

    def lacks(self, column: np.ndarray) -> str | None:
        """A label needs an event."""
        return None if (column > 0).any() else "no event"

    def unchoosable(self, valid: np.ndarray) -> str | None:
        """There must be an event."""
        return None if (valid > 0).any() else "there is no event in the valid split"


def targets_of(kind: str) -> Numbers:
    """How targets of a kind of task are read and checked."""
    found: Numbers = look_up(KINDS[kind].targets)()
    return found


def read_targets(table: pd.DataFrame, kind: str, labels: Path) -> tuple[np.ndarray, list[str]]:
    """Targets and names of the labels.

    Parameters
    ----------
    table : DataFrame
        Rows of `labels/{task}.parquet`.
    kind : str
        Of the task.
    labels : path
        The table's file, for messages.

    Returns
    -------
    target : ndarray of float32, shape (records, labels)
    names : list of str

    Raises
    ------
    UserError
        A column is missing, or holds what its kind does not have.
    """
    first, *others = KINDS[kind].columns
    names = [column.removeprefix(f"{first}.") for column in table.columns if column.startswith(f"{first}.")]
    if not names:
        raise UserError(f"{labels}: there is no column `{first}.…`")
    for other in others:
        require_columns(table, [f"{other}.{name}" for name in names], str(labels))
    columns = [table[[f"{column}.{name}" for name in names]].to_numpy(np.float32) for column in (first, *others)]
    rule = targets_of(kind)
    for wrong, expected in rule.faults(*columns):
        _refuse(wrong, table, names, labels, expected)
    return rule.joined(*columns), names


def _refuse(wrong: np.ndarray, table: pd.DataFrame, names: list[str], labels: Path, expected: str) -> None:
    """Raise `UserError` naming the first wrong cell."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise UserError(f"{labels}: {table['record_id'].iloc[row]}, label {names[column]!r}: expected {expected}")


def check_targets(target: np.ndarray, names: list[str], rows: dict[str, np.ndarray], kind: str, labels: Path) -> None:
    """Raise `UserError` where nothing can be learnt from train, or nothing chosen by valid."""
    valid = target[rows["valid"]]
    if np.isnan(valid).all():
        raise UserError(f"{labels}: every label is unknown in the valid split, nothing can be chosen by it")
    rule = targets_of(kind)
    if why := rule.unchoosable(valid):
        raise UserError(f"{labels}: {why}, nothing can be chosen by it")
    for name, column in zip(names, target[rows["train"]].T, strict=True):
        lacking = rule.lacks(column)
        if lacking is not None:
            raise UserError(
                f"{labels}: label {name!r} has {lacking} in the train split ({counted(len(column), 'record')}); "
                "mend or remove its selector in the task's YAML"
            )


def make_link(kind: str, target: np.ndarray) -> Link:
    """How logits become outputs; of standardised kinds by mean and deviation of the known training targets.

    Parameters
    ----------
    kind : str
    target : ndarray, shape (records, labels)
        Of the training records. A label without two different values gets the deviation 1, without any the mean 0.
    """
    if not KINDS[kind].standardized:
        return link_of(kind)
    known = [column[~np.isnan(column)].astype(np.float64) for column in target.T]
    mean = [float(values.mean()) if values.size else 0.0 for values in known]
    return link_of(kind, mean, [float(values.std()) if np.unique(values).size > 1 else 1.0 for values in known])
