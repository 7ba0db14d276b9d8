"""Predictions of classes: binary, multilabel and multiclass tasks.

Per label every class is judged alone, one against the rest; `pooled` judges them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.challenge import Challenge, read_challenge
from ecglfm.evaluation.metrics.class_metrics import (
    LABEL_METRICS,
    UNCALIBRATED_METRICS,
    WHOLE_METRICS,
    Records,
    values_of,
)
from ecglfm.evaluation.metrics.label import Cases
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of


@dataclass(frozen=True)
class Predictions(Outcome):
    """What a model said of some records, and what is true.

    Attributes
    ----------
    names : list of str
        Labels.
    targets : ndarray, shape (n, l)
        1, 0, NaN where the label is not known.
    probabilities : ndarray, shape (n, l)
    thresholds : ndarray, shape (n, l)
        Decision thresholds of the model that predicted the record, chosen on its validation split.
    patients : ndarray of str, shape (n,)
    exclusive : bool
        Multiclass: exactly one label of a record is true.
    uncalibrated : ndarray, shape (n, l), optional
        The probabilities before the calibration that came with the model, where it has one.
    challenge : Challenge, optional
        Weights of the PhysioNet/CinC Challenge 2021 for these labels.
    """

    declared: ClassVar[tuple[Metric, ...]] = (*LABEL_METRICS, *UNCALIBRATED_METRICS)
    whole: ClassVar[tuple[Metric, ...]] = WHOLE_METRICS
    lacks: ClassVar[dict[str, str]] = {
        "known": "no test record with a known label",
        "positive": "no positive test record",
        "negative": "no negative test record",
        "called": "no record is called positive at the threshold",
        "not called": "no record is called negative at the threshold",
    }

    names: list[str]
    targets: np.ndarray
    probabilities: np.ndarray
    thresholds: np.ndarray
    patients: np.ndarray
    exclusive: bool = False
    uncalibrated: np.ndarray | None = None
    challenge: Challenge | None = None

    @classmethod
    def read(
        cls, table: pd.DataFrame, kind: TaskKind, names: list[str], config: EvaluateConfig
    ) -> tuple[Self, dict[str, Any]]:
        """The test split; nothing is fitted: temperatures and thresholds come with the model."""
        test, weights = table[table["split"] == "test"], config.challenge_weights
        has_raw = f"uncalibrated.{names[0]}" in table
        outcome = cls(
            names,
            columns_of(test, "target", names),
            columns_of(test, "probability", names),
            columns_of(test, "threshold", names),
            test["patient_id"].to_numpy(dtype=str),
            exclusive=kind.exclusive,
            uncalibrated=columns_of(test, "uncalibrated", names) if has_raw else None,
            challenge=None if weights is None else read_challenge(Path(weights), names),
        )
        return outcome, {}

    @classmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        """With thresholds of one half."""
        (target,) = truth
        return cls(names, target, output, np.full(target.shape, 0.5), patients)

    @property
    def measures(self) -> tuple[Metric, ...]:
        """Those before a calibration only where there is one."""
        return LABEL_METRICS if self.uncalibrated is None else self.declared

    def view(self, label: int, weight_nr: np.ndarray) -> Cases | None:
        """Records of which the label is known."""
        target, probability = self.targets[:, label], self.probabilities[:, label]
        before = None if self.uncalibrated is None else self.uncalibrated[:, label]
        threshold, known = self.thresholds[:, label], ~np.isnan(target)
        if not known.any():
            return None
        if not known.all():  # copying the weights costs as much as the metrics
            target, probability, weight_nr = target[known], probability[known], weight_nr[known]
            threshold = threshold[known]
            before = None if before is None else before[known]
        uncalibrated = None if before is None else Cases(target, before, threshold, weight_nr)
        return Cases(target, probability, threshold, weight_nr, uncalibrated=uncalibrated)

    def needed(self, label: int) -> np.ndarray:
        """Positives and negatives of a label, bool (2, n)."""
        return np.stack([self.targets[:, label] == 1, self.targets[:, label] == 0])

    def known(self, label: int) -> np.ndarray:
        """Records whose truth is known, bool (n,)."""
        return ~np.isnan(self.targets[:, label])

    def classes(self, label: int) -> dict[str, np.ndarray]:
        """Negative and positive records."""
        target = self.targets[:, label]
        return {"negative patients": target == 0, "positive patients": target > 0}

    def groups(self, label: int) -> dict[str, np.ndarray]:
        """Known records, those of the classes, and those that are called or not."""
        target, known = self.targets[:, label], self.known(label)
        called = self.probabilities[:, label] >= self.thresholds[:, label]
        return {
            "known": known,
            "positive": target == 1,
            "negative": target == 0,
            "called": known & called,
            "not called": known & ~called,
        }

    def pooled(self, weight_nr: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """`micro`: every pair of record and known label is a case of its own; `overall`: of whole records."""
        cases = self._pooled(~np.isnan(self.targets), weight_nr)
        sections = {"micro": values_of([metric for metric in self.measures if metric.micro], cases)}
        called = self.probabilities >= self.thresholds
        records = Records(self.targets, self.probabilities, called, weight_nr, self.exclusive, self.challenge)
        overall = {metric.name: metric.of(records) for metric in records.metrics}
        return sections | ({"overall": overall} if overall else {})

    def binned(self, label: int | None, weight_nr: np.ndarray) -> Cases | None:
        """Records of which the label is known, or any of all labels, in the bins of calibration errors."""
        known = ~np.isnan(self.targets)
        if label is not None:
            known = known & (np.arange(known.shape[1]) == label)
        return self._pooled(known, weight_nr) if known.any() else None

    def describe(self) -> dict[str, Any]:
        """What the metrics stand on: counts by label and thresholds."""
        return {
            "n": {
                "positives": {name: int(np.nansum(self.targets[:, i])) for i, name in enumerate(self.names)},
                "known": {name: int((~np.isnan(self.targets[:, i])).sum()) for i, name in enumerate(self.names)},
            },
            "thresholds": {name: float(self.thresholds[0, i]) for i, name in enumerate(self.names)},
        }

    def _pooled(self, known: np.ndarray, weight_nr: np.ndarray) -> Cases:
        """Pairs of record and label that are `known`, bool (n, l), as cases."""

        def cases(probabilities: np.ndarray, uncalibrated: Cases | None = None) -> Cases:
            columns = (self.targets, probabilities, self.thresholds)
            return Cases.pooled(*columns, weight_nr, known_nl=known, uncalibrated=uncalibrated)

        return cases(self.probabilities, None if self.uncalibrated is None else cases(self.uncalibrated))
