"""Predictions of a quantity: how far off they are, and how well they follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.baselines import constant_quantity
from ecglfm.evaluation.metrics.influence import regression_influence
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of

QUANTITY_METRICS = ("mae", "rmse", "r2", "pearson")


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

    @staticmethod
    def constant(train: np.ndarray, test: np.ndarray) -> dict[str, float]:
        """Metrics of saying the mean of train."""
        return constant_quantity(train, test)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""
        return QUANTITY_METRICS

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r)."""
        known = self.known(label)
        return regression_metrics(self.targets[known, label], self.predictions[known, label], weight_nr[known])

    def known(self, label: int) -> np.ndarray:
        """Records whose truth is known, bool (n,)."""
        return ~np.isnan(self.targets[:, label])

    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """MAE, R2 and correlation with what each known record adds."""
        known = self.known(label)
        return regression_influence(self.targets[known, label], self.predictions[known, label])

    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients whose value is known."""
        return dict.fromkeys(self.metrics, (len(np.unique(patient_of[self.known(label)])),))

    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""
        known = self.known(label)
        if not known.any():
            return "no test record with a known label"
        if np.ptp(self.targets[known, label]) == 0:
            return "all known values of the test records are equal"
        return "all predictions are equal" if metric == "pearson" else "undefined"

    def describe(self) -> dict[str, Any]:
        """What the metrics stand on: known values by label."""
        known = (~np.isnan(self.targets)).sum(axis=0)
        return {"n": {"known": {name: int(count) for name, count in zip(self.names, known, strict=True)}}}


def regression_metrics(target: np.ndarray, prediction: np.ndarray, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
    """Errors of a prediction and its correlation with the truth.

    Parameters
    ----------
    target, prediction : ndarray, shape (n,)
        No NaN.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.

    Returns
    -------
    dict of ndarray, shape (r,)
        `mae` mean absolute error, `rmse` root of the mean squared error, `r2` = 1 - sum of squared errors / sum of
        squared deviations of the target from its mean (negative where the mean were a better prediction), `pearson`
        correlation; NaN where nothing is known, or where target (`r2`, `pearson`) or prediction do not vary.
    """
    if len(target) == 0:
        return dict.fromkeys(QUANTITY_METRICS, np.full(weight_nr.shape[1], np.nan))
    y, p = target - target.mean(), prediction - prediction.mean()  # sums of squares then keep their digits
    error = prediction - target
    columns = np.stack([np.ones(len(y)), y, p, y * y, p * p, y * p, np.abs(error), error**2])
    total, sum_y, sum_p, sum_yy, sum_pp, sum_yp, sum_abs, sum_sq = columns @ weight_nr
    count = np.maximum(total, 1e-300)
    var_y, var_p = _variance(sum_yy, sum_y, count), _variance(sum_pp, sum_p, count)
    covariance = sum_yp / count - sum_y * sum_p / count**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "mae": np.where(total > 0, sum_abs / count, np.nan),
            "rmse": np.where(total > 0, np.sqrt(sum_sq / count), np.nan),
            "r2": 1 - sum_sq / count / var_y,
            "pearson": np.clip(covariance / np.sqrt(var_y * var_p), -1, 1),
        }


def _variance(squares: np.ndarray, sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Variance from sums; NaN where it is 0 but for rounding."""
    mean_square = squares / count
    variance = mean_square - (sums / count) ** 2
    return np.where(variance > 1e-12 * mean_square, variance, np.nan)
