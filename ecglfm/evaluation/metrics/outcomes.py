"""From `predictions.parquet` to what is measured: what the outcome of every kind of task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.config.reference import look_up


class Outcome(ABC):
    """What a model said of some records, and what is true; a kind of task names its own class (`TaskKind.outcome`).

    Shapes: n records, r weightings of them, p patients.

    Attributes
    ----------
    names : list of str
        Labels.
    patients : ndarray of str, shape (n,)
    """

    #: Metrics of any answer that is the same for every record, whatever the data.
    by_definition: ClassVar[Mapping[str, float]] = {}

    names: list[str]
    patients: np.ndarray

    @classmethod
    @abstractmethod
    def read(
        cls, table: pd.DataFrame, kind: TaskKind, names: list[str], config: EvaluateConfig
    ) -> tuple[Self, dict[str, Any]]:
        """The test split of a table of predictions, and what was fitted on its validation split, for `metrics.json`."""

    @classmethod
    @abstractmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        """Of truth and output alone, which is enough to compare encoders.

        Parameters
        ----------
        names : list of str
        truth : sequence of ndarray, shape (n, labels)
            Those of `TaskKind.truth`.
        output : ndarray, shape (n, labels)
        patients : ndarray of str, shape (n,)
        """

    @staticmethod
    def constant(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
        """Metrics of one label of the answer that never looks at a recording; shapes (records,), NaN unknown."""
        return {}

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""

    @abstractmethod
    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r), each of shape (r,); NaN undefined."""

    @abstractmethod
    def known(self, label: int) -> np.ndarray:
        """Records whose truth is known, bool (n,)."""

    @abstractmethod
    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """Compared metrics of one label, and what each known record adds to their error (`influence`)."""

    @abstractmethod
    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients behind each metric, as `intervals.score_interval` wants them; percentiles for one without."""

    @abstractmethod
    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the metrics stand on, for `metrics.json`: `n` with `known` by label at least."""

    def needed(self, label: int) -> np.ndarray:
        """Groups of records of which every resample must hold some, bool (groups, n)."""
        return np.zeros((0, len(self.patients)), dtype=bool)

    def classes(self, label: int) -> dict[str, np.ndarray]:
        """Records of each class of which some patients are needed, by `{…} patients`; the rarer kind last."""
        return {}

    def pooled(self, weight_nr: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """Metrics over all labels together, by section of `metrics.json`."""
        return {}

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Gaps of bins of each calibration error, shape (bins, r); of None, labels pooled."""
        return {}

    def chance_gaps(self, label: int | None) -> dict[str, np.ndarray]:
        """What each gap varies by at least, shape (bins,)."""
        return {}


def outcome_class(kind: str) -> type[Outcome]:
    """Class of the outcomes of a kind of task."""
    found: type[Outcome] = look_up(KINDS[kind].outcome)
    return found


def read_outcome(
    table: pd.DataFrame, kind: str, names: list[str], config: EvaluateConfig
) -> tuple[Outcome, dict[str, Any]]:
    """The test split of a table of predictions, ready to be measured.

    A survival model's baseline hazard and the times at which it is judged come from the rows of the validation split
    alone; temperatures and thresholds came with the model, and stand in the table.

    Parameters
    ----------
    table : DataFrame
        `predictions.parquet`; with a column `fold` where each fold has a model, and validation rows, of its own.
    kind : str
        Kind of the task.
    names : list of str
        Labels.
    config : EvaluateConfig

    Returns
    -------
    Outcome
    dict
        What was fitted on the validation split, for `metrics.json`.
    """
    return outcome_class(kind).read(table, KINDS[kind], names, config)


def models_of(table: pd.DataFrame) -> list[tuple[np.ndarray, pd.DataFrame]]:
    """Models that a table of predictions is of, in the order of their folds; one where it has no folds.

    Returns
    -------
    list of (ndarray of bool, DataFrame)
        Which of the test records a model predicted, and its rows of the validation split.
    """
    test, valid = (table[table["split"] == split] for split in ("test", "valid"))
    if "fold" not in table:
        return [(np.ones(len(test), dtype=bool), valid)]
    folds = np.unique(table["fold"].to_numpy(dtype=np.int64))
    return [((test["fold"] == fold).to_numpy(dtype=bool), valid[valid["fold"] == fold]) for fold in folds]


def columns_of(table: pd.DataFrame, what: str, names: list[str]) -> np.ndarray:
    """Columns `{what}.{name}` of a table as float64, shape (rows, columns)."""
    return table[[f"{what}.{name}" for name in names]].to_numpy(dtype=np.float64)
