"""Synthetic patients: who has which condition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.sources.synthesis.look import TEXTBOOK
from ecglfm.sources.synthesis.patient import PREVALENCE, PVC_PREVALENCE, condition_of, draw_patient
from ecglfm.sources.synthesis.waves import N_P, N_QRS


@pytest.mark.parametrize("seed", [0, 1])
def test_prevalence_is_kept_in_small_populations(seed: int):
    found = [condition_of((0, seed), k) for k in range(100)]
    for condition, share in PREVALENCE.items():
        assert sum(c == condition for c, _ in found) == pytest.approx(100 * share, abs=3)
    assert sum(ectopy for _, ectopy in found) == pytest.approx(100 * 0.78 * PVC_PREVALENCE, abs=5)


def test_a_look_changes_of_a_heart_what_it_says_and_nothing_else():
    def waves(**look) -> np.ndarray:
        shown = ("NORM", False, replace(TEXTBOOK, **look))
        return draw_patient((0, 5), 3, shown=shown).waves

    plain, slow, small = waves(), waves(qrs_time=1.3), waves(p_size=0.5)
    qrs = slice(N_P, N_P + N_QRS)
    np.testing.assert_allclose(slow[qrs, :2], 1.3 * plain[qrs, :2])
    np.testing.assert_allclose(small[:N_P, 2:], 0.5 * plain[:N_P, 2:])
    slow[qrs, :2], small[:N_P, 2:] = plain[qrs, :2], plain[:N_P, 2:]
    np.testing.assert_array_equal(slow, plain)
    np.testing.assert_array_equal(small, plain)


def test_hearts_lie_as_differently_in_the_chest_as_drawn():
    """By the mean square of the angle between a heart's R wave and the mean of all."""
    angles = {}
    for turn in (1.0, 2.0):
        shown = ("NORM", False, replace(TEXTBOOK, turn=turn))
        ways = np.array([draw_patient((0, 5), k, shown=shown).waves[N_P + 1, 2:] for k in range(300)])
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        mean = ways.mean(0) / np.linalg.norm(ways.mean(0))
        angles[turn] = np.mean(np.arccos(ways @ mean) ** 2)
    # own straying of a wave, 0.2 of its length in each of two directions, is not turned
    assert (angles[2.0] - 0.08) / (angles[1.0] - 0.08) == pytest.approx(4.0, rel=0.3)
