"""Metrics of every kind of task by their names, for whatever shows or compares numbers that are in a file already."""

from __future__ import annotations

import re

from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import outcome_class


def metrics_of(kind: str) -> tuple[Metric, ...]:
    """Metrics of a label that a kind of task has, in the order of tables."""
    return outcome_class(kind).declared


def compared(kind: str) -> tuple[str, ...]:
    """Metrics by which encoders are compared on tasks of a kind, the first that of `label_efficiency`."""
    return tuple(metric.name for metric in metrics_of(kind) if metric.influence is not None)


def by_group(kind: str) -> tuple[str, ...]:
    """Metrics that groups of records have, where a kind chooses some."""
    return tuple(metric.name for metric in metrics_of(kind) if metric.by_group)


def all_metrics() -> dict[str, Metric]:
    """Every metric by its name; kinds that share a name mean the like of it."""
    outcomes = [outcome_class(kind) for kind in reversed(KINDS)]
    return {metric.name: metric for outcome in outcomes for metric in (*outcome.declared, *outcome.whole)}


def chances() -> dict[str, float]:
    """What whoever never looks at a recording has by definition, of those metrics where that is so."""
    return {name: metric.chance for name, metric in all_metrics().items() if metric.chance is not None}


def title_of(name: str) -> str:
    """What tables call a metric; its own name where nobody declares it."""
    metrics = all_metrics()
    if name in metrics:
        return metrics[name].title
    stem, _, number = name.rpartition("_")
    if stem in metrics and metrics[stem].numbered and number.isdigit():
        return f"{metrics[stem].numbered} {number}"
    return name


def place_of(name: str, kind: str) -> tuple[int, str]:
    """Where a metric stands in tables of a kind; `td_auc_1`, … follow `td_auc`, what nobody declares is last."""
    places = {metric.name: place for place, metric in enumerate(metrics_of(kind))}
    return places.get(name, places.get(re.sub(r"_\d+$", "", name), len(places))), name
