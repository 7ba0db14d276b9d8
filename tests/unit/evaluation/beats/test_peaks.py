"""Beats are found where they were put, and the average is the beat."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.evaluation.beats import average_beat, find_beats
from ecglfm.sources.synthesis.heart import RATE, record_leads
from ecglfm.sources.synthesis.patient import generator, make_patient
from ecglfm.sources.synthesis.setting import QUIET
from tests.unit.evaluation.beats.hearts import heart


@pytest.mark.parametrize(("fs", "rr"), [(500, 0.8), (400, 0.45), (1000, 1.3), (100, 0.8)])
def test_beats_are_where_they_were_put(fs: float, rr: float):
    found = find_beats(heart(fs=fs, rr=rr), fs) / fs
    found = found[found < 9.9]  # a beat that the end cuts
    planted = np.arange(0.4, 9.9, rr)
    assert len(found) == len(planted)
    assert np.abs(found - planted).max() < 0.03


def test_an_artefact_hides_no_beat_and_nothing_has_none():
    signal = heart()
    signal[2400:2403, 4] = 25.0  # mV
    found = find_beats(signal, 500) / 500
    for planted in np.arange(0.4, 10, 0.8):
        assert np.abs(found - planted).min() < 0.03
    assert len(find_beats(np.zeros((5000, 12)), 500)) == 0
    assert len(find_beats(heart(seconds=0.1), 500)) == 0
    assert average_beat(np.zeros((5000, 12)), 500) is None


def test_the_average_is_the_beat_without_the_one_that_differs():
    signal = heart()
    clean = average_beat(signal, 500)
    assert clean is not None
    assert clean.rr == pytest.approx(0.8, abs=0.004)
    r = clean.signal[clean.center - 10 : clean.center + 10]
    assert r[:, 0].max() == pytest.approx(1.2, abs=0.05)
    assert r[:, 2].min() == pytest.approx(-0.6, abs=0.05)
    at = round((0.4 + 5 * 0.8) * 500)
    signal[at - 60 : at + 80] *= -1.0  # an ectopic beat
    without = average_beat(signal, 500)
    assert without is not None
    assert len(without.beats) == len(clean.beats) - 1
    assert np.abs(without.beats - at).min() > 100


@pytest.mark.parametrize("number", [3, 5, 31])
def test_where_p_runs_into_qrs_its_top_is_not_zero(number: int):
    """Nothing is level between P and QRS of these hearts."""
    made = make_patient(number, "NORM", ectopy=False, age=30.0 + number, sex="female", rng=generator(9, number))
    leads, _ = record_leads(made, generator(8, number), mains=50.0, setting=QUIET)
    found = average_beat(leads.T, RATE)
    assert found is not None
    before = found.signal[found.center - 130 : found.center - 110]
    assert np.sqrt(np.square(before.mean(axis=0)).mean()) < 0.03
