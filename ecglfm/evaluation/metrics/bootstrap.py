"""Resampling patients: metrics in a thousand test sets that might have been drawn instead.

The patient is the unit: recordings of one patient are alike, so resampling recordings would give
intervals that are too narrow. A resample is a vector of record weights (how often the record's patient was
drawn), so that a thousand resamples are one matrix and a few cumulative sums.

Resample `r` comes from its own generator, seeded by (seed, r, attempt): intervals depend neither on the
block size nor on which other labels are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from ecglfm.evaluation.metrics.classification import Predictions

#: Memory of one block of weights, bytes.
_BLOCK_BYTES = 2**23
#: A label needs both classes to be redrawn at all, and then each attempt succeeds with p >= 0.5 or so.
_ATTEMPTS = 200
#: Decimals kept: beyond them the order of a sum shows, and files would differ between machines.
DIGITS = 12
NO_INTERVAL = "undefined in most resamples: no interval"


class Measurable(Protocol):
    """Predictions and truth of some records, of any kind of task: what can be measured under weights."""

    @property
    def names(self) -> list[str]:
        """Labels."""

    @property
    def patients(self) -> np.ndarray:
        """Patient of each record, shape (n,)."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`."""

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of a label under record weights (n, r): arrays of shape (r,), NaN where undefined."""

    def needed(self, label: int) -> np.ndarray:
        """Groups of records, bool (groups, n): a resample without one of any group says nothing of the label."""

    def pooled(self, weight_nr: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """Metrics of all labels together by section (`micro`, `overall`); arrays of shape (r,)."""

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Gaps of calibration whose absolute sum is a metric, by metric, shape (bins, r); of None, labels pooled."""

    def chance_gaps(self, label: int | None) -> dict[str, np.ndarray]:
        """Least standard deviation of each gap, shape (bins,), by metric: that of probabilities which are right."""

    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients behind each metric that `intervals.score_interval` is for, as it wants them."""

    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""


class PatientWeights:
    """Weights of records in resamples of their patients, drawn with replacement.

    Parameters
    ----------
    patients : ndarray, shape (n,)
        Patient of each record.
    seed : int
        Seed of the drawing.
    """

    def __init__(self, patients: np.ndarray, seed: int) -> None:
        names, self.patient_of = np.unique(patients, return_inverse=True)
        self.count = len(names)
        self.seed = seed
        self._drawn: dict[tuple[int, int], np.ndarray] = {}

    def _draw(self, resample: int, attempt: int) -> np.ndarray:
        key = (resample, attempt)
        if key not in self._drawn:
            drawn = np.random.default_rng([self.seed, resample, attempt]).integers(self.count, size=self.count)
            self._drawn[key] = np.bincount(drawn, minlength=self.count)
        return self._drawn[key]

    def __call__(self, resamples: np.ndarray, attempt: int = 0) -> np.ndarray:
        """Weights of the records, shape (n, len(resamples)), of the given resamples."""
        drawn_rp = [self._draw(int(resample), attempt) for resample in resamples]
        return np.stack(drawn_rp, axis=1).astype(np.float64)[self.patient_of]

    def blocks(self, resamples: int) -> Iterator[np.ndarray]:
        """Numbers of the resamples, cut so that a block's weights take about 8 MiB."""
        size = max(8, _BLOCK_BYTES // (8 * max(1, len(self.patient_of))))
        for start in range(0, resamples, size):
            self._drawn.clear()
            yield np.arange(start, min(start + size, resamples))

    def redrawn(self, needed: np.ndarray, weight_nr: np.ndarray, resamples: np.ndarray) -> np.ndarray:
        """Redraw the resamples in which a label lacks a class; a missing class is never scored as chance.

        Parameters
        ----------
        needed : ndarray of bool, shape (groups, n)
            Records of each group (positives, negatives) of which every resample must hold some.
        weight_nr : ndarray, shape (n, r)
            Weights of `resamples` as first drawn.
        resamples : ndarray, shape (r,)

        Returns
        -------
        ndarray, shape (n, r)
            `weight_nr` itself when nothing had to be redrawn.
        """
        if not needed.any(axis=1).all():
            return weight_nr  # one class only: AUROC is undefined whatever is drawn
        groups_cn = needed.astype(np.float64)
        lacking = np.flatnonzero(((groups_cn @ weight_nr) == 0).any(axis=0))
        if len(lacking):
            weight_nr = weight_nr.copy()
        for attempt in range(1, _ATTEMPTS):
            if not len(lacking):
                break
            weight_nr[:, lacking] = self(resamples[lacking], attempt)
            lacking = lacking[((groups_cn @ weight_nr[:, lacking]) == 0).any(axis=0)]
        return weight_nr


def _values(data: Measurable, label: int, weight_nr: np.ndarray) -> np.ndarray:
    """Metrics of one label, shape (metrics, r)."""
    values = data.values(label, weight_nr)
    return np.stack([values[name] for name in data.metrics])


def point_values(data: Measurable) -> np.ndarray:
    """Metrics on the records as they are, shape (labels, metrics); NaN undefined."""
    ones_nr = np.ones((len(data.patients), 1))
    return np.stack([_values(data, label, ones_nr)[:, 0] for label in range(len(data.names))])


def resampled_values(data: Measurable, resamples: int, seed: int) -> np.ndarray:
    """Metrics in every resample of patients, shape (labels, metrics, resamples); NaN undefined."""
    weights = PatientWeights(data.patients, seed)
    out = np.full((len(data.names), len(data.metrics), resamples), np.nan)
    needed = [data.needed(label) for label in range(len(data.names))]
    for block in weights.blocks(resamples):
        weight_nr = weights(block)
        for label in range(len(data.names)):
            out[label][:, block] = _values(data, label, weights.redrawn(needed[label], weight_nr, block))
    return out


def resampled_gaps(
    data: Measurable, labels: Sequence[int | None], resamples: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Gaps of calibration in every resample, shape (bins, resamples), by metric, of each label; see `Measurable`."""
    weights = PatientWeights(data.patients, seed)
    blocks: list[list[dict[str, np.ndarray]]] = [[] for _ in labels]
    for block in weights.blocks(resamples):
        weight_nr = weights(block)
        for label, own in zip(labels, blocks, strict=True):
            own.append(data.gaps(label, weight_nr))
    return [{metric: np.concatenate([part[metric] for part in own], axis=1) for metric in own[0]} for own in blocks]


def resampled_pooled(data: Measurable, resamples: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Metrics over all labels together in every resample of patients, by section, shape (resamples,)."""
    weights = PatientWeights(data.patients, seed)
    blocks = [data.pooled(weights(block)) for block in weights.blocks(resamples)]
    return {
        section: {metric: np.concatenate([block[section][metric] for block in blocks]) for metric in metrics}
        for section, metrics in blocks[0].items()
    }


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis, NaN left out; NaN where nothing is defined."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def interval(values: np.ndarray, confidence: float) -> tuple[float | None, float | None]:
    """Percentile interval of resampled values, shape (r,); undefined resamples are left out.

    A metric that most resamples leave undefined (a PPV at a threshold that hardly any record passes) has
    no interval.
    """
    defined = values[~np.isnan(values)]
    if 2 * len(defined) < len(values) or len(defined) == 0:
        return None, None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def paired_bootstrap(
    first: Predictions, second: Predictions, *, metric: str = "auroc", resamples: int, confidence: float, seed: int
) -> dict[str, float]:
    """Interval of the macro difference `first - second` of two models on the same records.

    Both models see the same resamples, so what makes a resample easy or hard cancels.

    Parameters
    ----------
    first, second : Predictions
        Same records in the same order, same labels and targets.
    metric : str
        Name of one of `class_metrics.LABEL_METRICS`.
    resamples, confidence, seed
        As in `summarize`.

    Returns
    -------
    dict
        `value`, `ci_low`, `ci_high` of the difference, and `first`, `second`, the two macro values.

    Raises
    ------
    ValueError
        The two do not describe the same records, or the metric is defined for no label.
    """
    same = first.names == second.names and np.array_equal(first.patients, second.patients)
    if not same or not np.array_equal(first.targets, second.targets, equal_nan=True):
        raise ValueError("paired_bootstrap: the two sets of predictions are not of the same records and labels")
    m = first.metrics.index(metric)
    points = [point_values(data)[:, m] for data in (first, second)]
    shared = ~np.isnan(points[0]) & ~np.isnan(points[1])
    if not shared.any():
        raise ValueError(f"paired_bootstrap: {metric} is defined for no label")
    resampled = [resampled_values(data, resamples, seed)[shared, m] for data in (first, second)]
    difference = mean_defined(resampled[0] - resampled[1])
    low, high = interval(difference, confidence)
    values = [float(point[shared].mean()) for point in points]
    return {
        "value": values[0] - values[1],
        "ci_low": float("nan") if low is None else low,
        "ci_high": float("nan") if high is None else high,
        "first": values[0],
        "second": values[1],
    }
