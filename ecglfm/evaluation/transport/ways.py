"""Ways to use a finished model on a new cohort, each a probability and a threshold per label, on the same test records.

As it is; with the odds shifted to the prevalence that its probabilities tell, without a label; and with thresholds that
are chosen, and probabilities that are recalibrated, by some local records. None changes the order of the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics import PatientWeights, Predictions, entry_of, nothing
from ecglfm.evaluation.transport.prevalence import estimate_prevalence, shifted
from ecglfm.evaluation.transport.recalibration import fit_intercept, fit_line, fit_recalibration, log_odds
from ecglfm.training.finetuning import Rule, choose_threshold

_ONE_CLASS = "fewer than one patient with and one without the label"


class Way(NamedTuple):
    """A way to use the model.

    Attributes
    ----------
    name : str
        `as_is`, `prior_shift` or `local_{records}`.
    about : dict
        What `metrics.json` says of it.
    predictions : Predictions
        On the test records.
    """

    name: str
    about: dict[str, Any]
    predictions: Predictions


def with_prior(test: Predictions, prior: Mapping[str, float | None], estimated: Mapping[str, float | None]) -> Way:
    """The model's own thresholds on odds that are shifted to the estimated prevalences; a label without one stays."""
    columns, labels = test.probabilities.copy(), {}
    for column, name in enumerate(test.names):
        home, here = prior.get(name), estimated.get(name)
        labels[name] = {"home": home, "here": here}
        if home is not None and here is not None:
            columns[:, column] = shifted(columns[:, column], home=home, here=here)
    return Way("prior_shift", {"labels": labels}, replace(test, probabilities=columns))


def with_local(test: Predictions, local: Predictions, rule: Rule, *, size: int, min_patients: int) -> Way:
    """Recalibrated by local records, with thresholds chosen on them; a label of which they hold one class stays."""
    columns, thresholds, labels = test.probabilities.copy(), test.thresholds.copy(), {}
    for column, name in enumerate(test.names):
        target, said = local.targets[:, column], local.probabilities[:, column]
        counts = [len(np.unique(local.patients[target == value])) for value in (1, 0)]
        found = fit_recalibration(target, said, local.patients, min_patients=min_patients)
        columns[:, column] = found.apply(columns[:, column]) if found.fitted != "nothing" else columns[:, column]
        about: dict[str, Any] = {"positive_patients": counts[0], "negative_patients": counts[1], **found._asdict()}
        if min(counts):
            chosen = choose_threshold(target, found.apply(said), local.patients, rule, resamples=0)
            thresholds[:, column] = chosen.value
            about["threshold_rule"] = chosen.rule
        else:
            about |= {"threshold_rule": "kept", "reason": _ONE_CLASS}
        labels[name] = about
    about = {"local": size, "n": {"records": len(local.patients), "patients": len(np.unique(local.patients))}}
    return Way(f"local_{size}", about | {"labels": labels}, replace(test, probabilities=columns, thresholds=thresholds))


def rows_of(data: Predictions, rows: np.ndarray) -> Predictions:
    """Some records of predictions."""
    return replace(
        data,
        targets=data.targets[rows],
        probabilities=data.probabilities[rows],
        thresholds=data.thresholds[rows],
        patients=data.patients[rows],
    )


def calibration_lines(data: Predictions, config: EvaluateConfig, *, resamples: int) -> dict[str, dict[str, Any]]:
    """`intercept` (calibration-in-the-large) and `slope` of each label, with percentiles of resampled patients.

    Parameters
    ----------
    data : Predictions
    config : EvaluateConfig
    resamples : int
        0: values alone.
    """
    found = {}
    for column, name in enumerate(data.names):
        known = ~np.isnan(data.targets[:, column])
        target, scores = data.targets[known, column], log_odds(data.probabilities[known, column])
        value = _lines(target, scores, np.ones((known.sum(), 1)))
        drawn = [np.empty(0), np.empty(0)]
        if resamples and not np.isnan(value[0]).all():
            weights = PatientWeights(data.patients[known], config.seed)
            blocks = [_lines(target, scores, weights(block)) for block in weights.blocks(resamples)]
            drawn = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
        found[name] = {
            key: _entry(key, one[0], own, config.confidence)
            for key, one, own in zip(("intercept", "slope"), value, drawn, strict=True)
        }
    return found


def _lines(target: np.ndarray, scores: np.ndarray, weight_nr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return fit_intercept(target, scores, weight_nr), fit_line(target, scores, weight_nr)[1]


def _entry(metric: str, value: float, resampled: np.ndarray, confidence: float) -> dict[str, Any]:
    if np.isnan(value):
        return nothing("no likeliest line: one class, or two that do not overlap")
    entry = entry_of(metric, float(value), resampled, None, confidence)
    return entry if len(resampled) else {"value": entry["value"], "ci_low": None, "ci_high": None}


def prevalences(
    data: Predictions, prior: Mapping[str, float | None], config: EvaluateConfig
) -> dict[str, dict[str, Any]]:
    """Of each label the prevalence at home, among the test records, and as the probabilities alone tell it."""
    found = {}
    _, patient_of = np.unique(data.patients, return_inverse=True)
    for column, name in enumerate(data.names):
        known, home = ~np.isnan(data.targets[:, column]), prior.get(name)
        target, said = data.targets[:, column], data.probabilities[:, column]
        weights = PatientWeights(data.patients, config.seed)
        blocks = [weights(block) for block in weights.blocks(config.bootstrap)]
        here = nothing("no test record with a known label")
        if known.any():
            shares = np.concatenate([(target[known] @ w[known]) / np.maximum(w[known].sum(axis=0), 1) for w in blocks])
            patients = (len(np.unique(patient_of[known])),)
            here = entry_of("prevalence", float(target[known].mean()), shares, patients, config.confidence)
        told = nothing("the prevalence at home is not known")
        if home is not None and 0 < home < 1:
            value = float(estimate_prevalence(said, home=home, weight_nr=np.ones((len(said), 1)))[0])
            drawn = np.concatenate([estimate_prevalence(said, home=home, weight_nr=w) for w in blocks])
            told = _entry("prevalence", value, drawn, config.confidence)
        found[name] = {"home": home, "here": here, "told": told}
    return found
