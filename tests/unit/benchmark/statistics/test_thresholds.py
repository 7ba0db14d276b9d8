"""What thresholds reach on endless records, by hand."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from ecglfm.benchmark.statistics.thresholds import reach


def test_what_a_threshold_reaches_by_hand() -> None:
    # at log odds 0 half of the positives are called, and of the others those 3 standard deviations up
    assert reach(0.5, "sensitivity", 10) == pytest.approx(0.5)
    assert reach(0.5, "youden", 10) == pytest.approx(0.5 - norm.sf(3))
    assert reach(0.5, "f1", 10) == pytest.approx(2 * 5 / (5 + 1990 * norm.sf(3) + 10))
