"""Terms of every compared metric are its derivatives; those of the AUROC give DeLong's variance, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.metrics.hazards import RiskSets, concordance
from ecglfm.evaluation.metrics.influence import auroc_influence, concordance_influence, regression_influence
from ecglfm.evaluation.metrics.label import ranking_metrics
from ecglfm.evaluation.metrics.quantity_metrics import quantity_metrics


def slopes(metric, count: int) -> np.ndarray:
    """How a metric of weights (n, r) changes as one record after the other gains weight."""
    step = 1e-6
    ones = np.ones((count, 1))
    return (metric(ones + step * np.eye(count)) - metric(ones)) / step


def test_auroc() -> None:
    rng = np.random.default_rng(0)
    target, score = (np.arange(40) % 3 == 0).astype(float), np.round(rng.random(40), 1)  # with ties
    area, terms = auroc_influence(target, score)
    assert area == pytest.approx(ranking_metrics(target, score, np.ones((40, 1)))["auroc"][0])
    np.testing.assert_allclose(
        terms, slopes(lambda weight: ranking_metrics(target, score, weight)["auroc"], 40), atol=1e-6
    )


def test_delongs_variance_by_its_definition() -> None:
    rng = np.random.default_rng(1)
    target, score = np.r_[np.ones(6), np.zeros(9)], rng.normal(size=15)
    wins = (score[:6, None] > score[6:]) + 0.5 * (score[:6, None] == score[6:])
    _, terms = auroc_influence(target, score)
    corrected = (terms[:6] ** 2).sum() * 6 / 5 + (terms[6:] ** 2).sum() * 9 / 8
    wanted = np.var(wins.mean(axis=1), ddof=1) / 6 + np.var(wins.mean(axis=0), ddof=1) / 9
    assert corrected == pytest.approx(wanted)


def test_quantities() -> None:
    rng = np.random.default_rng(2)
    target = rng.normal(60, 10, 30)
    prediction = target + rng.normal(3, 5, 30)
    for metric, (value, terms) in regression_influence(target, prediction).items():
        assert value == pytest.approx(quantity_metrics(target, prediction, np.ones((30, 1)))[metric][0]), metric
        wanted = slopes(lambda weight, name=metric: quantity_metrics(target, prediction, weight)[name], 30)
        np.testing.assert_allclose(terms, wanted, atol=1e-5, err_msg=metric)
    constant = regression_influence(np.full(30, 7.0), prediction)
    assert [np.isnan(constant[metric][0]) for metric in ("mae", "r2", "pearson")] == [False, True, True]


def test_concordance_pair_by_pair() -> None:
    rng = np.random.default_rng(3)
    time, event = rng.integers(1, 8, 25).astype(float), (rng.random(25) < 0.6).astype(float)  # with ties
    risk = np.round(rng.normal(size=25), 1)
    c, terms = concordance_influence(time, event, risk)
    assert c == pytest.approx(concordance(RiskSets(time, event), risk, np.ones((25, 1)), np.inf)["c_index"][0])
    won, pairs = np.zeros((25, 25)), np.zeros((25, 25))
    for i in range(25):
        for j in range(25):
            if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j])):
                pairs[i, j] = 1
                won[i, j] = (risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])

    def weighted(weight_nr: np.ndarray) -> np.ndarray:
        return np.array([w @ won @ w / (w @ pairs @ w) for w in weight_nr.T])

    np.testing.assert_allclose(terms, slopes(weighted, 25), atol=1e-5)


def test_what_has_no_answer() -> None:
    assert np.isnan(auroc_influence(np.zeros(3), np.arange(3.0))[0])
    assert np.isnan(concordance_influence(np.ones(3), np.zeros(3), np.arange(3.0))[0])
    assert np.isnan(regression_influence(np.zeros(0), np.zeros(0))["mae"][0])
