"""What a patient shows in a recording, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest

from ecglfm.sources.synthesis.look import TEXTBOOK
from ecglfm.sources.synthesis.patient import draw_patient, generator
from ecglfm.sources.synthesis.rhythm import SECONDS, beat_times
from ecglfm.sources.synthesis.visit import MISSED, OVERREAD, Visit, draw_visit

PTBXL, MIMIC = (0, 1), (1, 1)
PATIENTS, RECORDS = 1000, 2


def visits(population: tuple[int, int], difficulty: float = 1.0) -> Iterator[Visit]:
    for number, record in product(range(PATIENTS), range(RECORDS)):
        yield draw_visit(population, number, record, difficulty=difficulty)


@pytest.fixture(scope="module")
def hard() -> list[Visit]:
    return list(visits(PTBXL))


def test_without_difficulty_the_patient_is_seen_as_is():
    for number in range(30):
        visit, patient = draw_visit((0, 5), number, 1, difficulty=0.0), draw_patient((0, 5), number)
        assert (visit.condition, visit.ectopy, visit.site) == (patient.condition, patient.ectopy, None)
        assert visit.heart.look == TEXTBOOK
        np.testing.assert_array_equal(visit.heart.waves, patient.waves)


def test_a_patients_heart_is_the_same_with_and_without_the_arrhythmia(hard: list[Visit]):
    changed = 0
    for first, second in zip(hard[::2], hard[1::2], strict=True):
        if first.heart.condition == "AFIB" and second.heart.condition == "NORM":
            changed += 1
            np.testing.assert_array_equal(first.heart.waves[-5:-3], second.heart.waves[-5:-3])  # R and S
            assert (first.heart.n_p, second.heart.n_p) == (2 if first.heart.look.episode else 0, 2)
            assert (first.heart.age, first.heart.sex) == (second.heart.age, second.heart.sex)
    assert changed > 5


def test_conditions_come_and_go(hard: list[Visit]):
    """Of patients who have it at all, the share whose second recording differs from the first."""
    pairs = list(zip(hard[::2], hard[1::2], strict=True))
    for condition in ("AFIB", "SVTAC", "CLBBB"):
        seen = [(a.heart.condition == condition) != (b.heart.condition == condition)
                for a, b in pairs if condition in {a.heart.condition, b.heart.condition}]  # fmt: skip
        assert 0.1 < np.mean(seen) < 0.6, condition
    went = [a.heart.condition in {"AMI", "IMI"} and b.heart.condition == "NORM" for a, b in pairs]
    assert not any(went)  # an infarction comes, and stays
    came = [a.heart.condition == "NORM" and b.heart.condition in {"AMI", "IMI"} for a, b in pairs]
    assert 0.02 * sum(b.heart.condition in {"AMI", "IMI"} for _, b in pairs) < sum(came)


def test_the_left_bundle_is_blocked_at_higher_rates(hard: list[Visit]):
    rates: dict[bool, list[float]] = {True: [], False: []}
    for a, b in zip(hard[::2], hard[1::2], strict=True):
        if {a.heart.condition, b.heart.condition} == {"CLBBB", "NORM"} and draw_patient(
            PTBXL, a.heart.number
        ).condition == "CLBBB":
            for visit in (a, b):
                rates[visit.heart.condition == "CLBBB"].append(visit.heart.heart_rate)
    assert np.mean(rates[True]) > np.mean(rates[False]) + 3


@pytest.mark.parametrize(("population", "error"), [(PTBXL, 1.0), (MIMIC, 2.0)])
def test_readers_err_as_often_as_stated(hard: list[Visit], population: tuple[int, int], error: float):
    everything = hard if population == PTBXL else list(visits(population))
    there = [v for v in everything if v.heart.condition not in {"NORM", "AMI", "IMI"}]
    missed = np.mean([v.condition == "NORM" for v in there])
    assert missed == pytest.approx(error * MISSED, abs=4 * np.sqrt(error * MISSED / len(there)))
    assert all(v.condition in {"NORM", v.heart.condition} for v in there)
    healthy = [v for v in everything if v.heart.condition == "NORM"]
    for label in ("AFIB", "CLBBB", "AMI", "IMI"):
        said = np.mean([v.condition == label for v in healthy])
        assert said == pytest.approx(error * OVERREAD, abs=4 * np.sqrt(error * OVERREAD / len(healthy)))
    infarcts = [v for v in everything if v.heart.condition in {"AMI", "IMI"}]
    women, men = ([v.condition == "NORM" for v in infarcts if v.heart.sex == sex] for sex in ("female", "male"))
    assert np.mean(women) == pytest.approx(2 * error * MISSED, abs=4 * np.sqrt(2 * error * MISSED / len(women)))
    assert np.mean(men) == pytest.approx(error * MISSED, abs=4 * np.sqrt(error * MISSED / len(men)))


def test_age_sex_and_site_go_with_conditions(hard: list[Visit]):
    old = {c: np.mean([v.heart.age for v in hard if v.heart.condition == c]) for c in ("AFIB", "NORM", "SVTAC")}
    assert old["AFIB"] > old["NORM"] + 8 > old["SVTAC"]
    women = np.mean([v.heart.sex == "female" for v in hard if v.heart.condition in {"AMI", "IMI"}])
    assert women == pytest.approx(0.33, abs=0.06)
    ward = [np.mean([v.site == 2 for v in hard if (v.condition == "AMI") == ill]) for ill in (True, False)]
    assert ward[0] > ward[1] + 0.03


def test_premature_beats_are_as_many_as_drawn(hard: list[Visit]):
    with_some = [v.heart for v in hard if v.heart.ectopy][:100]
    for heart in with_some:
        times, ectopic = beat_times(heart, generator(1, heart.number))
        without, _ = beat_times(replace(heart, ectopy=False), generator(1, heart.number))
        places = np.count_nonzero(without[2::2] < SECONDS - 0.1)
        assert ectopic.sum() == min(heart.look.ectopic_beats or 0, places)
        assert (np.diff(times) > 0).all()
    assert not any(v.heart.look.ectopic_beats for v in hard if not v.heart.ectopy)


@pytest.mark.parametrize("difficulty", [0.5, 1.0])
def test_every_premature_beat_is_in_the_recording_and_comes_before_what_it_replaces(difficulty: float):
    """Of recordings that are said to have some, 1 to 2 % had none: the only one came after the end."""
    shown = 0
    for heart in (visit.heart for visit in visits(PTBXL, difficulty) if visit.heart.ectopy):
        times, ectopic = beat_times(heart, generator(1, heart.number))
        assert ectopic.any()
        assert (times[ectopic] > 0.1).all()
        assert (times[ectopic] < SECONDS - 0.1).all()
        without, _ = beat_times(replace(heart, ectopy=False), generator(1, heart.number))
        if not heart.look.interpolated:
            shown += ectopic.sum()
            assert (times <= without).all()
    assert shown > 300


def test_recordings_follow_each_other_in_time():
    days = np.array([[draw_visit((0, 5), n, r, difficulty=0.0).days for r in range(4)] for n in range(200)])
    gaps = np.diff(days)
    assert ((gaps >= 0.05) & (gaps <= 1200)).all()
    for low, high in ((0, 1), (1, 30), (30, 365), (365, 1201)):  # each bin of a study of reliability has some
        assert ((gaps >= low) & (gaps < high)).mean() > 0.08
    assert (days[:, 0] < 3650).all()


def test_people_grow_older_between_recordings():
    for number in range(50):
        first, *others = (draw_visit((0, 5), number, record, difficulty=1.0) for record in range(4))
        assert first.age == first.heart.age == draw_patient((0, 5), number, difficulty=1.0).age
        for later in others:
            assert 0 <= (later.days - first.days) / 365.25 - (later.age - first.age) < 1
            assert (later.heart.pr, later.heart.age) == (first.heart.pr, first.heart.age)


@pytest.mark.parametrize("difficulty", [0.25, 0.5])
def test_nothing_is_subtle_up_to_half_of_the_difficulty(difficulty: float):
    """A demo's database stays what it was."""
    of_old = {"shares", "injury", "f_waves", "irregularity", "ectopic_size", "ectopic_beats", "early_beats"}
    for number in range(40):
        visit = draw_visit(PTBXL, number, 0, difficulty=difficulty)
        seen = {field.name: getattr(visit.heart.look, field.name) for field in fields(TEXTBOOK)}
        assert {name for name, value in seen.items() if value != getattr(TEXTBOOK, name)} <= of_old
        np.testing.assert_array_equal(visit.heart.waves, visit.heart.aberrant_waves)
        assert visit.setting.tremor == 0.0


def test_what_is_subtle_changes_neither_condition_nor_label(monkeypatch: pytest.MonkeyPatch, hard: list[Visit]):
    monkeypatch.setattr("ecglfm.sources.synthesis.visit.SUBTLE", 1.0)
    for visit, number in zip(hard[:60:2], range(30), strict=True):
        plain = draw_visit(PTBXL, number, 0, difficulty=1.0)
        assert (plain.condition, plain.ectopy, plain.site) == (visit.condition, visit.ectopy, visit.site)
        assert (plain.heart.condition, plain.heart.ectopy) == (visit.heart.condition, visit.heart.ectopy)
        assert (plain.heart.pr, plain.heart.qtc, plain.heart.age) == (visit.heart.pr, visit.heart.qtc, visit.heart.age)
