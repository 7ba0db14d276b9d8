"""Median beats on one stretch of time, and their mean by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.discovery.interpretation.beats import AFTER, BEFORE, group_beat, median_beat
from tests.unit.evaluation.beats.hearts import heart


@pytest.mark.parametrize("rr", [0.8, 0.4])
def test_a_beat_has_r_in_its_middle_whatever_the_rate(rr: float):
    beat = median_beat(heart(rr=rr), 500)
    assert beat is not None
    assert beat.shape == (round((BEFORE + AFTER) * 500), 12)
    assert abs(int(np.nanargmax(beat[:, 0])) - round(BEFORE * 500)) <= 8
    assert np.nanmax(beat[:, 0]) - np.nanmin(beat[:, 0]) == pytest.approx(1.4, abs=0.1)  # R and S
    reach = np.isfinite(beat[:, 0]).sum() / 500
    assert reach == (BEFORE + AFTER if rr == 0.8 else pytest.approx(0.2 + 0.25, abs=0.01))  # half of RR, RR - 0.15


def test_a_mean_is_of_those_who_reach_and_of_no_minority():
    a, b, c = (np.full((4, 1), value) for value in (1.0, 2.0, 6.0))
    a[0], a[3], b[3] = np.nan, np.nan, np.nan
    found = group_beat([a, None, b, c])
    assert found is not None
    assert found.people == 3
    assert found.signal_mv[:3, 0].tolist() == [4.0, 3.0, 3.0]
    assert np.isnan(found.signal_mv[3, 0])
    assert group_beat([None]) is None
    assert median_beat(np.zeros((5000, 12)), 500) is None
