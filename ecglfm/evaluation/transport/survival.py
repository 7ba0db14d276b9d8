"""A survival model on a new cohort: as it is, and with its hazard made to fit by some local records.

On the scale of the log hazard a model is recalibrated by an intercept and a slope (Crowson et al. 2016, Stat Methods
Med Res 25:1692, doi:10.1177/0962280213497434). The intercept is the logarithm of the events that were seen over those
that the model expected of all the time in which somebody was looked for: 0 where as many come as it says. The slope is
the coefficient of a Cox regression on its log hazard ratio: 1 where risks are neither too far apart (below 1) nor too
close. Time beyond what the model's validation patients were followed for is not looked at.

Shapes: n records, r weightings of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig, TransportSlice
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.metrics import (
    Metric,
    PatientWeights,
    Reference,
    RiskSets,
    SurvivalPredictions,
    hazard_ratio,
    nothing,
)
from ecglfm.evaluation.plots import risk_group_figure
from ecglfm.evaluation.transport.cohort import draw_local
from ecglfm.evaluation.transport.recalibration import Recalibration
from ecglfm.evaluation.transport.ways import Judged, line_entry
from ecglfm.models.baseline_hazard import BaselineHazard, hazard_at

_ANY = (-np.inf, np.inf)
_NO_EVENT = "no event among the test records"
#: Of events, expected events and weights (n, r).
INTERCEPT = Metric(
    name="intercept", title="In the large", of=lambda of: log_ratio(*of), range=_ANY, undefined=_NO_EVENT
)
#: Of risk sets, risks and weights (n, r).
SLOPE = Metric(
    name="slope",
    title="Slope",
    of=lambda of: np.log(hazard_ratio(*of)),
    range=_ANY,
    undefined="no event, one risk for all, or risks in the order of the events",
)
_NO_HAZARD = (
    "the model keeps no baseline hazard (fit it again), or nobody here was followed until any of its times"
    " (`evaluate.survival_times` says others)"
)


@dataclass(frozen=True)
class Followed(SurvivalPredictions):
    """Of a cohort: what a risk means the model says, not a validation split."""

    lacks: ClassVar[dict[str, str]] = SurvivalPredictions.lacks | {"reference": _NO_HAZARD}


def judge_survival(
    table: pd.DataFrame,
    names: list[str],
    baselines: Sequence[BaselineHazard | None],
    slice: TransportSlice,  # noqa: A002
) -> Judged:
    """Measure a survival model as it is, and recalibrated by local records.

    Parameters
    ----------
    table : DataFrame
        `predict_records` of the cohort.
    names : list of str
        Labels that are known of some.
    baselines : sequence of BaselineHazard or None
        Of these labels.
    slice : TransportSlice
    """
    kind, evaluation = KINDS["survival"], slice.evaluate
    truth = [table[[kind.label_columns(name)[k] for name in names]].to_numpy(np.float64) for k in (0, 1)]
    risks = table[[kind.output_column(name) for name in names]].to_numpy(np.float64)
    slopes = np.array([1.0 if baseline is None else baseline.slope for baseline in baselines])
    baselines = [None if baseline is None else with_slope(baseline) for baseline in baselines]
    everybody = Followed.told(names, truth, risks * slopes, table["patient_id"].to_numpy(dtype=str))
    sets = draw_local(everybody.patients, slice.transport.local, slice.transport.seed)
    local = sets[max(sets)] if sets else np.zeros(len(table), bool)
    bare = rows_of(everybody, ~local)
    references = [
        reference_of(baseline, bare.times[bare.known(label), label], evaluation.survival_times)
        for label, baseline in enumerate(baselines)
    ]
    test = replace(bare, references=references)
    ways = [{"name": "as_is"} | _measured(test, baselines, evaluation, {}, resamples=evaluation.bootstrap)]
    last = test
    for size, rows in sets.items():
        some = rows_of(everybody, rows)
        found = {
            name: recalibrate(some, label, baselines[label], min_patients=evaluation.min_patients)
            for label, name in enumerate(names)
        }
        last = recalibrated(test, [one for one, _ in found.values()])
        adapted = {name: one._asdict() | about for name, (one, about) in found.items()}
        counted = {"records": len(some.patients), "patients": len(np.unique(some.patients))}
        about = {"name": f"local_{size}", "local": size, "n": counted}
        ways.append(about | _measured(last, baselines, evaluation, adapted, resamples=0))
    entries = {name: ways[-1]["labels"][name]["metrics"] for name in names}
    figure = risk_group_figure(last, {"labels": entries}, before=None if last is test else test)
    return Judged(local, {"ways": ways}, figure)


def with_slope(baseline: BaselineHazard) -> BaselineHazard:
    """What it says of risks that its slope has been applied to."""
    limits = tuple(baseline.slope * limit for limit in baseline.limits)
    return replace(baseline, slope=1.0, scale=baseline.slope * baseline.scale, limits=limits)


def reference_of(baseline: BaselineHazard | None, time: np.ndarray, asked: Sequence[float]) -> Reference | None:
    """What the model says of a label's risks, at those of its times until which somebody was followed here and there.

    Parameters
    ----------
    baseline : BaselineHazard or None
    time : ndarray, shape (n,)
        Of the test records of which the label is known.
    asked : sequence of float
        `evaluate.survival_times`; empty: the model's horizons.
    """
    if baseline is None or not len(time):
        return None
    times = [at for at in sorted(set(asked or baseline.horizons)) if at <= baseline.until and at < time.max()]
    if not times:
        return None
    hazard = baseline.cumulative(times[len(times) // 2])
    return Reference(np.array(times), hazard, baseline.scale, np.array(baseline.limits))


def recalibrate(
    local: SurvivalPredictions, label: int, baseline: BaselineHazard | None, *, min_patients: int
) -> tuple[Recalibration, dict[str, Any]]:
    """The intercept and slope of a label by local records, and of how many patients with the event they are.

    The intercept alone where fewer than `min_patients` have the event, or have it not, or where the likeliest slope is
    not above 0; nothing without an event or a baseline hazard.
    """
    known = local.known(label)
    time, event, risk = (column[known, label] for column in (local.times, local.events, local.risks))
    counts = [len(np.unique(local.patients[known][event == value])) for value in (1, 0)]
    about: dict[str, Any] = {"event_patients": counts[0], "event_free_patients": counts[1]}
    ones = np.ones((len(time), 1))
    if baseline is None or not counts[0]:
        return Recalibration(), about | {"reason": _NO_HAZARD if baseline is None else "no local patient has the event"}
    slope = float(np.log(hazard_ratio(RiskSets(time, event), risk, ones)[0])) if min(counts) >= min_patients else np.nan
    fitted = slope > 0  # not NaN either
    slope = slope if fitted else 1.0
    intercept = float(log_ratio(*seen_and_expected(baseline, time, event, slope * risk), ones)[0])
    if not np.isfinite(intercept):
        return Recalibration(), about | {
            "reason": "no local patient has the event while the model's patients were seen"
        }
    return Recalibration(intercept, slope, "intercept and slope" if fitted else "intercept"), about


def recalibrated(test: SurvivalPredictions, found: Sequence[Recalibration]) -> SurvivalPredictions:
    """Log hazard ratios, and the limits of their groups, after their recalibrations; no order changes."""
    intercept, slope = (np.array([getattr(one, name) for one in found]) for name in ("intercept", "slope"))
    references = [
        None
        if reference is None
        else reference._replace(scale=one.slope * reference.scale, limits=one.intercept + one.slope * reference.limits)
        for reference, one in zip(test.references, found, strict=True)
    ]
    return replace(test, risks=intercept + slope * test.risks, references=references)


def rows_of(data: SurvivalPredictions, rows: np.ndarray) -> SurvivalPredictions:
    """Some records of predictions."""
    return replace(
        data, times=data.times[rows], events=data.events[rows], risks=data.risks[rows], patients=data.patients[rows]
    )


def seen_and_expected(
    baseline: BaselineHazard, time: np.ndarray, event: np.ndarray, risk: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Events of each record while the model knows the hazard, and as many as it expects until then, (n,) each."""
    hazard = hazard_at(np.array(baseline.times), np.array(baseline.hazard), time)
    return (event > 0) & (time <= baseline.until), hazard * np.exp(risk)


def log_ratio(seen: np.ndarray, expected: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """Logarithm of the events seen over those expected, shape (r,); NaN where none was seen, or none expected."""
    above, below = seen @ weight_nr, expected @ weight_nr
    defined = (above > 0) & (below > 0)
    return np.log(np.where(defined, above, np.nan) / np.where(defined, below, 1.0))


def _measured(
    data: SurvivalPredictions,
    baselines: Sequence[BaselineHazard | None],
    config: EvaluateConfig,
    adapted: dict[str, Any],
    *,
    resamples: int,
) -> dict[str, Any]:
    measured = measure(data, config)
    labels = {
        name: {
            "metrics": entries | calibration_lines(data, label, baselines[label], config, resamples=resamples),
            "adapted": adapted.get(name),
            "survival_times": measured["survival_times"][name],
            "risk_groups": measured["risk_groups"][name],
        }
        for label, (name, entries) in enumerate(measured["labels"].items())
    }
    kept = {key: measured[key] for key in ("macro", "bootstrap", "split")}
    return kept | {"test": measured["n"], "labels": labels}


def calibration_lines(
    data: SurvivalPredictions,
    label: int,
    baseline: BaselineHazard | None,
    config: EvaluateConfig,
    *,
    resamples: int,
) -> dict[str, Any]:
    """`intercept` and `slope` of a label, with percentiles of resampled patients; of 0 resamples values alone."""
    known = data.known(label)
    time, event, risk = (column[known, label] for column in (data.times, data.events, data.risks))
    weights = PatientWeights(data.patients[known], config.seed)
    views: dict[str, tuple[Metric, tuple[Any, ...]]] = {SLOPE.name: (SLOPE, (RiskSets(time, event), risk))}
    if baseline is not None:
        views[INTERCEPT.name] = (INTERCEPT, seen_and_expected(baseline, time, event, risk))
    found = {
        name: line_entry(metric, view, weights, config, resamples=resamples) for name, (metric, view) in views.items()
    }
    return {INTERCEPT.name: nothing(_NO_HAZARD)} | found
