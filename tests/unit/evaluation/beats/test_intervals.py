"""Intervals as planted, as a machine measured them, and none where nothing can be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglfm import read_record
from ecglfm.config import LEADS
from ecglfm.evaluation.beats import Intervals, measure_intervals
from tests.unit.evaluation.beats.hearts import heart


def test_planted_intervals():
    found = measure_intervals(heart(), 500, list(LEADS))
    assert found.rate == 75
    assert found.pr == pytest.approx(151, abs=16)  # 0.196 - 0.045 s
    assert found.qrs == pytest.approx(90, abs=16)
    assert found.qt == pytest.approx(415, abs=20)
    assert found.qtc == pytest.approx(found.qt / np.sqrt(0.8), abs=2)


@pytest.mark.parametrize("degrees", [5, 60, -45, 120, -150])
def test_the_axis_is_that_of_the_dipole(degrees: int):
    one = heart(leads=1)
    signal = np.zeros((len(one), 12))
    signal[:, 0] = one[:, 0] * np.cos(np.radians(degrees))
    signal[:, 5] = one[:, 0] * np.sin(np.radians(degrees)) * np.sqrt(3) / 2  # aVF is augmented by 3/2, not sqrt(3)
    found = measure_intervals(signal, 500, list(LEADS))
    assert found.axis == pytest.approx(degrees, abs=1)


def test_a_machine_is_agreed_with(odd_inputs: Path):
    record = read_record(odd_inputs / "muse/08_sjis.xml").standard()
    found = measure_intervals(record.signal, record.sampling_rate, list(LEADS))
    machine = Intervals(97, 122, 74, 328, 417, 63)
    for name, within in (("rate", 1), ("pr", 10), ("qrs", 10), ("qt", 20), ("qtc", 25), ("axis", 8)):
        assert getattr(found, name) == pytest.approx(getattr(machine, name), abs=within), name


def test_nothing_is_measured_where_nothing_can_be():
    for signal in (np.zeros((5000, 12)), heart(seconds=1), np.full((5000, 12), np.nan), np.empty((0, 12))):
        found = measure_intervals(signal, 500, list(LEADS))
        assert found == Intervals()
        assert "no intervals" in found.text()
    flat = heart()
    flat[:, 0] = 0.0  # an all-zero lead was not recorded: no axis of it
    assert measure_intervals(flat, 500, list(LEADS)).axis is None
