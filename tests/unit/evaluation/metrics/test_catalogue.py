"""Metrics of all kinds by name; every one is declared whole, and told of in docs/evaluation.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics.catalogue import all_metrics, by_group, chances, compared, metrics_of, place_of, title_of
from ecglfm.evaluation.metrics.outcomes import outcome_class

each_kind = pytest.mark.parametrize("kind", KINDS)


def test_by_name() -> None:
    assert [compared(kind) for kind in KINDS] == [("auroc",)] * 3 + [("mae", "r2", "pearson"), ("c_index",)]
    assert [by_group(kind) for kind in ("binary", "survival")] == [("auroc", "auprc", "sensitivity", "specificity"), ()]
    assert {name for name, chance in chances().items() if chance == 0.5} >= {
        "auroc",
        "c_index",
        "c_index_uno",
        "td_auc",
    }
    smaller = {name for name, metric in all_metrics().items() if metric.smaller}
    assert smaller >= {"mae", "rmse", "brier", "ece", "brier_uncalibrated", "ece_uncalibrated"}


def test_titles() -> None:
    assert [title_of(name) for name in ("f1", "accuracy", "td_auc", "td_auc_2")] == ["F1", "Accuracy", "AUC over time",
                                                                                     "AUC, time 2"]  # fmt: skip
    assert [title_of(name) for name in ("f1_2", "of_later")] == ["f1_2", "of_later"]


def test_places_in_a_table() -> None:
    names = ["of_later", "td_auc_2", "brier", "td_auc", "td_auc_1", "c_index"]
    wanted = ["c_index", "td_auc", "td_auc_1", "td_auc_2", "brier", "of_later"]
    assert sorted(names, key=lambda name: place_of(name, "survival")) == wanted


@each_kind
def test_a_metric_is_declared_whole(kind: str) -> None:
    metrics, outcome = metrics_of(kind), outcome_class(kind)
    names = [metric.name for metric in metrics]
    assert len(set(names)) == len(names)
    assert set(KINDS[kind].headline) <= set(names)
    assert compared(kind)
    for metric in metrics:
        assert all_metrics()[metric.name].title == metric.title, "kinds that share a name share its title"
        assert {"known", *metric.needs} <= set(outcome.lacks), f"{metric.name}: what is said where it has no value"
        assert metric.range[0] < metric.range[1]
        assert not (metric.chance_gaps and metric.gaps is None)
        assert metric.beside_constant <= (metric.constant is not None)
    truth = [np.ones((2, 1))] * len(KINDS[kind].truth)
    groups = outcome.told(["x"], truth, np.ones((2, 1)), np.array(["a", "b"])).groups(0)
    assert {name for metric in metrics for name in (*metric.needs, *metric.stands_on)} <= set(groups)


@each_kind
def test_it_is_told_of_in_the_docs(kind: str, repository: Path) -> None:
    told = set(re.findall("`([a-z0-9_]+)`", (repository / "docs/evaluation.md").read_text()))
    names = {metric.name for metric in (*metrics_of(kind), *outcome_class(kind).whole)}
    assert names - told == set(), "add a line to the table of keys in docs/evaluation.md"
