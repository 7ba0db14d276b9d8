"""Metrics of quantities, each declared once; `Quantities` is what they are computed of.

A metric is a `Metric` in `QUANTITY_METRICS`, in the order of tables. Groups of records that it may name (`needs`,
`support`) are `known`, and `varied`: the same, where their truths are not all equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecglfm.evaluation.metrics.influence import regression_influence
from ecglfm.evaluation.metrics.intervals import FISHER, LOG, SQUARES
from ecglfm.evaluation.metrics.metric import Metric


@dataclass(frozen=True)
class Quantities:
    """Truth and prediction of some records under weights; what several metrics need is computed once.

    Attributes
    ----------
    target, prediction : ndarray, shape (n,)
        At least one; no NaN.
    weight_nr : ndarray, shape (n, r)
        How often each record counts.
    """

    target: np.ndarray
    prediction: np.ndarray
    weight_nr: np.ndarray

    @cached_property
    def sums(self) -> np.ndarray:
        """Weighted sums, shape (8, r).

        Of 1, the target less its mean y, the prediction less its mean p, their squares, y p, the absolute error and
        its square.
        """
        target, prediction = self.target, self.prediction
        y, p = target - target.mean(), prediction - prediction.mean()  # sums of squares then keep their digits
        error = prediction - target
        columns = np.stack([np.ones(len(y)), y, p, y * y, p * p, y * p, np.abs(error), error**2])
        return columns @ self.weight_nr

    @property
    def count(self) -> np.ndarray:
        """How many there are, but never 0, shape (r,)."""
        return np.maximum(self.sums[0], 1e-300)

    def mean(self, row: int) -> np.ndarray:
        """One of `sums` by the number of records, shape (r,); NaN of none."""
        return np.where(self.sums[0] > 0, self.sums[row] / self.count, np.nan)

    @cached_property
    def spread(self) -> np.ndarray:
        """Variance of target and of prediction, shape (2, r); NaN where it is 0 but for rounding."""
        _, y, p, yy, pp, *_ = self.sums
        return np.stack([_variance(yy, y, self.count), _variance(pp, p, self.count)])

    @cached_property
    def influence(self) -> dict[str, tuple[float, np.ndarray]]:
        """Metrics and what each record adds to them."""
        return regression_influence(self.target, self.prediction)


def _variance(squares: np.ndarray, sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Variance from sums; NaN where it is 0 but for rounding."""
    mean_square = squares / count
    variance = mean_square - (sums / count) ** 2
    return np.where(variance > 1e-12 * mean_square, variance, np.nan)


def _r2(told: Quantities) -> np.ndarray:
    """1 - sum of squared errors / sum of squared deviations of the target from its mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - told.sums[7] / told.count / told.spread[0]


def _pearson(told: Quantities) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = told.sums[5] / told.count - told.sums[1] * told.sums[2] / told.count**2
        return np.clip(covariance / np.sqrt(told.spread[0] * told.spread[1]), -1, 1)


def _constant_r2(train: np.ndarray, test: np.ndarray) -> float:
    error, spread = test - train.mean(), test - test.mean()
    return float(1 - np.square(error).sum() / np.square(spread).sum()) if spread.any() else np.nan


QUANTITY_METRICS = (
    Metric(
        name="mae",
        title="MAE",
        of=lambda told: told.mean(6),
        range=(0.0, np.inf),
        smaller=True,
        scale=LOG,
        influence=lambda told: told.influence["mae"],
        constant=lambda train, test: float(np.abs(test - train.mean()).mean()),
    ),
    Metric(
        name="rmse",
        title="RMSE",
        of=lambda told: np.sqrt(told.mean(7)),
        range=(0.0, np.inf),
        smaller=True,
        scale=LOG,
        constant=lambda train, test: float(np.sqrt(np.square(test - train.mean()).mean())),
    ),
    # negative where the mean were a better prediction
    Metric(
        name="r2",
        title="R²",
        of=_r2,
        range=(-np.inf, 1.0),
        needs=("varied",),
        support=("known",),
        scale=SQUARES,
        influence=lambda told: told.influence["r2"],
        constant=_constant_r2,
    ),
    Metric(
        name="pearson",
        title="Pearson",
        of=_pearson,
        range=(-1.0, 1.0),
        needs=("varied",),
        undefined="all predictions are equal",
        support=("known",),
        scale=FISHER,
        influence=lambda told: told.influence["pearson"],
    ),
)


def quantity_metrics(target: np.ndarray, prediction: np.ndarray, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of one label, by name, of shape (r,); arguments as `Quantities` has them."""
    told = Quantities(target, prediction, weight_nr)
    return {metric.name: metric.of(told) for metric in QUANTITY_METRICS}
