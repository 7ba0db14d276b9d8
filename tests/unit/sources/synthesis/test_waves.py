"""Forms of a beat, and what looks like a condition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.sources.synthesis.heart import INDEPENDENT_LEADS, LEAD_VECTORS
from ecglfm.sources.synthesis.look import TEXTBOOK
from ecglfm.sources.synthesis.patient import generator, make_patient
from ecglfm.sources.synthesis.waves import N_P, N_QRS, condition_waves, ectopic_waves, mixed_waves


def test_a_share_moves_the_waves_by_that_part_of_the_way():
    normal, block, infarct = (condition_waves(name) for name in ("NORM", "CLBBB", "AMI"))
    np.testing.assert_allclose(mixed_waves((("CLBBB", 0.25),), 1.0), 0.75 * normal + 0.25 * block)
    both = mixed_waves((("CLBBB", 0.25), ("AMI", 0.5)), 1.0)
    np.testing.assert_allclose(both, normal + 0.25 * (block - normal) + 0.5 * (infarct - normal))
    healed = mixed_waves((("AMI", 1.0),), 0.3)
    st = N_P + N_QRS
    np.testing.assert_allclose(healed[st], normal[st] + 0.3 * (infarct[st] - normal[st]))
    np.testing.assert_allclose(np.delete(healed, st, axis=0), np.delete(infarct, st, axis=0))


def test_a_premature_beat_from_near_the_conduction_system_is_narrower():
    usual, narrow = (ectopic_waves(generator(1), 1.0, duration) for duration in (1.0, 0.6))
    np.testing.assert_allclose(narrow[:2, :2], 0.6 * usual[:2, :2])
    np.testing.assert_array_equal(narrow[2:], usual[2:])
    np.testing.assert_array_equal(narrow[:, 2:], usual[:, 2:])


def beat(form: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Milliseconds from the R peak, and mV of the mean beat of a form: sums of Gaussians, by hand."""
    look = replace(TEXTBOOK, shares=((form, 1.0),))
    waves = make_patient(0, "NORM", ectopy=False, age=50.0, sex="male", rng=None, look=look).waves[N_P:]
    at = np.arange(-100.0, 400.0)
    bumps = np.exp(-0.5 * ((at / 1000 - waves[:, :1]) / waves[:, 1:2]) ** 2)
    return at, dict(zip(INDEPENDENT_LEADS, LEAD_VECTORS @ (waves[:, 2:].T @ bumps), strict=True))


def test_hypertrophy_has_the_voltage_of_sokolow_and_lyon_and_a_strain():
    for form, high in (("NORM", False), ("LVH", True)):
        at, leads = beat(form)
        assert (leads["V5"].max() - leads["V1"][at < 60].min() > 3.5) == high, form
        assert (leads["V6"][(at > 200) & (at < 300)].mean() < 0) == high, form


def test_a_right_bundle_branch_block_ends_late_to_the_right_and_the_front():
    for form, blocked in (("NORM", False), ("RBBB", True)):
        at, leads = beat(form)
        late = (at > 45) & (at < 65)
        assert (leads["V1"][late].max() > 0.2) == blocked, form
        assert (leads["V6"][late].min() < -0.2) == blocked, form
        assert leads["V1"][(at > -35) & (at < -20)].max() > 0.05  # the septum is as it was


def test_early_repolarization_raises_st_and_has_no_q():
    at, normal = beat("NORM")
    _, early = beat("early")
    st, first = at == 100, (at > -35) & (at < -20)
    for lead in ("II", "V3", "V4", "V5"):
        assert 0.05 < (early[lead] - normal[lead])[st][0] < 0.35, lead
    np.testing.assert_allclose(early["V2"][first], normal["V2"][first], atol=0.02)
    assert early["V4"].max() == pytest.approx(normal["V4"].max(), abs=0.05)
