"""The schedule, by hand."""

from __future__ import annotations

import pytest

from ecglfm.training.schedule import is_due, learning_rate, seed_of


def test_warm_up_is_linear_then_constant():
    rates = [learning_rate(step, peak=0.4, warmup_steps=4) for step in range(6)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_without_warm_up_the_first_update_has_the_peak():
    assert learning_rate(0, peak=5e-4, warmup_steps=0) == 5e-4


def test_due_every_so_often_and_at_the_end():
    assert [step for step in range(1, 11) if is_due(step, 4, 10)] == [4, 8, 10]


def test_seeds_depend_on_every_part_of_the_key():
    seeds = {seed_of(seed, step, rank) for seed in range(3) for step in range(3) for rank in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(0, 1, 2) == seed_of(0, 1, 2)
