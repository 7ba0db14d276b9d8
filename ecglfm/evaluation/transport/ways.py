"""Ways to use a finished model on a new cohort, each a probability and a threshold per label, on the same test records.

As it is; with the odds shifted to the prevalence that its probabilities tell, without a label; and with thresholds that
are chosen, and probabilities that are recalibrated, by some local records. None changes the order of the records. Of
classes of which a record has exactly one, probabilities go on to sum to 1; there the order may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.metrics import Metric, PatientWeights, Predictions, entry_of, nothing
from ecglfm.evaluation.transport.prevalence import (
    estimate_class_prevalences,
    estimate_prevalence,
    shifted,
    shifted_classes,
)
from ecglfm.evaluation.transport.recalibration import (
    Recalibration,
    apply_classes,
    fit_classes,
    fit_intercept,
    fit_line,
    fit_recalibration,
    log_odds,
)
from ecglfm.training.finetuning import Rule, choose_threshold

_ONE_CLASS = "fewer than one patient with and one without the label"


_ANY = (-np.inf, np.inf)
#: A prevalence up to this is none: halving has ended at 0, or at 1.
_NOBODY = 1e-9
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


class Judged(NamedTuple):
    """A model on a cohort.

    Attributes
    ----------
    local : ndarray of bool, shape (n,)
        Records of the largest local set; the others are the test.
    content : dict
        `ways` of `metrics.json`, and what else it says of this kind of model.
    figure : Figure
        Calibration before and after.
    """

    local: np.ndarray
    content: dict[str, Any]
    figure: Figure


def with_prior(
    test: Predictions,
    prior: Mapping[str, float | None],
    estimated: Mapping[str, float | None],
    *,
    exclusive: bool = False,
) -> Way:
    """The model's own thresholds on odds that are shifted to the estimated prevalences; a label without one stays.

    So does a label that everybody is told to have, or nobody: shifted, all its probabilities would be 1, or 0.

    Classes that exclude each other are shifted together, or, where one has none, stay.
    """
    columns, labels = test.probabilities.copy(), {}
    for column, name in enumerate(test.names):
        home, here = prior.get(name), estimated.get(name)
        labels[name] = {"home": home, "here": here}
        if exclusive or home is None or here is None:
            continue
        if _NOBODY < here < 1 - _NOBODY:
            columns[:, column] = shifted(columns[:, column], home=home, here=here)
    if exclusive and all(None not in label.values() for label in labels.values()):
        home_k, here_k = (np.array([labels[name][where] for name in test.names]) for where in ("home", "here"))
        columns = shifted_classes(columns, home_k=home_k, here_k=here_k)
    return Way("prior_shift", {"labels": labels}, replace(test, probabilities=columns))


def with_local(
    test: Predictions, local: Predictions, rule: Rule, *, size: int, min_patients: int, exclusive: bool = False
) -> Way:
    """Recalibrated by local records, with thresholds chosen on them; a label of which they hold one class stays.

    Classes that exclude each other are recalibrated together, or, where the local records lack one, none is.
    """
    thresholds, labels = test.thresholds.copy(), {}
    found = _recalibrations(local, min_patients, exclusive)
    columns, local_columns = (_recalibrated(one.probabilities, found, exclusive) for one in (test, local))
    for column, name in enumerate(test.names):
        target = local.targets[:, column]
        counts = [len(np.unique(local.patients[target == value])) for value in (1, 0)]
        about: dict[str, Any] = {
            "positive_patients": counts[0],
            "negative_patients": counts[1],
            **found[column]._asdict(),
        }
        if min(counts):
            chosen = choose_threshold(target, local_columns[:, column], local.patients, rule, resamples=0)
            thresholds[:, column] = chosen.value
            about["threshold_rule"] = chosen.rule
        else:
            about |= {"threshold_rule": "kept", "reason": _ONE_CLASS}
        labels[name] = about
    about = {"local": size, "n": {"records": len(local.patients), "patients": len(np.unique(local.patients))}}
    return Way(f"local_{size}", about | {"labels": labels}, replace(test, probabilities=columns, thresholds=thresholds))


def _recalibrations(local: Predictions, min_patients: int, exclusive: bool) -> list[Recalibration]:
    if exclusive:
        return fit_classes(local.targets, local.probabilities, local.patients, min_patients=min_patients)
    pairs = zip(local.targets.T, local.probabilities.T, strict=True)
    return [fit_recalibration(*pair, local.patients, min_patients=min_patients) for pair in pairs]


def _recalibrated(probability_nk: np.ndarray, found: list[Recalibration], exclusive: bool) -> np.ndarray:
    if exclusive and found[0].fitted != "nothing":
        return apply_classes(probability_nk, found)
    columns = zip(probability_nk.T, found, strict=True)
    return np.stack([said if one.fitted == "nothing" else one.apply(said) for said, one in columns], axis=1)


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
        found[name] = {
            metric.name: line_entry(metric, (target, scores), weights, config, resamples=resamples)
            for metric in (INTERCEPT, SLOPE)
        }
    return found


def line_entry(
    metric: Metric, view: tuple[Any, ...], weights: PatientWeights, config: EvaluateConfig, *, resamples: int
) -> dict[str, Any]:
    """Entry of a number of a calibration line, which `metric` takes of `view` and weights (n, r); as there."""
    value = float(metric.of((*view, np.ones((len(view[-1]), 1))))[0]) if len(view[-1]) else np.nan
    if np.isnan(value):
        return nothing(metric.undefined)
    drawn = [metric.of((*view, weights(block))) for block in weights.blocks(resamples)]
    entry = entry_of(metric, value, np.concatenate([*drawn, []]), None, config.confidence)
    return entry if resamples else entry | {"reason": "none was asked for"}


def prevalences(
    data: Predictions, prior: Mapping[str, float | None], config: EvaluateConfig, *, exclusive: bool = False
) -> dict[str, dict[str, Any]]:
    """Of each label the prevalence at home, among the test records, and as the probabilities alone tell it.

    Of classes that exclude each other the probabilities tell all together, where every prevalence at home is known.
    """
    found = {}
    weights = PatientWeights(data.patients, config.seed)
    all_known = all(0 < (prior.get(name) or 0) < 1 for name in data.names)
    if exclusive and all_known:
        home_k = np.array([prior[name] for name in data.names])
        many = [np.ones((len(data.patients), 1)), *(weights(block) for block in weights.blocks(config.bootstrap))]
        whole_kr, *rest = (
            estimate_class_prevalences(data.probabilities, home_k=home_k, weight_nr=each) for each in many
        )
        drawn_kr = np.concatenate([*rest, np.empty((len(home_k), 0))], axis=1)
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
        if exclusive and all_known:
            told = entry_of(PREVALENCE, float(whole_kr[column, 0]), drawn_kr[column], None, config.confidence)
        elif home is not None and 0 < home < 1 and not exclusive:
            value = estimate_prevalence(said, home=home, weight_nr=np.ones((len(said), 1)))
            blocks = weights.blocks(config.bootstrap)
            drawn = [estimate_prevalence(said, home=home, weight_nr=weights(block)) for block in blocks]
            told = entry_of(PREVALENCE, float(value[0]), np.concatenate(drawn), None, config.confidence)
        found[name] = {"home": home, "here": here, "told": told}
    return found
