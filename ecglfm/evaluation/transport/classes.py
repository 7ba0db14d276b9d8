"""A model of labels that are there or not on a new cohort: every way to use it, on the same test records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import FinetuneConfig, TransportSlice
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.plots import calibration_figure
from ecglfm.evaluation.prediction import predictions_on_test
from ecglfm.evaluation.transport.cohort import draw_local
from ecglfm.evaluation.transport.ways import (
    Judged,
    Way,
    calibration_lines,
    prevalences,
    rows_of,
    with_local,
    with_prior,
)
from ecglfm.training.finetuning import Rule


def judge_classes(
    table: pd.DataFrame,
    names: list[str],
    info: dict[str, Any],
    home_metrics: dict[str, Any] | None,
    slice: TransportSlice,  # noqa: A002
) -> Judged:
    """Measure a model as it is, shifted to the prevalence that it tells, and adapted by local records.

    Parameters
    ----------
    table : DataFrame
        `predict_records` of the cohort.
    names : list of str
        Labels that are known of some.
    info : dict
        `model.json`.
    home_metrics : dict or None
        `metrics.json` of its own test split.
    slice : TransportSlice
    """
    everybody = predictions_on_test(table, names)
    sets = draw_local(everybody.patients, slice.transport.local, slice.transport.seed)
    local = sets[max(sets)] if sets else np.zeros(len(table), bool)
    test, prior = rows_of(everybody, ~local), prior_of(info, home_metrics, names)
    # Of classes of which a record has exactly one, unless the labels know of some of them alone.
    exclusive = KINDS[info["kind"]].exclusive and len(names) == len(info["label_names"])
    prevalence = prevalences(test, prior, slice.evaluate, exclusive=exclusive)
    told = {name: entry["told"]["value"] for name, entry in prevalence.items()}
    ways = [Way("as_is", {}, test), with_prior(test, prior, told, exclusive=exclusive)]
    for size, rows in sets.items():
        chosen, least = rule_of(slice.finetune), slice.evaluate.min_patients
        some = rows_of(everybody, rows)
        ways.append(with_local(test, some, chosen, size=size, min_patients=least, exclusive=exclusive))
    measured = [way.about | {"name": way.name} | _measured(way, slice) for way in ways]
    # Calibration of the way with most local records, and dotted of the model as it is.
    shown = replace(ways[-1].predictions, uncalibrated=ways[0].predictions.probabilities)
    entries = {name: measured[-1]["labels"][name]["metrics"] for name in names}
    figure = calibration_figure(shown, {"labels": entries})
    return Judged(local, {"prevalence": prevalence, "ways": measured}, figure)


def prior_of(info: dict[str, Any], home_metrics: dict[str, Any] | None, names: list[str]) -> dict[str, float | None]:
    """Prevalence that a model's probabilities presuppose: of its training, else of its own test split, else None."""
    own = info.get("training", {}).get("prior", {})
    counted = (home_metrics or {}).get("n", {})
    found = {}
    for name in names:
        known = counted.get("known", {}).get(name)
        share = own.get(name) if name in own else counted["positives"][name] / known if known else None
        found[name] = share if share is not None and 0 < share < 1 else None
    return found


def rule_of(config: FinetuneConfig) -> Rule:
    """How thresholds are chosen."""
    return Rule(config.threshold, config.threshold_beta, config.threshold_sensitivity, config.threshold_min_positives)


def _measured(way: Way, slice: TransportSlice) -> dict[str, Any]:  # noqa: A002
    resamples = slice.evaluate.bootstrap if way.name == "as_is" else 0
    lines = calibration_lines(way.predictions, slice.evaluate, resamples=resamples)
    measured = measure(way.predictions, slice.evaluate)
    about = way.about.get("labels", {})
    labels = {
        name: {"metrics": entries | lines[name], "adapted": about.get(name), "threshold": measured["thresholds"][name]}
        for name, entries in measured["labels"].items()
    }
    kept = {key: measured[key] for key in ("macro", "bootstrap", "split")}
    return kept | {"test": measured["n"], "labels": labels}
