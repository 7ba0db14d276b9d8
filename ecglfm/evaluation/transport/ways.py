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
from ecglfm.evaluation.metrics import Metric, PatientWeights, Predictions, entry_of, nothing
from ecglfm.evaluation.transport.prevalence import estimate_prevalence, shifted
from ecglfm.evaluation.transport.recalibration import fit_intercept, fit_line, fit_recalibration, log_odds
from ecglfm.training.finetuning import Rule, choose_threshold

_ONE_CLASS = "fewer than one patient with and one without the label"


_ANY = (-np.inf, np.inf)
_NO_LINE = "no likeliest line: one class, or two that do not overlap"
#: Of target, log odds and weights (n, r).
INTERCEPT = Metric(
    name="intercept", title="In the large", of=lambda of: fit_intercept(*of), range=_ANY, undefined=_NO_LINE
)
SLOPE = Metric(name="slope", title="Slope", of=lambda of: fit_line(*of)[1], range=_ANY, undefined=_NO_LINE)
#: Of target and weights (n, r).
PREVALENCE = Metric(
    name="prevalence", title="Prevalence", of=lambda of: of[0] @ of[1] / np.maximum(of[1].sum(axis=0), 1)
)


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
    found: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(data.names):
        known = ~np.isnan(data.targets[:, column])
        target, scores = data.targets[known, column], log_odds(data.probabilities[known, column])
        weights = PatientWeights(data.patients[known], config.seed)
        found[name] = {}
        for metric in (INTERCEPT, SLOPE):
            value = float(metric.of((target, scores, np.ones((len(target), 1))))[0])
            if np.isnan(value):
                found[name][metric.name] = nothing(metric.undefined)
                continue
            blocks = weights.blocks(resamples)
            drawn = [metric.of((target, scores, weights(block))) for block in blocks]
            entry = entry_of(metric, value, np.concatenate([*drawn, []]), None, config.confidence)
            found[name][metric.name] = entry if resamples else entry | {"reason": "none was asked for"}
    return found


def prevalences(
    data: Predictions, prior: Mapping[str, float | None], config: EvaluateConfig
) -> dict[str, dict[str, Any]]:
    """Of each label the prevalence at home, among the test records, and as the probabilities alone tell it."""
    found = {}
    weights = PatientWeights(data.patients, config.seed)
    for column, name in enumerate(data.names):
        target, said, home = data.targets[:, column], data.probabilities[:, column], prior.get(name)
        known = ~np.isnan(target)
        here = nothing("no test record with a known label")
        if known.any():
            drawn = [
                PREVALENCE.of((target[known], weights(block)[known])) for block in weights.blocks(config.bootstrap)
            ]
            patients = (len(np.unique(data.patients[known])),)
            share = float(target[known].mean())
            here = entry_of(PREVALENCE, share, np.concatenate(drawn), patients, config.confidence)
        told = nothing("the prevalence at home is not known")
        if home is not None and 0 < home < 1:
            value = estimate_prevalence(said, home=home, weight_nr=np.ones((len(said), 1)))
            blocks = weights.blocks(config.bootstrap)
            drawn = [estimate_prevalence(said, home=home, weight_nr=weights(block)) for block in blocks]
            told = entry_of(PREVALENCE, float(value[0]), np.concatenate(drawn), None, config.confidence)
        found[name] = {"home": home, "here": here, "told": told}
    return found
