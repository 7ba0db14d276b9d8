"""From `predictions.parquet` to what is measured: what the outcome of every kind of task offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.config.reference import look_up
from ecglfm.evaluation.metrics.metric import Metric


class Outcome(ABC):
    """What a model said of some records, and what is true; a kind of task names its own class (`TaskKind.outcome`).

    Shapes: n records, r weightings of them, p patients.

    Attributes
    ----------
    names : list of str
        Labels.
    patients : ndarray of str, shape (n,)
    """

    #: Every metric of a label that an outcome of this kind may have, in the order of tables.
    declared: ClassVar[tuple[Metric, ...]]
    #: Those of all labels together that are no metrics of a label (section `overall`).
    whole: ClassVar[tuple[Metric, ...]] = ()
    #: Why a metric has no value, by the group of records that it needs and of which there is none.
    lacks: ClassVar[dict[str, str]] = {"known": "no test record with a known label"}

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

    @property
    def measures(self) -> tuple[Metric, ...]:
        """Metrics of a label of these very data."""
        return self.declared

    @property
    def metrics(self) -> tuple[str, ...]:
        """Their names, keys of `values`."""
        return tuple(metric.name for metric in self.measures)

    @abstractmethod
    def view(self, label: int, weight_nr: np.ndarray) -> Any:
        """What `Metric.of` takes: a label's known records under weights (n, r); None where there are none."""

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r), each of shape (r,); NaN undefined."""
        view, undefined = self.view(label, weight_nr), np.full(weight_nr.shape[1], np.nan)
        return {metric.name: undefined if view is None else metric.of(view) for metric in self.measures}

    @abstractmethod
    def known(self, label: int) -> np.ndarray:
        """Records whose truth is known, bool (n,)."""

    def groups(self, label: int) -> dict[str, np.ndarray]:
        """Records that metrics stand on, bool (n,), by the names of `Metric.needs` and `Metric.support`."""
        return {"known": self.known(label)}

    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """Compared metrics of one label, and what each known record adds to their error (`influence`)."""
        view, nothing = self.view(label, np.ones((len(self.patients), 1))), (np.nan, np.zeros(0))
        compared = {metric.name: metric.influence for metric in self.measures if metric.influence is not None}
        return {name: nothing if view is None else influence(view) for name, influence in compared.items()}

    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients behind each metric, as `intervals.score_interval` wants them; percentiles for one without."""
        groups = self.groups(label)
        wanted = {name for metric in self.measures for name in metric.stands_on}
        count = {name: len(np.unique(patient_of[groups[name]])) for name in wanted}
        return {
            metric.name: tuple(sorted(count[name] for name in metric.stands_on))
            for metric in self.measures
            if metric.stands_on
        }

    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""
        (one,) = (each for each in self.measures if each.name == metric)
        groups = self.groups(label)
        return next((self.lacks[name] for name in ("known", *one.needs) if not groups[name].any()), one.undefined)

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

    def binned(self, label: int | None, weight_nr: np.ndarray) -> Any:
        """What `Metric.gaps` takes: records of a label, or of None of all labels together; None where none."""
        return None if label is None else self.view(label, weight_nr)

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Gaps of bins of each calibration error, shape (bins, r); of None, labels pooled."""
        view = self.binned(label, weight_nr) if any(metric.gaps for metric in self.measures) else None
        return {metric.name: metric.gaps(view) for metric in self.measures if view is not None and metric.gaps}

    def chance_gaps(self, label: int | None) -> dict[str, np.ndarray]:
        """What each gap varies by at least, shape (bins,)."""
        if not any(metric.chance_gaps for metric in self.measures):
            return {}
        view = self.binned(label, np.ones((len(self.patients), 1)))
        return {
            metric.name: metric.chance_gaps(view) for metric in self.measures if view is not None and metric.chance_gaps
        }


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
