"""Changes by their physical units: what is added, moved and turned is known beforehand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ecglfm.config import LEADS
from ecglfm.config.augmentation import (
    BaselineConfig,
    GainConfig,
    LeadPermutationConfig,
    NoiseConfig,
    PowerlineConfig,
    RotationConfig,
    TimeWarpConfig,
)
from ecglfm.models.augmentation.changes import (
    KINDS,
    Baseline,
    Gain,
    LeadPermutation,
    Noise,
    Powerline,
    Rotation,
    TimeWarp,
    rotation,
    warp,
)
from ecglfm.models.augmentation.electrodes import DOWER, leads_of_electrodes
from ecglfm.models.pretraining.random import record_keys

RATE, SAMPLES = 500, 1000


def of_electrodes(records: int, leads: Sequence[str] = LEADS, samples: int = SAMPLES) -> Tensor:
    """Leads of random potentials, so consistent with each other, millivolts."""
    generator = torch.Generator().manual_seed(0)
    potentials = torch.randn(records, 9, samples, generator=generator)
    return torch.as_tensor(leads_of_electrodes(leads), dtype=torch.float32) @ potentials


def added(change: Callable[..., Tensor], records: int = 64, samples: int = SAMPLES) -> np.ndarray:
    """What a change adds to silence, (records, leads, samples)."""
    keys, length = record_keys(5, 0, records), torch.full((records,), samples)
    return change(torch.zeros(records, 12, samples), keys, length).double().numpy()


def is_consistent(x: np.ndarray | Tensor, tolerance: float = 2e-5) -> bool:
    """Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2."""
    one, two, three, right, left, foot = (np.asarray(x[:, lead], np.float64) for lead in range(6))
    parts = (three - two + one, right + (one + two) / 2, left - one + two / 2, foot - two + one / 2)
    return max(np.abs(part).max() for part in parts) < tolerance


def test_white_noise_has_its_power_in_every_lead() -> None:
    noise = added(Noise(NoiseConfig(kind="noise", mv=(0.1, 0.1)), LEADS, RATE))
    rms = np.sqrt((noise**2).mean(axis=(0, 2)))  # of 64000 numbers, standard error 0.3 %
    expected = [0.1] * 3 + [0.1 * math.sqrt(3) / 2] * 3 + [0.1 * math.sqrt(2 / 3)] * 6
    np.testing.assert_allclose(rms, expected, rtol=0.012)
    assert is_consistent(noise, 1e-6)
    flat = noise.transpose(1, 0, 2).reshape(12, -1)
    assert np.corrcoef(flat[6], flat[7])[0, 1] == pytest.approx(0.25, abs=0.02)  # they share a third of a limb's noise
    assert np.corrcoef(flat[6, 1:], flat[6, :-1])[0, 1] == pytest.approx(0, abs=0.02)  # white
    standard = flat[6] / flat[6].std()
    assert (np.abs(standard) < 1).mean() == pytest.approx(0.683, abs=0.01)  # normal
    assert (np.abs(standard) < 2).mean() == pytest.approx(0.954, abs=0.005)


def test_amplitudes_are_drawn_between_the_limits() -> None:
    noise = added(Noise(NoiseConfig(kind="noise", mv=(0.1, 0.3)), LEADS, RATE), records=400)
    rms = np.sqrt((noise[:, 0] ** 2).mean(axis=1))
    assert np.quantile(rms, [0.02, 0.5, 0.98]) == pytest.approx([0.104, 0.2, 0.296], abs=0.015)


def test_the_mains_are_one_line_of_the_spectrum() -> None:
    hum = added(Powerline(PowerlineConfig(kind="powerline", mv=(0.2, 0.2), hz=50), LEADS, RATE), records=500)
    power = np.abs(np.fft.rfft(hum, axis=2)) ** 2  # 2 s: half a hertz a line
    assert (power[:, :, 100].sum() / power.sum()) == pytest.approx(1, abs=1e-6)
    mean = np.sqrt((hum**2).mean(axis=(0, 2)))
    np.testing.assert_allclose(mean[[0, 1, 2]], 0.2, rtol=0.05)
    assert is_consistent(hum, 1e-5)
    # Two electrodes of amplitude 0.2 mV with any phases: a lead between them has 0 to 0.4 mV.
    peak = np.abs(hum[:, 0]).max(axis=1)
    assert (peak.min(), peak.max()) == (pytest.approx(0, abs=0.01), pytest.approx(0.4, abs=0.005))


def test_the_baseline_wanders_slowly() -> None:
    change = Baseline(BaselineConfig(kind="baseline", mv=(0.3, 0.3), hz=(0.5, 2.0)), LEADS, RATE)
    drift = added(change, records=100, samples=20_000)  # 40 s: 0.025 Hz a line
    power = (np.abs(np.fft.rfft(drift * np.hanning(20_000), axis=2)) ** 2).sum(axis=(0, 1))
    hz = np.fft.rfftfreq(20_000, 1 / RATE)
    inside = (hz > 0.4) & (hz < 2.1)
    assert power[inside].sum() / power.sum() > 0.9999
    halves = [power[(hz > low) & (hz < low + 0.75)].sum() for low in (0.5, 1.25)]
    assert halves[0] / sum(halves) == pytest.approx(0.5, abs=0.06)  # as often below as above 1.25 Hz
    np.testing.assert_allclose(np.sqrt((drift**2).mean(axis=(0, 2)))[:3], 0.3, rtol=0.06)
    assert is_consistent(drift, 1e-5)


def test_gain_is_one_factor_for_all_leads() -> None:
    x, keys, length = of_electrodes(200), record_keys(1, 0, 200), torch.full((200,), SAMPLES)
    doubled = Gain(GainConfig(kind="gain", db=(20 * math.log10(2),) * 2), LEADS, RATE)(x, keys, length)
    torch.testing.assert_close(doubled, 2 * x)
    drawn = Gain(GainConfig(kind="gain", db=(-6, 6)), LEADS, RATE)(x, keys, length)
    db = 20 * torch.log10(drawn / x)
    assert (db.amax((1, 2)) - db.amin((1, 2))).max() < 1e-2
    assert np.quantile(db[:, 0, 0], [0.01, 0.5, 0.99]) == pytest.approx([-5.9, 0, 5.9], abs=0.7)
    assert is_consistent(drawn)


def test_a_warp_moves_a_planted_peak_by_its_percentage() -> None:
    x = torch.zeros(3, 2, 1001)
    for place in (0, 200, 500, 800, 1000):
        x[:, 0, place] = 1.0
    warped = warp(x, torch.tensor([0.05, -0.05, 0.0]), torch.full((3,), 1001))
    assert torch.equal(warped[2], x[2])
    assert (warped[0, 0] > 0.5).nonzero().flatten().tolist() == [0, 210, 525, 810, 1000]  # 500 is the middle
    assert (warped[1, 0] > 0.5).nonzero().flatten().tolist() == [0, 190, 475, 790, 1000]
    assert not warped[:, 1].any()
    ramp = torch.arange(1001.0).expand(1, 1, -1)  # tells from where each sample is
    places = warp(ramp, torch.tensor([0.25]), torch.tensor([1001]))[0, 0]
    assert places[[0, 1, 250, 625, 700, 1000]].tolist() == pytest.approx([0, 0.8, 200, 500, 600, 1000], abs=1e-3)


def test_a_padded_record_is_warped_within_its_length_and_the_config_says_how_far() -> None:
    ramp = torch.arange(100.0).expand(400, 12, -1)
    length = torch.full((400,), 61)
    change = TimeWarp(TimeWarpConfig(kind="time_warp", percent=(10, 10)), LEADS, RATE)
    warped = change(ramp, record_keys(0, 0, 400), length)
    assert warped[0, 0, [0, 11, 33, 60]].tolist() == pytest.approx([0, 10, 30, 60], abs=1e-4)
    drawn = TimeWarp(TimeWarpConfig(kind="time_warp", percent=(-10, 10)), LEADS, RATE)(
        ramp, record_keys(0, 0, 400), length
    )
    middles = [float(np.interp(30, one, np.arange(61))) for one in drawn[:, 0, :61].numpy()]
    assert min(middles) == pytest.approx(27, abs=0.1)
    assert max(middles) == pytest.approx(33, abs=0.1)
    assert is_consistent(change(of_electrodes(4), record_keys(0, 0, 4), torch.full((4,), SAMPLES)))


def permutation(*group: str, leads: Sequence[str] = LEADS) -> LeadPermutation:
    return LeadPermutation(LeadPermutationConfig(kind="lead_permutation", group=list(group)), leads, RATE)


def test_chest_leads_of_a_group_change_places_each_order_as_often() -> None:
    x = torch.arange(12.0)[None, :, None].expand(3000, 12, 5)
    change = permutation("V1", "V3", "V2")
    orders = change(x, record_keys(2, 0, 3000), torch.full((3000,), 5))[:, :, 0].int().tolist()
    for order in orders:
        assert [*order[:6], *order[9:]] == [0, 1, 2, 3, 4, 5, 9, 10, 11]
    counts = [sum(order[6:9] == list(one) for order in orders) for one in itertools.permutations([6, 7, 8])]
    assert sum(counts) == 3000
    assert min(counts) > 430  # 500 each, standard error 20
    swapped = change.permuted(x[:1], torch.tensor([[1, 0, 2]]))[0, :, 0].int().tolist()  # V1 and V3
    assert swapped[6:9] == [8, 7, 6]


@pytest.mark.parametrize("leads", [LEADS, ("V2", "II", "aVR", "I", "aVL", "III", "aVF")])
def test_arms_that_are_mixed_up(leads: Sequence[str]) -> None:
    """Lead I is turned over, II and III change places, so do aVR and aVL; aVF and the chest stay."""
    x = of_electrodes(2, leads)
    swapped = permutation("RA", "LA", leads=leads).permuted(x, torch.tensor([[1, 0], [0, 1]]))
    of = {"I": (-1, "I"), "II": (1, "III"), "III": (1, "II"), "aVR": (1, "aVL"), "aVL": (1, "aVR"), "aVF": (1, "aVF")}
    for place, lead in enumerate(leads):
        sign, other = of.get(lead, (1, lead))
        torch.testing.assert_close(swapped[0, place], sign * x[0, list(leads).index(other)], rtol=0, atol=2e-5)
    assert torch.equal(swapped[1], x[1])
    if leads == LEADS:
        assert is_consistent(swapped)


def turn(
    x: Tensor, degrees: Sequence[float], scale: Sequence[float] = (1, 1, 1), leads: Sequence[str] = LEADS
) -> Tensor:
    angle = torch.deg2rad(torch.tensor([degrees], dtype=torch.float32)).expand(len(x), 3)
    factors = torch.tensor([scale], dtype=torch.float32).expand(len(x), 3)
    return Rotation(RotationConfig(kind="rotation"), leads, RATE).turned(x, angle, factors)


#: Leads of a vector to the left, and of one to the feet, by Dower's table; III, aVR, aVL, aVF by Einthoven, Goldberger.
LEFT = [0.632, 0.235, -0.397, -0.4335, 0.5145, -0.081, -0.515, 0.044, 0.882, 1.213, 1.125, 0.831]
FEET = [-0.235, 1.066, 1.301, -0.4155, -0.768, 1.1835, 0.157, 0.164, 0.098, 0.127, 0.127, 0.076]


def test_a_known_turn_gives_known_leads() -> None:
    left, feet = (torch.tensor(leads)[None, :, None] for leads in (LEFT, FEET))
    torch.testing.assert_close(turn(left, (0, 0, 90)), feet, rtol=0, atol=2e-6)
    torch.testing.assert_close(turn(feet, (0, 0, 90)), -left, rtol=0, atol=2e-6)
    torch.testing.assert_close(turn(left, (70, 0, 0)), left, rtol=0, atol=2e-6)  # about itself
    torch.testing.assert_close(turn(left, (0, 0, 90), (1.5, 1, 1)), 1.5 * feet, rtol=0, atol=2e-6)
    torch.testing.assert_close(turn(left, (90, 0, 90)), feet, rtol=0, atol=2e-6)  # x first: it stays
    torch.testing.assert_close(turn(feet, (90, 0, 90)), turn(feet, (90, 0, 0)), rtol=0, atol=2e-6)  # to the back: z


def test_no_turn_is_the_identity_and_a_turn_back_undoes_it() -> None:
    x = of_electrodes(3)
    assert torch.equal(turn(x, (0, 0, 0)), x)  # also what no vector explains
    turned = turn(x, (30, 0, 0))
    assert float((turned - x).abs().max()) > 0.1
    torch.testing.assert_close(turn(turned, (-30, 0, 0)), x, rtol=0, atol=2e-5)
    assert is_consistent(turn(x, (20, -40, 70), (1.2, 0.8, 1.0)))
    some = [LEADS.index(lead) for lead in ("V6", "V5", "V4", "V3", "V2", "V1", "aVF", "III", "I")]  # II by two others
    part = turn(x[:, some], (20, -40, 70), leads=[LEADS[lead] for lead in some])
    torch.testing.assert_close(part, turn(x, (20, -40, 70))[:, some], rtol=0, atol=2e-5)


def test_angles_are_drawn_within_the_limit() -> None:
    keys, length = record_keys(3, 0, 2000), torch.full((2000,), 1)
    x = torch.tensor(LEFT)[None, :, None].expand(2000, 12, 1)
    still = Rotation(RotationConfig(kind="rotation", degrees=0), LEADS, RATE)(x, keys, length)
    assert torch.equal(still, x)
    turned = Rotation(RotationConfig(kind="rotation", degrees=45), LEADS, RATE)(x, keys, length)
    eight = turned[:, [0, 1, *range(6, 12)], 0].double()
    vector = eight @ torch.as_tensor(np.linalg.pinv(DOWER)).T
    torch.testing.assert_close(vector.norm(dim=1), torch.ones(2000, dtype=torch.float64), atol=1e-5, rtol=0)
    assert 0.5 < float(vector[:, 0].min()) < 0.55  # cos 45 cos 45, of the two axes that move it
    assert float(vector[:, 0].max()) > 0.999
    matrix = rotation(torch.rand(5, 3))
    torch.testing.assert_close(matrix @ matrix.transpose(1, 2), torch.eye(3).expand(5, 3, 3), atol=1e-6, rtol=0)


def test_every_kind_has_a_change() -> None:
    assert set(KINDS) == {
        "noise", "powerline", "baseline", "gain", "time_warp", "lead_permutation", "rotation",
    }  # fmt: skip
