"""What a fit learns: the columns of a label table as one array, by kind of task.

`label.{name}` of classification and regression are taken as they are. `time.{name}` and `event.{name}` of survival
become one signed time: t for an event at t, -t for a record last seen without one at t. NaN is unknown everywhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.models.outputs import Link
from ecglfm.records import require_columns


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
    prefix = "time." if kind == "survival" else "label."
    names = [column.removeprefix(prefix) for column in table.columns if column.startswith(prefix)]
    if not names:
        raise UserError(f"{labels}: there is no column `{prefix}…`")
    target = table[[f"{prefix}{name}" for name in names]].to_numpy(np.float32)
    if kind == "survival":
        require_columns(table, [f"event.{name}" for name in names], str(labels))
        event = table[[f"event.{name}" for name in names]].to_numpy(np.float32)
        wrong = ~np.isnan(target) & ((target <= 0) | ~np.isin(event, (0, 1)))
        _refuse(wrong, table, names, labels, "a time above 0 with an event of 0 or 1")
        return np.where(event == 1, target, -target), names
    if kind != "regression":
        _refuse(~np.isnan(target) & ~np.isin(target, (0, 1)), table, names, labels, "1, 0 or nothing")
    if kind == "multiclass":
        wrong = ~np.isnan(target).any(axis=1) & (target.sum(axis=1) != 1)
        _refuse(wrong[:, None], table, names, labels, "exactly one class per record")
    return target, names


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
    if kind == "survival" and not (valid > 0).any():
        raise UserError(f"{labels}: there is no event in the valid split, nothing can be chosen by it")
    for name, column in zip(names, target[rows["train"]].T, strict=True):
        lacking = lacks(column, kind)
        if lacking is not None:
            raise UserError(
                f"{labels}: label {name!r} has {lacking} in the train split ({len(column)} records); "
                "mend or remove its selector in the task's YAML"
            )


def lacks(column: np.ndarray, kind: str) -> str | None:
    """What one label's training targets lack to be learnt from, None for nothing."""
    if kind == "regression":
        return None if np.unique(column[~np.isnan(column)]).size > 1 else "no two different values"
    if kind == "survival":
        return None if (column > 0).any() else "no event"
    for value, word in ((1, "positive"), (0, "negative")):
        if not (column == value).any():
            return f"no {word} record"
    return None


def make_link(kind: str, target: np.ndarray) -> Link:
    """How logits become outputs; of regression by mean and standard deviation of the known training targets.

    Parameters
    ----------
    kind : str
    target : ndarray, shape (records, labels)
        Of the training records. A label without two different values gets the deviation 1, without any the mean 0.
    """
    if kind != "regression":
        return Link(kind)
    known = [column[~np.isnan(column)].astype(np.float64) for column in target.T]
    mean = [float(values.mean()) if values.size else 0.0 for values in known]
    return Link(kind, mean, [float(values.std()) if np.unique(values).size > 1 else 1.0 for values in known])
