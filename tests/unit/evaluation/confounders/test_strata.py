"""AUROC within strata: by hand, against counted pairs, and its interval's coverage."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.confounders.strata import Areas, stratified_auroc
from ecglfm.evaluation.metrics import auroc_influence

CONFIG = EvaluateConfig()


def counted(target: np.ndarray, score: np.ndarray, stratum: np.ndarray, weight: np.ndarray) -> float:
    """The definition, pair by pair; a record counts `weight` times."""
    won = pairs = 0.0
    for i in np.flatnonzero(target == 1):
        for j in np.flatnonzero((target == 0) & (stratum == stratum[i])):
            both = weight[i] * weight[j]
            won += both * (float(score[i] > score[j]) + 0.5 * float(score[i] == score[j]))
            pairs += both
    return won / pairs


def test_pairs_of_one_stratum_are_counted() -> None:
    rng = np.random.default_rng(0)
    target, stratum = rng.integers(0, 2, 40), rng.integers(0, 5, 40)
    score = rng.integers(0, 6, 40).astype(float)  # with ties
    ones = np.ones(40)
    value, terms, pairs = stratified_auroc(target, score, stratum)
    assert value == pytest.approx(counted(target, score, stratum, ones))
    assert pairs == sum(
        ((stratum == s) & (target == 1)).sum() * ((stratum == s) & (target == 0)).sum() for s in range(5)
    )
    # The terms are the derivative by the weight of each record.
    step = 1e-6
    slopes = [(counted(target, score, stratum, ones + step * (np.arange(40) == i)) - value) / step for i in range(40)]
    np.testing.assert_allclose(terms, slopes, atol=1e-5)
    whole = auroc_influence(target, score)
    one = stratified_auroc(target, score, np.zeros(40))
    assert one[0] == pytest.approx(whole[0])
    np.testing.assert_allclose(one[1], whole[1], atol=1e-15)


def test_a_stratum_of_one_class_adds_nothing() -> None:
    target, stratum = np.array([1, 0, 1, 1]), np.array(["a", "a", "b", "b"])
    entry, _ = Areas(target, np.array(list("wxyz")), CONFIG).measure(np.array([0.2, 0.9, 0.1, 0.3]), stratum)
    assert (entry["value"], entry["pairs"]) == (0, 1)
    assert entry["reason"] == "too few: 1 patient of one class, 5 are wanted"
    alone, _ = Areas(target, np.array(list("wxyz")), CONFIG).measure(np.zeros(4), np.arange(4))
    assert (alone["value"], alone["reason"]) == (None, "no pair of a positive and a negative to compare")


def test_intervals_hold_the_truth_where_a_site_is_all_that_is_known() -> None:
    """300 tests of 150 patients with two recordings that are alike: 95 % intervals hold 0.5 in 92 to 98 % of them."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(300):
        site = rng.integers(0, 2, 150)
        target = (rng.random(150) < np.where(site == 1, 0.8, 0.2)).astype(float)
        each = (2.0 * site + rng.normal(size=150)).repeat(2) + 0.5 * rng.normal(size=300)
        areas = Areas(target.repeat(2), np.arange(150).repeat(2).astype(str), CONFIG)
        entry, _ = areas.measure(each, site.repeat(2))
        held += entry["ci_low"] <= 0.5 <= entry["ci_high"]
    assert 276 <= held <= 294


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(2)
    target = np.repeat([0.0, 1.0], 100)
    score = target + rng.normal(size=200)
    areas = Areas(target, np.arange(200).astype(str), CONFIG)
    first = areas.measure(score)
    assert areas.difference(first, first) == {"value": 0, "ci_low": 0, "ci_high": 0}
    better = areas.difference(areas.measure(score + 0.3 * target), first)
    assert 0 < better["ci_low"] < better["value"] < better["ci_high"]
    assert better["ci_high"] - better["ci_low"] < first[0]["ci_high"] - first[0]["ci_low"]
    none = areas.measure(score, np.arange(200))
    assert areas.difference(none, first) == {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "reason": none[0]["reason"],
    }
