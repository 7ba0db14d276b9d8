"""Prevalence shift: sums by hand, a population without chance, and the algorithm of Saerens et al. as they wrote it."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.transport.prevalence import estimate_prevalence, shifted

#: What a record looks like (5 looks) with and without the label.
LOOKS = {1: np.array([0.05, 0.05, 0.1, 0.3, 0.5]), 0: np.array([0.5, 0.2, 0.15, 0.1, 0.05])}


def posterior(prevalence: float) -> np.ndarray:
    """Probability of the label, given the look, by Bayes."""
    with_it = prevalence * LOOKS[1]
    return with_it / (with_it + (1 - prevalence) * LOOKS[0])


def test_shift_by_hand() -> None:
    assert shifted(np.array([0.5]), home=0.5, here=0.1)[0] == pytest.approx(0.1)
    # odds 1/4; those of the prevalence go from 1/9 to 3/7, by 27/7: 27/28
    assert shifted(np.array([0.2]), home=0.1, here=0.3)[0] == pytest.approx(27 / 55)
    np.testing.assert_allclose(shifted(np.array([0.0, 1.0]), home=0.1, here=0.7), [0, 1])


def test_a_shift_is_bayes_with_the_other_prevalence() -> None:
    np.testing.assert_allclose(shifted(posterior(0.1), home=0.1, here=0.35), posterior(0.35))


@pytest.mark.parametrize("here", [0.02, 0.1, 0.35, 0.9])
def test_a_planted_prevalence_is_told_without_labels(here: float) -> None:
    shares = here * LOOKS[1] + (1 - here) * LOOKS[0]
    told = estimate_prevalence(posterior(0.1), home=0.1, weight_nr=1000 * shares[:, None])
    assert told[0] == pytest.approx(here, abs=1e-9)


def test_it_is_where_expectation_maximisation_ends() -> None:
    rng = np.random.default_rng(1)
    said, weight_nr = rng.beta(0.5, 2, 300), rng.integers(0, 4, (300, 3)).astype(float)
    told = estimate_prevalence(said, home=0.2, weight_nr=weight_nr)
    for column, weight in enumerate(weight_nr.T):
        share = 0.2
        for _ in range(5000):  # equations 2.8 of the paper
            up, down = share / 0.2 * said, (1 - share) / 0.8 * (1 - said)
            share = np.average(up / (up + down), weights=weight)
        assert told[column] == pytest.approx(share, abs=1e-7)


def test_nobody_and_everybody() -> None:
    told = [estimate_prevalence(np.full(9, p), home=0.3, weight_nr=np.ones((9, 1)))[0] for p in (0.01, 0.99)]
    assert told == pytest.approx([0, 1], abs=1e-9)
