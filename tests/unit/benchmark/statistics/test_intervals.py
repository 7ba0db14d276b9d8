"""How often intervals hold a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecglfm.benchmark.statistics.intervals import Case, _simulate, coverage


def test_an_average_precision_of_few_reaches_down() -> None:
    # Its value is too high by itself, and resamples say by how much: without that 2 of 120 held.
    held = coverage(Case(positives=5, labels=20), simulations=20, resamples=60, seed=0)
    assert held["auprc"] >= 17 / 20


@pytest.mark.parametrize(
    ("case", "metric"),
    [
        (Case(positives=5), "auroc"),
        (Case(positives=10, quality=0.95), "auroc"),
        (Case(positives=5, records=3), "auroc"),
        (Case(positives=10, quality=0.95), "sensitivity"),
        (Case(positives=100, drawn=True), "ece"),
    ],
)
def test_most_intervals_hold_the_truth(case: Case, metric: str) -> None:
    # 95 % is wanted: fewer than 44 of 50 has a chance of 0.4 %
    held = coverage(case, simulations=50, resamples=100, seed=1)
    assert held[metric] >= 44 / 50


def test_simulated_scores_have_the_area_and_the_calibration_that_are_asked_for() -> None:
    case = Case(positives=4000, patients=12_000, quality=0.8, drawn=True)
    data = _simulate(case, np.random.default_rng(0))
    assert roc_auc_score(data.targets[:, 0], data.probabilities[:, 0]) == pytest.approx(0.8, abs=0.01)
    likely = data.probabilities[:, 0] > 0.5  # a calibrated model is right as often as it says
    assert data.targets[likely, 0].mean() == pytest.approx(data.probabilities[likely, 0].mean(), abs=0.02)
    sure = _simulate(case._replace(slope=2.0), np.random.default_rng(0))
    odds = [np.log(p / (1 - p)) for p in (data.probabilities, sure.probabilities)]
    np.testing.assert_allclose(odds[1], 2 * odds[0], atol=1e-6)


def test_positives_are_exact_unless_they_are_drawn() -> None:
    data = _simulate(Case(positives=7, patients=30, records=3, labels=4), np.random.default_rng(0))
    assert data.targets.sum(axis=0).tolist() == [21] * 4
    assert len(data.targets) == 90
