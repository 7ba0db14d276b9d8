"""Simulated tests of quantities, times and verifications have the truth that the table supposes."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.benchmark.statistics.interval_kinds import KindCase, _measured, _quantities, _scores, _times, _truth
from ecglfm.evaluation.metrics import point_values

ONE = {"resamples": 2, "seed": 0}


@pytest.mark.parametrize("records", [1, 3])
def test_quantities(records: int) -> None:
    """A prediction of correlation 0.5 that is the best guess explains a quarter and misses by a normal of sqrt(3/4)."""
    case = KindCase("quantity", 20_000, records)
    assert _truth(case) == pytest.approx({"pearson": 0.5, "r2": 0.25, "rmse": 0.75**0.5, "mae": (1.5 / np.pi) ** 0.5})
    data = _quantities(case, np.random.default_rng(0))
    found = dict(zip(data.metrics, point_values(data)[0], strict=True))
    for metric, value in _truth(case).items():
        assert found[metric] == pytest.approx(value, abs=0.02), metric
    assert len(set(data.patients)) == 20_000
    assert len(data.patients) == 20_000 * records


def test_times_end_when_so_many_had_the_event() -> None:
    case = KindCase("survival", 2000, events=300)
    assert _truth(case) == pytest.approx({"hazard_ratio": np.exp(0.8)})
    entries, _ = _measured(case, np.random.default_rng(0), ONE)
    assert entries["hazard_ratio"]["value"] == pytest.approx(np.exp(0.8), rel=0.15)
    assert _times(case, np.random.default_rng(0)).events.sum() == 300


def test_verifications_have_every_pair_of_a_person_and_some_of_two() -> None:
    scores = _scores(50, 2, np.random.default_rng(0), 1000)
    assert (len(scores.genuine), len(scores.impostor)) == (50, 1000)
    assert sorted(scores.genuine_patient) == list(range(50))
    first, second = scores.impostor_patients
    assert (first != second).all()
    assert scores.genuine.mean() > scores.impostor.mean() + 0.2
    assert abs(scores.impostor.mean()) < 0.05  # strangers' vectors are of any angle
