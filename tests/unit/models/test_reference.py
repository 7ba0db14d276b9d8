"""Distances to planted clouds by a second reckoning, numbers of planted signals, and limits that keep their share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.models.reference import SLOWEST, Cloud, Reference, count_numbers, quality_flags, signal_numbers

RATE = 500.0


def test_numbers_of_planted_signals() -> None:
    t = np.arange(2500) / RATE
    slow, fast = np.sin(2 * np.pi * 3 * t), np.sin(2 * np.pi * 20 * t)
    x = torch.from_numpy(np.stack([slow, -2 * slow, fast]).astype(np.float32))[None]
    found = signal_numbers(x, torch.tensor([2500]), RATE)[0].numpy()
    assert len(found) == count_numbers(3) == 3 + 8 + 1
    np.testing.assert_allclose(found[:3], [-1, 0, 0], atol=0.02)  # I and II against each other, III with neither
    octaves = np.exp(found[3:-1])
    assert octaves[[2, 5]] == pytest.approx([5 / 6, 1 / 6], abs=0.01)  # 2-4 Hz with 1 + 4, 16-32 Hz with 1
    # padding is not looked at, nor a constant
    padded = torch.cat([x[..., :1500] + 1, torch.zeros(1, 3, 1000)], dim=-1)
    short = signal_numbers(padded, torch.tensor([1500]), RATE)[0].numpy()
    np.testing.assert_allclose(short[:3], found[:3], atol=0.02)
    np.testing.assert_allclose(np.exp(short[3:-1]), octaves, atol=0.03)  # a shorter window is less sharp


@pytest.mark.parametrize("per_minute", [40, 75, 180, 400])
def test_beats_are_counted(per_minute: int) -> None:
    t = np.arange(5000) / RATE
    beat = np.exp(-0.5 * (((t * per_minute / 60) % 1 - 0.5) * 60 / per_minute / 0.01) ** 2)
    x = torch.from_numpy(np.stack([beat, -0.5 * beat]).astype(np.float32))[None]
    x[..., 4000:] = 0
    found = signal_numbers(x, torch.tensor([4000]), RATE)[0, -1]
    assert 60 * (np.exp(found) - SLOWEST) == pytest.approx(per_minute, abs=8)


def test_distance_is_mahalanobis_to_many_and_shrunk_to_few() -> None:
    rng = np.random.default_rng(0)
    mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.3, 4.0]])
    many = rng.normal(size=(20000, 3)) @ mixing.T + [5, 0, -5]
    cloud = Cloud(3)
    cloud.fit(many)
    centred = many[:50] - many.mean(axis=0)
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(np.cov(many.T)), centred))
    np.testing.assert_allclose(cloud.distance(many[:50]), wanted, rtol=0.01)
    few = Cloud(40)
    few.fit(rng.normal(size=(20, 40)))  # fewer than numbers: the covariance has no inverse
    assert np.isfinite(few.distance(rng.normal(size=(5, 40)))).all()


def reference(values: np.ndarray) -> Reference:
    made = Reference(2, 2)
    made.fit(values)
    return made


def test_limits_let_a_share_of_genuine_patients_be_flagged_and_what_is_far_is_told() -> None:
    rng = np.random.default_rng(1)
    genuine = rng.normal(size=(9000, 2 + count_numbers(2)))
    made = reference(genuine[:3000])
    flags = [{"lead_off"} if row % 5 == 0 else {"swapped_leads"} if row % 200 == 1 else set() for row in range(3000)]
    made.choose(genuine[3000:6000], flags, (np.arange(3000) // 2).astype(str), 0.05)
    assert made.common == ("lead_off",)
    on_valid = [bool(why) for why in made.reasons(genuine[3000:6000], flags)]
    assert 0.03 < np.mean(on_valid) <= 0.05
    on_new = [bool(why) for why in made.reasons(genuine[6000:], [set()] * 3000)]
    assert np.mean(on_new) == pytest.approx(0.045, abs=0.012)
    far = np.zeros((4, 2 + count_numbers(2)))
    far[0, 0], far[1, -2], far[3, -1] = 20, 20, 20
    told = made.reasons(far, [set(), {"lead_off"}, {"lead_off", "swapped_leads"}, set()])
    assert told[3].startswith("unlike_training: beats ")
    assert told[0].startswith("unlike_training: vector ")
    assert told[1].startswith("unlike_training: signal ")
    assert told[2] == "quality: swapped_leads"
    assert made.share == 0.05


def test_a_rare_flag_that_takes_the_whole_share_leaves_the_distances_none() -> None:
    genuine = np.random.default_rng(2).normal(size=(200, 2 + count_numbers(2)))
    made = reference(genuine)
    flags = [{"einthoven_residual"} if row == 0 else set() for row in range(200)]
    made.choose(genuine, flags, np.arange(200).astype(str), 0.004)
    assert made.common == ()
    assert sum(bool(why) for why in made.reasons(genuine, [set()] * 200)) == 0


def test_flags_of_quality_alone_count() -> None:
    assert quality_flags(["leads_derived", "swapped_leads", "mains_noise", ""]) == {"swapped_leads"}
