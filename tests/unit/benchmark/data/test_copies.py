"""Ways in which a recording is copied: what each does to a signal that is known."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.benchmark.data.copies import RATE, WAYS
from ecglfm.config import LEADS

RNG = np.random.default_rng(0)
LIMBS = RNG.normal(0, 200, (10 * RATE, 2))
I, II = LIMBS.T  # noqa: E741 (the lead's name)
SIGNAL = np.column_stack([I, II, II - I, -(I + II) / 2, I - II / 2, II - I / 2, RNG.normal(0, 200, (10 * RATE, 6))])


def copy(way: str) -> np.ndarray:
    return WAYS[way](SIGNAL, np.random.default_rng(1))


def test_swapped_arms_turn_lead_i_over_and_keep_einthovens_law() -> None:
    found = dict(zip(LEADS, copy("arm electrodes swapped").T, strict=True))
    original = dict(zip(LEADS, SIGNAL.T, strict=True))
    np.testing.assert_array_equal(found["I"], -original["I"])
    for lead, other in (("II", "III"), ("III", "II"), ("aVR", "aVL"), ("aVL", "aVR"), ("aVF", "aVF"), ("V3", "V3")):
        np.testing.assert_array_equal(found[lead], original[other], err_msg=lead)
    np.testing.assert_allclose(found["I"] + found["III"], found["II"], atol=1e-9)


@pytest.mark.parametrize(
    ("way", "order"), [("V1 and V2 swapped", [1, 0, 2, 3, 4, 5]), ("V1-V6 reversed", [5, 4, 3, 2, 1, 0])]
)
def test_chest_leads_change_places(way: str, order: list[int]) -> None:
    found = copy(way)
    np.testing.assert_array_equal(found[:, :6], SIGNAL[:, :6])
    np.testing.assert_array_equal(found[:, 6:], SIGNAL[:, 6:][:, order])


@pytest.mark.parametrize("decibels", [20, 10])
def test_noise_is_so_much_below_each_lead(decibels: int) -> None:
    noise = copy(f"white noise, {decibels} dB") - SIGNAL
    found = 20 * np.log10(SIGNAL.std(axis=0) / noise.std(axis=0))
    np.testing.assert_allclose(found, decibels, atol=0.5)


def test_excerpts_delays_and_steps() -> None:
    np.testing.assert_array_equal(copy("middle 5 s"), SIGNAL[int(2.5 * RATE) : int(7.5 * RATE)])
    later = copy("begins up to 4 s later")
    np.testing.assert_array_equal(later, SIGNAL[-len(later) :])
    assert 6 * RATE < len(later) < 10 * RATE
    steps = copy("steps of 50 uV")
    assert set(np.unique(steps % 50)) == {0}
    assert np.abs(steps - SIGNAL).max() <= 25
    gain = copy("gain 0.3-2") / SIGNAL
    assert gain.min() == pytest.approx(gain.max())
    assert len(copy("clock 1 % fast")) == pytest.approx(len(SIGNAL) / 1.01, abs=1)
