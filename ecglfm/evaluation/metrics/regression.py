"""Predictions of a quantity: how far off they are, and how well they follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of
from ecglfm.evaluation.metrics.quantity_metrics import QUANTITY_METRICS, Quantities


@dataclass(frozen=True)
class RegressionPredictions(Outcome):
    """What a model said of some records, and what is true.

    Attributes
    ----------
    names : list of str
        Labels.
    targets : ndarray, shape (n, l)
        In the label's own unit; NaN where not known.
    predictions : ndarray, shape (n, l)
        In the same unit.
    patients : ndarray of str, shape (n,)
    """

    declared: ClassVar[tuple[Metric, ...]] = QUANTITY_METRICS
    lacks: ClassVar[dict[str, str]] = Outcome.lacks | {"varied": "all known values of the test records are equal"}

    names: list[str]
    targets: np.ndarray
    predictions: np.ndarray
    patients: np.ndarray

    @classmethod
    def read(
        cls, table: pd.DataFrame, kind: TaskKind, names: list[str], config: EvaluateConfig
    ) -> tuple[Self, dict[str, Any]]:
        """The test split; nothing is fitted."""
        test = table[table["split"] == "test"]
        truth = [columns_of(test, what, names) for what in kind.truth]
        return cls.told(names, truth, columns_of(test, kind.output, names), test["patient_id"].to_numpy(dtype=str)), {}

    @classmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        """All that there is."""
        (target,) = truth
        return cls(names, target, output, patients)

    def view(self, label: int, weight_nr: np.ndarray) -> Quantities | None:
        """Records whose truth is known."""
        known = self.known(label)
        if not known.any():
            return None
        return Quantities(self.targets[known, label], self.predictions[known, label], weight_nr[known])

    def known(self, label: int) -> np.ndarray:
        """Records whose truth is known, bool (n,)."""
        return ~np.isnan(self.targets[:, label])

    def groups(self, label: int) -> dict[str, np.ndarray]:
        """Known records, and none of them where their truth does not vary."""
        known = self.known(label)
        return {"known": known, "varied": known & (known.any() and bool(np.ptp(self.targets[known, label]) > 0))}

    def describe(self) -> dict[str, Any]:
        """What the metrics stand on: known values by label."""
        known = (~np.isnan(self.targets)).sum(axis=0)
        return {"n": {"known": {name: int(count) for name, count in zip(self.names, known, strict=True)}}}
