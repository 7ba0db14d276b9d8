"""Resplits of recordings whose truth is known: what is printed is what was realised."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.benchmark.statistics.conformal import resplit


def test_a_class_that_is_told_and_one_that_nobody_has() -> None:
    rng = np.random.default_rng(0)
    has = (np.arange(300) % 2).astype(float)
    vectors = np.stack([has + rng.normal(0, 0.01, 300), rng.normal(size=300)], axis=1)
    target = np.stack([has, np.zeros(300)], axis=1)
    told, none = resplit(vectors, target, np.arange(300).astype(str), 0.9, rng)
    assert none is None
    has_it, has_it_not, both = np.array(told[:9]).reshape(3, 3)
    assert has_it[0] + has_it_not[0] == both[0] == 100
    for count, covered, exact in (has_it, has_it_not):
        assert covered == pytest.approx(0.9, abs=0.15)
        assert exact * (count + 1) == pytest.approx(np.ceil(0.9 * (count + 1)))
    assert min(has_it[1], has_it_not[1]) <= both[1] <= max(has_it[1], has_it_not[1])
    assert told[9] == 0  # a perfect model needs no set of two: what is not held is empty
