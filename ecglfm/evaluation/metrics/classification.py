"""Predictions of classes: binary, multilabel and multiclass tasks.

Per label every class is judged alone, one against the rest; `pooled` judges them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.baselines import constant_probability
from ecglfm.evaluation.metrics.challenge import Challenge, read_challenge
from ecglfm.evaluation.metrics.influence import auroc_influence
from ecglfm.evaluation.metrics.label import (
    CLASS_METRICS,
    accuracy_metrics,
    chance_gaps,
    count_columns,
    from_counts,
    gaps_from_counts,
    label_metrics,
    ranking_metrics,
    threshold_metrics,
    undefined_reason,
)
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of

#: Metrics that are told of the probabilities before the calibration, and after it.
CALIBRATED = ("brier", "ece")


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

    @staticmethod
    def constant(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
        """Metrics of saying the training prevalence."""
        return constant_probability(train, test)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`: `CLASS_METRICS`, and the calibrated ones where there is a calibration."""
        return (
            CLASS_METRICS
            if self.uncalibrated is None
            else (*CLASS_METRICS, *(f"{name}_calibrated" for name in CALIBRATED))
        )

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r)."""
        target, probability = self.targets[:, label], self.probabilities[:, label]
        before = None if self.uncalibrated is None else self.uncalibrated[:, label]
        threshold = self.thresholds[:, label]
        known = ~np.isnan(target)
        if not known.all():  # copying the weights costs as much as the metrics
            target, probability, weight_nr = target[known], probability[known], weight_nr[known]
            threshold = threshold[known]
            before = None if before is None else before[known]
        values = label_metrics(target, probability, threshold, weight_nr)
        if before is not None:
            raw = threshold_metrics(target, before, threshold, weight_nr)
            values |= {f"{name}_calibrated": values[name] for name in CALIBRATED}
            values |= {name: raw[name] for name in CALIBRATED}
        return values

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

    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """AUROC with what each known record adds."""
        known = self.known(label)
        return {"auroc": auroc_influence(self.targets[known, label], self.probabilities[known, label])}

    def pooled(self, weight_nr: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """`micro`: every pair of record and known label is a case of its own; `overall`: of whole records."""
        sections = {"micro": self._micro(weight_nr)}
        overall: dict[str, np.ndarray] = {}
        if self.exclusive:
            overall |= accuracy_metrics(self.targets, self.probabilities, weight_nr)
        if self.challenge is not None:
            called = self.probabilities >= self.thresholds
            overall["challenge_metric"] = self.challenge.metric(self.targets, called, weight_nr)
        return sections | ({"overall": overall} if overall else {})

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Gaps of the bins of `ece` and `ece_calibrated`, shape (ECE_BINS, r); of None, labels pooled."""
        known = self._known(label)
        return {
            metric: gaps_from_counts(self._counts(probabilities, known) @ weight_nr)
            for metric, probabilities in self._judged().items()
            if known.any()
        }

    def chance_gaps(self, label: int | None) -> dict[str, np.ndarray]:
        """What each gap varies by at least."""
        known = self._known(label)
        return {metric: chance_gaps(probabilities[known]) for metric, probabilities in self._judged().items()}

    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients of the classes, and those that are called or not."""
        target, called = self.targets[:, label], self.probabilities[:, label] >= self.thresholds[:, label]
        known = ~np.isnan(target)
        positive, negative, yes, no, every = (
            len(np.unique(patient_of[rows]))
            for rows in (target == 1, target == 0, known & called, known & ~called, known)
        )
        return {
            "auroc": (min(positive, negative), max(positive, negative)),
            "auprc": (positive,), "f1": (positive,), "sensitivity": (positive,), "specificity": (negative,),
            "ppv": (yes,), "npv": (no,), "brier": (every,), "brier_calibrated": (every,),
        }  # fmt: skip

    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""
        target = self.targets[:, label]
        return undefined_reason(metric.removesuffix("_calibrated"), target[~np.isnan(target)])

    def describe(self) -> dict[str, Any]:
        """What the metrics stand on: counts by label and thresholds."""
        return {
            "n": {
                "positives": {name: int(np.nansum(self.targets[:, i])) for i, name in enumerate(self.names)},
                "known": {name: int((~np.isnan(self.targets[:, i])).sum()) for i, name in enumerate(self.names)},
            },
            "thresholds": {name: float(self.thresholds[0, i]) for i, name in enumerate(self.names)},
        }

    def _micro(self, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        known = ~np.isnan(self.targets)
        record = np.nonzero(known)[0]
        ranking = ranking_metrics(self.targets[known], self.probabilities[known], weight_nr, record)
        values = ranking | from_counts(self._counts(self.probabilities, known) @ weight_nr)
        if self.uncalibrated is not None:
            raw = from_counts(self._counts(self.uncalibrated, known) @ weight_nr)
            values |= {f"{name}_calibrated": values[name] for name in CALIBRATED}
            values |= {name: raw[name] for name in CALIBRATED}
        return {name: values[name] for name in self.metrics}

    def _known(self, label: int | None) -> np.ndarray:
        """Known truth of a label or of all, bool (n, l)."""
        known = ~np.isnan(self.targets)
        if label is not None:
            known = known & (np.arange(known.shape[1]) == label)
        return known

    def _judged(self) -> dict[str, np.ndarray]:
        """Probabilities before and after calibration by the metric of their gaps."""
        if self.uncalibrated is None:
            return {"ece": self.probabilities}
        return {"ece": self.uncalibrated, "ece_calibrated": self.probabilities}

    def _counts(self, probabilities: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Sum of `count_columns` over the known labels of each record."""
        total = np.zeros((len(count_columns(*np.zeros((3, 0)))), len(self.targets)))
        for label in np.flatnonzero(known.any(axis=0)):
            rows = known[:, label]
            columns = (of_label[rows, label] for of_label in (self.targets, probabilities, self.thresholds))
            total[:, rows] += count_columns(*columns)
        return total
