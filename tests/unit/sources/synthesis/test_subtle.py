"""What hides conditions above a difficulty of 0.5, and what looks like them: how often it was planted."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ecglfm.sources.synthesis.patient import draw_patient
from ecglfm.sources.synthesis.rhythm import SECONDS
from ecglfm.sources.synthesis.visit import Visit, draw_visit

POPULATION, PATIENTS = (0, 4), 800


@pytest.fixture(scope="module")
def hard() -> list[Visit]:
    return [draw_visit(POPULATION, n, r, difficulty=1.0) for n, r in product(range(PATIENTS), range(2))]


def of(visits: list[Visit], *conditions: str) -> list[Visit]:
    return [visit for visit in visits if visit.heart.condition in conditions]


def share(flags: list[bool]) -> tuple[float, float]:
    """Share of patients, of flags of two recordings each, and four standard errors of a half."""
    return float(np.mean(flags)), 4 * 0.5 / np.sqrt(len(flags) / 2)


def test_half_of_the_fibrillations_begin_or_end_within_the_recording(hard: list[Visit]):
    ill = of(hard, "AFIB")
    found, slack = share([visit.heart.look.episode is not None for visit in ill])
    assert found == pytest.approx(0.5, abs=slack)
    episodes = np.clip([visit.heart.look.episode for visit in ill if visit.heart.look.episode], 0.0, SECONDS)
    length = np.diff(episodes)[:, 0]
    assert 3.5 <= length.min() < 4.5  # 35 to 100 % of it
    assert length.mean() == pytest.approx(6.75, abs=0.7)
    assert 0.3 < (episodes[:, 0] == 0.0).mean() < 0.7
    assert not any(visit.heart.look.episode for visit in hard if visit.heart.condition != "AFIB")


def test_fibrillation_is_less_fast_and_less_irregular(monkeypatch: pytest.MonkeyPatch, hard: list[Visit]):
    ill = of(hard, "AFIB")
    monkeypatch.setattr("ecglfm.sources.synthesis.visit.SUBTLE", 1.0)
    plain = of([draw_visit(POPULATION, n, 0, difficulty=1.0) for n in range(PATIENTS)], "AFIB")
    rates, before = (np.mean([visit.heart.heart_rate for visit in each]) for each in (ill, plain))
    assert 70 < rates < before - 5
    irregular, before = (np.mean([visit.heart.look.irregularity for visit in each]) for each in (ill, plain))
    assert irregular == pytest.approx(0.7 * before, rel=0.1)  # 1 - 0.6 u


def test_blocks_come_and_go_between_beats(hard: list[Visit]):
    blocks = of(hard, "CLBBB")
    found, slack = share([visit.heart.look.blocked > 0 for visit in blocks])
    assert found == pytest.approx(0.6, abs=slack)
    shares = [visit.heart.look.blocked for visit in blocks if visit.heart.look.blocked]
    assert 0.15 <= min(shares) < max(shares) <= 0.7
    for visit in blocks:
        heart, normal = visit.heart, draw_patient(POPULATION, visit.heart.number, difficulty=1.0)
        assert heart.look.blocked == 0 or not np.array_equal(heart.waves, heart.aberrant_waves)
        assert normal.condition == "CLBBB"
    assert not any(visit.heart.look.blocked for visit in hard if visit.heart.condition != "CLBBB")


def test_the_healthy_have_what_looks_like_a_condition(hard: list[Visit]):
    """Half of those with no block and no infarction, by the shares that `_MIMICS` says."""
    well = [v for v in hard if draw_patient(POPULATION, v.heart.number).condition not in {"CLBBB", "AMI", "IMI"}]
    forms = [dict(visit.heart.look.shares[1:]) for visit in well]
    for form, wanted, low, high in (("LVH", 0.125, 0.4, 1.0), ("RBBB", 0.1, 0.4, 1.0), ("early", 0.125, 0.4, 1.0)):
        there = [each[form] for each in forms if form in each]
        assert len(there) / len(well) == pytest.approx(wanted, abs=0.06), form
        assert low <= min(there) < max(there) <= high
    wide = np.array([visit.heart.look.qrs_time for visit in well])
    assert wide.min() == 1.0
    assert np.mean(wide > 1.0) == pytest.approx(0.5, abs=0.08)
    assert 1.4 < wide.max() <= 1.45
    trembling = np.array([visit.setting.tremor for visit in hard])
    assert np.mean(trembling > 0) == pytest.approx(0.2, abs=0.06)
    assert trembling.max() <= 0.08


def test_premature_beats_are_few_and_of_three_kinds(hard: list[Visit]):
    looks = [visit.heart.look for visit in hard if visit.heart.ectopy]
    assert all((look.ectopic_beats or 0) >= 1 for look in looks)
    late, slack = share([look.coupling[0] > 0.7 for look in looks])
    assert late == pytest.approx(0.4, abs=slack)
    assert np.mean([look.interpolated for look in looks]) == pytest.approx(0.24, abs=slack)
    assert not any(look.interpolated and look.fusion for look in looks)  # what comes early meets no normal front
    assert all((look.fusion > 0) == (look.coupling[0] > 0.7) for look in looks)


def test_in_between_it_is_in_between():
    for difficulty, most in ((0.6, 1.09), (0.8, 1.27)):
        looks = [draw_visit(POPULATION, n, 0, difficulty=difficulty).heart.look for n in range(150)]
        assert most - 0.06 < max(look.qrs_time for look in looks) <= most + 1e-9
        assert {round(look.turn, 9) for look in looks} == {round(1 + 0.6 * (2 * difficulty - 1), 9)}
