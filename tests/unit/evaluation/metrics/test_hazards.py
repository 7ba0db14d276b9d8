"""Formulas of survival: scikit-survival's answers, weights as repetitions, and pairs one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecglfm.evaluation.metrics.hazards import (
    RiskSets,
    concordance,
    cumulative_dynamic_auc,
    hazard_ratio,
    survival_brier,
)
from ecglfm.evaluation.metrics.survival import kaplan_meier_interval
from ecglfm.models.baseline_hazard import breslow, hazard_at

GOLDEN = json.loads(Path(__file__).with_name("golden_survival.json").read_text())


ONES = np.ones((150, 1))


def arrays(golden: dict) -> tuple[np.ndarray, ...]:
    return tuple(np.array(golden[key], dtype=float) for key in ("time", "event", "risk", "times"))


@pytest.mark.parametrize("golden", GOLDEN)
def test_equal_to_scikit_survival(golden: dict):
    time, event, risk, times = arrays(golden)
    sets = RiskSets(time, event)
    found = concordance(sets, risk, ONES, times[-1])
    assert found["c_index"][0] == pytest.approx(golden["c_index"], abs=1e-12)
    assert found["c_index_uno"][0] == pytest.approx(golden["c_index_uno"], abs=1e-12)
    areas = cumulative_dynamic_auc(sets, risk, ONES, times)
    assert [area[0] for area in areas] == pytest.approx(golden["td_auc"], abs=1e-12)
    ratio = hazard_ratio(sets, risk, ONES)[0]
    assert ratio == pytest.approx(golden["hazard_ratio"], rel=1e-7)
    baseline = hazard_at(*breslow(time, event, risk * np.log(ratio)), times)
    assert baseline == pytest.approx(golden["baseline"], rel=1e-6)
    survival = np.exp(-0.4 * np.exp(risk))
    assert survival_brier(sets, survival, ONES, times[1])[0] == pytest.approx(golden["brier"], abs=1e-12)
    assert kaplan_meier_interval(time, event, times[1]) == pytest.approx(golden["kaplan_meier"], abs=1e-6)


def test_weights_are_repetitions():
    time, event, risk, times = arrays(GOLDEN[0])
    weight_nr = np.random.default_rng(0).integers(0, 4, (150, 5)).astype(float)
    sets = RiskSets(time, event)
    survival = np.exp(-0.4 * np.exp(risk))

    def measure(sets: RiskSets, risk: np.ndarray, survival: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
        found = concordance(sets, risk, weight_nr, times[-1])
        areas = cumulative_dynamic_auc(sets, risk, weight_nr, times)
        brier = survival_brier(sets, survival, weight_nr, times[1])
        return np.stack([*found.values(), *areas, hazard_ratio(sets, risk, weight_nr), brier])

    values = measure(sets, risk, survival, weight_nr)
    for r in range(5):
        rows = np.repeat(np.arange(150), weight_nr[:, r].astype(int))
        one = measure(RiskSets(time[rows], event[rows]), risk[rows], survival[rows], np.ones((len(rows), 1)))
        np.testing.assert_allclose(values[:, r], one[:, 0], rtol=1e-9)


def test_concordance_pair_by_pair():
    # pairs with an earlier event: (1, 2) won, (1, 3) tied, (1, 4) won, (2, 4) lost; 2 and 3 share a time, and 3 is
    # censored then, so it outlived 2: won by 3's lower risk, lost here: 2 has 0.2, 3 has 0.9
    time, event, risk = np.array([1, 2, 2, 3.0]), np.array([1, 1, 0, 0.0]), np.array([0.9, 0.2, 0.9, 0.5])
    found = concordance(RiskSets(time, event), risk, np.ones((4, 1)), np.inf)
    assert found["c_index"][0] == pytest.approx((1 + 0.5 + 1 + 0 + 0) / 5)
    # G(1) = 1; at 2 one of two left is censored (the event of 2 counts as before): G(2) = 1/2, weight 4
    assert found["c_index_uno"][0] == pytest.approx((2.5 * 1 + 0 * 4) / (3 * 1 + 2 * 4))


def test_kaplan_meier_by_hand():
    # events at 1 and 3, censored at 2 and 4: 3/4, then 3/4 x 1/2
    sets = RiskSets(np.array([1, 2, 3, 4.0]), np.array([1, 0, 1, 0.0]))
    np.testing.assert_allclose(sets.kaplan_meier(np.ones((4, 1)))[:, 0], [1, 0.75, 0.75, 0.375, 0.375])
