"""The numbers of `metrics.json`: each value with its interval, and macro values with the labels that they are over.

A label of which fewer than `evaluate.min_patients` patients have it, or do not, keeps its values, but has no interval
and no part in a macro value: two patients cannot say how well a label is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecglfm.config import EvaluateConfig, SerialSlice, VerifySlice
from ecglfm.evaluation.metrics.bootstrap import (
    DIGITS,
    NO_INTERVAL,
    interval,
    mean_defined,
    point_values,
    resampled_gaps,
    resampled_pooled,
    resampled_values,
)
from ecglfm.evaluation.metrics.intervals import (
    calibration_error_interval,
    mean_interval,
    quantile,
    scaled_interval,
    score_interval,
)
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import Outcome
from ecglfm.evaluation.metrics.truth import Truth, truth_of


@dataclass(frozen=True)
class Gaps:
    """Gaps of calibration of a label: as found, shape (b,), and what resamples change about them, shape (b, r)."""

    found_b: np.ndarray
    noise_br: np.ndarray


def summarize(data: Outcome, *, resamples: int, confidence: float, seed: int, min_patients: int) -> dict[str, Any]:
    """Metrics with intervals, in the shape of `metrics.json`.

    The macro value is the mean over the labels that have the metric and patients enough. The micro value takes every
    pair of record and label as one. `ece` is that of `intervals.calibration_error_interval`.

    Parameters
    ----------
    data : Predictions, RegressionPredictions or SurvivalPredictions
    resamples : int
        Number of resamples of patients.
    confidence : float
        Coverage, e.g. 0.95.
    seed : int
        Seed of the resampling.
    min_patients : int
        Patients who have a label, and who have not, that it needs for an interval and a part in the macro.

    Returns
    -------
    dict
        `labels.{name}.{metric}.{value, ci_low, ci_high[, reason]}`, `macro.{metric}.{…, labels}` and, where the kind of
        task has them, `micro.{metric}.{…}` and `overall.{metric}.{…}`.
    """
    truth = truth_of(data, min_patients)
    point_lm, resampled_lmr = point_values(data), resampled_values(data, resamples, seed)
    *gaps, pooled_gaps = _gaps(data, resamples, seed)
    columns = [
        _Column(data, label, truth, point_lm[label], resampled_lmr[label], gaps[label])
        for label in range(len(data.names))
    ]
    macro = {metric.name: _macro(columns, metric, confidence) for metric in data.measures if metric.macro}
    if all(truth.too_few):
        for entry in macro.values():
            entry["reason"] = f"too few: no label has the {min_patients} patients that it needs"
    labels = {
        column.name: {metric.name: column.entry(metric, confidence) for metric in data.measures} for column in columns
    }
    pooled = _pooled(data, resampled_pooled(data, resamples, seed), pooled_gaps, confidence)
    return {"labels": labels, "macro": macro, **pooled}


class _Column:
    """What is known of one label's metrics: found values (m,), those of resamples (m, r), gaps and patients."""

    def __init__(
        self, data: Outcome, label: int, truth: Truth, found: np.ndarray, resampled: np.ndarray, gaps: dict[str, Gaps]
    ) -> None:
        self.name, self.too_few, self.gaps = data.names[label], truth.too_few[label], gaps
        self.found = dict(zip(data.metrics, found.tolist(), strict=True))
        self.resampled = dict(zip(data.metrics, resampled, strict=True))
        self.reasons = {metric: data.reason(metric, label) for metric, value in self.found.items() if np.isnan(value)}
        self.support = data.support(label, truth.patient_of)
        self.patients = int((truth.classes[label] >= 0).sum())

    def counts_in(self, metric: str) -> bool:
        """Whether the label has a part in the macro value."""
        return self.too_few is None and metric not in self.reasons

    def entry(self, metric: Metric, confidence: float) -> dict[str, Any]:
        """Entry of `metrics.json`."""
        name = metric.name
        if name in self.reasons:
            return nothing(self.reasons[name])
        if name in self.gaps:
            entry = _calibration([self.gaps[name]], confidence)
        else:
            entry = _entry(metric, self.found[name], self.resampled[name], self.ends(metric, confidence))
        return entry | ({} if self.too_few is None else {"ci_low": None, "ci_high": None, "reason": self.too_few})

    def ends(self, metric: Metric, confidence: float) -> tuple[float, float] | None:
        """Interval of a metric that is no calibration error."""
        name = metric.name
        return _ends(metric, self.found[name], self.resampled[name], self.support.get(name), confidence)


def _macro(columns: list[_Column], metric: Metric, confidence: float) -> dict[str, Any]:
    """Entry of the mean over the labels that count."""
    name = metric.name
    over = [column for column in columns if column.counts_in(name)]
    names = {"labels": [column.name for column in over]}
    if not over:
        return nothing("defined for no label") | names
    if all(name in column.gaps for column in over):
        return _calibration([column.gaps[name] for column in over], confidence) | names
    values = np.array([column.found[name] for column in over])
    resampled_lr = np.stack([column.resampled[name] for column in over])
    ends = [pair for column in over if (pair := column.ends(metric, confidence)) is not None]
    both = None
    if len(ends) == len(over):
        low, high = np.array(ends).T
        patients = np.array([column.support.get(name, (column.patients,))[0] for column in over])
        both = mean_interval(values, low, high, resampled_lr, patients, quantile(confidence))
    return _entry(metric, float(values.mean()), mean_defined(resampled_lr), both) | names


def _pooled(
    data: Outcome, resampled: dict[str, dict[str, np.ndarray]], gaps: dict[str, Gaps], confidence: float
) -> dict[str, Any]:
    """Sections of metrics over all labels together."""
    patients, metrics = len(np.unique(data.patients)), {metric.name: metric for metric in (*data.measures, *data.whole)}
    sections: dict[str, Any] = {}
    for section, values in data.pooled(np.ones((len(data.patients), 1))).items():
        entries = sections[section] = {}
        for name, (value,) in values.items():
            if np.isnan(value):
                entries[name] = nothing("undefined")
            elif name in gaps:
                entries[name] = _calibration([gaps[name]], confidence)
            else:
                support = (patients,) if metrics[name].stands_on else None
                entries[name] = entry_of(metrics[name], float(value), resampled[section][name], support, confidence)
    return sections


def _gaps(data: Outcome, resamples: int, seed: int) -> list[dict[str, Gaps]]:
    """Gaps of calibration of each label and, at last, of all pooled.

    Noise that the resamples miss, of bins without a positive, is made as large as it must be.
    """
    labels = [*range(len(data.names)), None]
    ones_nr = np.ones((len(data.patients), 1))
    out: list[dict[str, Gaps]] = []
    for label, resampled in zip(labels, resampled_gaps(data, labels, resamples, seed), strict=True):
        found, chance = data.gaps(label, ones_nr), data.chance_gaps(label)
        out.append({})
        for metric, resampled_br in resampled.items():
            gap_b = found[metric][:, 0]
            noise_br = np.nan_to_num(resampled_br - gap_b[:, None])  # a resample without a record adds none
            deviation_b, least_b = noise_br.std(axis=1), chance.get(metric, np.zeros(len(gap_b)))
            scale_b = np.maximum(1, least_b / np.where(deviation_b > 0, deviation_b, np.inf))
            out[-1][metric] = Gaps(gap_b, noise_br * scale_b[:, None])
    return out


def _calibration(gaps: list[Gaps], confidence: float) -> dict[str, Any]:
    bins = max(len(one.found_b) for one in gaps)
    gaps_lb, noise_lbr = (
        np.stack([np.pad(part, [(0, bins - len(part))] + [(0, 0)] * (part.ndim - 1)) for part in parts])
        for parts in ([one.found_b for one in gaps], [one.noise_br for one in gaps])
    )
    value, low, high = calibration_error_interval(gaps_lb, noise_lbr, confidence)
    return _rounded(value, (low, high))


def entry_of(
    metric: Metric, value: float, resampled: np.ndarray, patients: tuple[int, ...] | None, confidence: float
) -> dict[str, Any]:
    """Entry of a metric that has a value, and is no calibration error.

    Parameters
    ----------
    metric : Metric
    value : float
    resampled : ndarray, shape (r,)
        Values in resamples of patients; NaN undefined.
    patients : tuple of int, or None
        How many stand behind it, as `intervals.score_interval` wants them; None: its interval is percentiles.
    confidence : float
    """
    return _entry(metric, value, resampled, _ends(metric, value, resampled, patients, confidence))


def _ends(
    metric: Metric, value: float, resampled: np.ndarray, patients: tuple[int, ...] | None, confidence: float
) -> tuple[float, float] | None:
    """Interval of a metric by its kind, see `intervals`; percentiles where that has none; None where nothing has."""
    percentiles = interval(resampled, confidence)
    if percentiles[0] is None or percentiles[1] is None:
        return None
    defined, own = resampled[~np.isnan(resampled)], None
    if patients is not None and metric.scale is not None:
        own = scaled_interval(value, defined, metric.scale, patients[0], confidence)
    elif patients is not None and metric.is_share and len(defined) > 1:
        own = score_interval(value, float(defined.var(ddof=1)), patients, confidence)
    return own or (percentiles[0], percentiles[1])


def _entry(metric: Metric, value: float, resampled: np.ndarray, ends: tuple[float, float] | None) -> dict[str, Any]:
    """Value and interval; that of an average precision reaches down as far as the value is too high.

    The first positive counts itself in its precision, so that few positives make an average precision too high.
    Resamples, in which a patient meets himself, are too high again, by somewhat less than half as much (by simulation).
    """
    if ends is None:
        return {"value": round(value, DIGITS), "ci_low": None, "ci_high": None, "reason": NO_INTERVAL}
    low, high = ends
    if metric.too_high:
        low = max(0.0, low - 2 * max(0.0, float(np.nanmean(resampled)) - value))
    return _rounded(value, (low, high))


def how_resampled(config: EvaluateConfig | VerifySlice | SerialSlice) -> dict[str, Any]:
    """What files of results say under `bootstrap` of how their intervals were made."""
    return {
        "unit": "patient", "resamples": config.bootstrap, "confidence": config.confidence, "seed": config.seed,
        "min_patients": config.min_patients,
    }  # fmt: skip


def nothing(reason: str) -> dict[str, Any]:
    """Entry of a metric that has no value."""
    return {"value": None, "ci_low": None, "ci_high": None, "reason": reason}


def _rounded(value: float, ends: tuple[float, float]) -> dict[str, Any]:
    low, high = ends
    return {key: round(float(number), DIGITS) for key, number in (("value", value), ("ci_low", low), ("ci_high", high))}
