"""Synthetic patients: who has which condition."""

from __future__ import annotations

import pytest

from ecglfm.sources.synthesis.patient import (
    PREVALENCE,
    PVC_PREVALENCE,
    condition_of,
)


@pytest.mark.parametrize("seed", [0, 1])
def test_prevalence_is_kept_in_small_populations(seed: int):
    found = [condition_of((0, seed), k) for k in range(100)]
    for condition, share in PREVALENCE.items():
        assert sum(c == condition for c, _ in found) == pytest.approx(100 * share, abs=3)
    assert sum(ectopy for _, ectopy in found) == pytest.approx(100 * 0.78 * PVC_PREVALENCE, abs=5)
