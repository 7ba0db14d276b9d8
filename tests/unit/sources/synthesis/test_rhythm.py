"""When beats come, and how they are conducted: measured from signals without noise, where a signal has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.sources.synthesis.heart import RATE, clean_leads, dipole
from ecglfm.sources.synthesis.look import TEXTBOOK
from ecglfm.sources.synthesis.patient import Patient, generator, make_patient
from ecglfm.sources.synthesis.rhythm import SECONDS, beat_times, fibrillates

V1, LEAD_II = 2, 1


def shown(condition: str = "NORM", *, ectopy: bool = False, rate: float = 72.0, age: float = 60.0, **look) -> Patient:
    patient = make_patient(
        0, condition, ectopy=ectopy, age=age, sex="male", rng=None, look=replace(TEXTBOOK, **look)
    )  # fmt: skip
    return replace(patient, heart_rate=rate)


def inside(times: np.ndarray) -> np.ndarray:
    return (times > 0.5) & (times < SECONDS - 0.5)


def beats_of(patient: Patient, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Leads without noise, times of the beats that lie wholly within, which are ectopic, and intervals before them."""
    times, ectopic = beat_times(patient, generator(7, seed))
    leads = clean_leads(dipole(patient, times, ectopic, SECONDS * RATE))
    whole = inside(times)
    return leads, times[whole], ectopic[whole], np.diff(times, prepend=np.nan)[whole]


def qrs_area(leads: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean absolute V1 from 30 to 75 ms after each R peak, mV: small but in blocks."""
    return np.array([np.abs(leads[V1, round(t * RATE) + 15 : round(t * RATE) + 38]).mean() for t in times])


@pytest.mark.parametrize("episode", [(-10.0, 4.0), (3.0, 30.0), (2.5, 7.5)])
def test_fibrillation_covers_the_part_of_a_recording_that_was_drawn(episode: tuple[float, float]):
    patient = shown("AFIB", episode=episode, irregularity=0.2)
    share = (min(episode[1], SECONDS) - max(episode[0], 0.0)) / SECONDS
    assert fibrillates(patient, np.arange(0, SECONDS, 0.002)).mean() == pytest.approx(share, abs=0.01)
    spread: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(12):
        leads, times, _, before = beats_of(patient, seed)
        within = (times >= episode[0]) & (times < episode[1])
        p_wave = [leads[LEAD_II, k - 80 : k - 63].mean() for k in np.round(times * RATE).astype(int)]
        assert ((np.array(p_wave) < 0.04) == within).all()  # P where the atria beat, 155 ms before R; none elsewhere
        sure = np.abs(times - episode[0]) > 1.5  # the interval across the border is of what went before
        spread[True] += before[within & sure].tolist()
        spread[False] += before[~within & (np.abs(times - episode[1]) > 1.5)].tolist()
    assert np.std(np.log(spread[True])) == pytest.approx(0.2, rel=0.3)
    assert np.std(np.log(spread[False])) < 0.07


def test_a_rate_dependent_block_is_in_as_many_beats_as_drawn_after_the_shortest_intervals():
    for seed, share in enumerate((0.2, 0.5, 0.8)):
        patient = shown(shares=(("NORM", 1.0),), aberrant=(("CLBBB", 1.0),), blocked=share, sinus_arrhythmia=2.0)
        leads, times, _, before = beats_of(patient, seed)
        blocked = qrs_area(leads, times) > 0.6
        assert blocked.mean() == pytest.approx(share, abs=0.2)  # of 12 beats, of which three lie outside
        assert 0 < blocked.sum() < len(blocked)
        assert before[blocked].max() < before[~blocked].min()


def test_a_premature_atrial_beat_is_wide_where_a_bundle_recovers_late():
    for late in (False, True):
        aberrant = {"aberrant": (("RBBB", 1.0),), "refractory": 0.84} if late else {}
        patient = shown(early_beats=2, **aberrant)
        for seed in range(5):
            leads, times, _, before = beats_of(patient, seed)
            early = before < 0.82 * np.median(before)
            ends = np.array([leads[V1, round(t * RATE) + 25] for t in times])
            assert ((ends > 0.2) == (early & late)).all()


def test_interpolated_beats_move_no_other_beat():
    plain, _ = beat_times(shown(rate=64.0), generator(7, 1))
    times, ectopic = beat_times(shown(ectopy=True, rate=64.0, ectopic_beats=3, interpolated=True), generator(7, 1))
    assert ectopic.sum() == 3
    np.testing.assert_array_equal(times[~ectopic], plain)
    before, after = (np.diff(times)[np.flatnonzero(ectopic) - shift] for shift in (1, 0))
    np.testing.assert_allclose(before, after)
    fast, ectopic = beat_times(shown(ectopy=True, rate=90.0, ectopic_beats=3, interpolated=True), generator(7, 1))
    assert len(fast) == len(beat_times(shown(rate=90.0), generator(7, 1))[0])  # no room: they replace one
    assert ectopic.sum() == 3


def test_late_beats_come_when_drawn_and_fuse():
    patient = shown(ectopy=True, ectopic_beats=3, coupling=(0.8, 0.9))
    sums = {}
    for fusion in (0.0, 0.5, 1.0):
        leads, times, ectopic, before = beats_of(replace(patient, look=replace(patient.look, fusion=fusion)), 3)
        assert ((before[ectopic] > 0.7 * 60 / 72) & (before[ectopic] < 60 / 72)).all()
        sums[fusion] = np.stack([leads[:, k - 20 : k + 40] for k in np.round(times * RATE).astype(int)[ectopic]])
        others = np.stack([leads[:, k - 20 : k + 40] for k in np.round(times * RATE).astype(int)[~ectopic]])
    np.testing.assert_allclose(sums[0.5], (sums[0.0] + sums[1.0]) / 2, atol=0.03)  # but for its P wave, which is whole
    assert np.abs(sums[1.0].mean(0) - others.mean(0)).max() < 0.1
    assert np.abs(sums[0.0].mean(0) - others.mean(0)).max() > 0.5


def test_respiration_moves_the_rate_as_much_as_drawn():
    usual, marked = (shown(age=20.0, sinus_arrhythmia=size) for size in (1.0, 3.0))
    a, b = (np.diff(beat_times(one, generator(4), seconds=300.0)[0]) for one in (usual, marked))
    # 0.056 and 0.168, over sqrt 2, with 1.5 % / sqrt 2 and 0.8 % besides
    for intervals, size in ((a, 0.056), (b, 0.168)):
        wanted = np.hypot(np.hypot(size, 0.015) / np.sqrt(2), 0.008)
        assert intervals.std() / intervals.mean() == pytest.approx(wanted, rel=0.15)
