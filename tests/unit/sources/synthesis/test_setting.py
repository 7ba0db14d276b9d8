"""Noise, artefacts and filters of a recording."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.sources.synthesis.heart import ELECTRODES_TO_LEADS, record_leads
from ecglfm.sources.synthesis.patient import draw_patient, generator
from ecglfm.sources.synthesis.setting import QUIET, RATE, Setting, draw_setting

N = 10 * RATE


def finish(leads: np.ndarray, seed: int = 0, **setting) -> np.ndarray:
    return Setting(**setting).finish(leads.astype(np.float32), ELECTRODES_TO_LEADS, generator(seed))


def test_a_quiet_setting_changes_nothing():
    leads = generator(1).standard_normal((8, N)).astype(np.float32)
    np.testing.assert_array_equal(QUIET.finish(leads, ELECTRODES_TO_LEADS, generator(0)), leads)
    assert draw_setting(2, difficulty=0.0, rng=generator(0)) is QUIET


@pytest.mark.parametrize(("hz", "kept"), [(5.0, 1.0), (40.0, 0.7071), (80.0, 0.2130)])
def test_the_band_of_a_machine(hz: float, kept: float):
    """1 / sqrt(1 + r^4), r = tan(pi f / 500) / tan(pi 40 / 500): Butterworth's second order, by the bilinear transform."""
    wave = np.tile(np.sin(2 * np.pi * hz * np.arange(N) / RATE), (8, 1))
    found = finish(wave, band=(0.0, 40.0))[:, N // 2 :].std() * np.sqrt(2)
    assert found == pytest.approx(kept, abs=0.005)


def test_a_filter_at_half_a_hertz_takes_a_step_away():
    step = np.tile(np.arange(N) >= N // 2, (8, 1))
    after = finish(step, band=(0.5, float("inf")))[:, N // 2 + RATE]  # a second later: exp(-2 pi 0.5)
    np.testing.assert_allclose(after, np.exp(-np.pi), atol=0.003)


@pytest.mark.parametrize("what", ["pops", "knocks", "bursts"])
def test_disturbances_enter_at_one_electrode(what: str):
    """So that leads that do not see it stay as they are: of nine electrodes three are seen by all chest leads."""
    added = finish(np.zeros((8, N)), **{what: 1})
    assert 0.05 < np.abs(added).max() < 3.0
    touched = int((np.abs(added).max(axis=1) > 0).sum())
    assert touched in {1, 7, 8}  # a chest electrode; LA or LL, which one limb lead does not see; RA


def test_an_emergency_ward_is_louder():
    loud = [[draw_setting(site, difficulty=1.0, rng=generator(k)).muscle for k in range(300)] for site in (0, 2)]
    assert np.median(loud[1]) == pytest.approx(1.5 * np.median(loud[0]), rel=1e-9)


def test_noise_of_a_setting_reaches_the_leads():
    patient, noise = draw_patient((0, 5), 3), []
    for muscle in (1.0, 4.0):
        leads, _ = record_leads(patient, generator(9), mains=50.0, setting=Setting(muscle=muscle))
        noise.append(np.diff(leads, n=3)[:, :200].std())
    assert 2.0 < noise[1] / noise[0] < 4.0


def test_a_limb_that_trembles_does_so_at_its_own_rate_in_limb_leads_that_have_it():
    """4 to 6.5 Hz, by a periodogram of 10 s; chest leads have a third of it, by Wilson's terminal."""
    for seed in range(6):
        found = Setting(tremor=0.06).finish(np.zeros((8, 10 * RATE), np.float32), ELECTRODES_TO_LEADS, generator(seed))
        power = np.abs(np.fft.rfft(found, axis=1)) ** 2
        assert 3.9 <= power.sum(0).argmax() / 10 <= 6.6
        size = found.std(axis=1)
        np.testing.assert_allclose(size[2:], max(size[:2]) / 3, rtol=1e-3)
        assert max(size[:2]) == pytest.approx(0.06 * np.sqrt(1.09 / 2 * 1.08), rel=0.15)
