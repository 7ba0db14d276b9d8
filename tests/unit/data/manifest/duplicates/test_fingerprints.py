"""Fingerprints of recordings: alike at any rate, and small."""

import numpy as np
import pytest

from ecglfm.data.manifest.duplicates.fingerprints import SCALE, fingerprint, make_fingerprints
from tests.unit.data.recordings_in_memory import Given, beating


def test_copies_at_another_rate_have_the_same_fingerprint():
    at_500, at_360 = (beating(3, n_samples=10 * rate, rate=rate) for rate in (500, 360))
    (times, vectors), (others, theirs) = fingerprint(at_500, 500), fingerprint(at_360, 360)
    assert np.allclose(times, others, atol=0.01)
    assert (np.einsum("ij,ij->i", vectors.astype(int), theirs.astype(int)) / SCALE**2 > 0.95).all()


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_shift_by_part_of_a_coarse_sample_costs_next_to_nothing(shift):
    signal = beating(11)
    (_, vectors), (_, others) = fingerprint(signal, 500), fingerprint(signal[shift:], 500)
    beats = np.einsum("ij,ij->i", vectors[2:-1].astype(int), others[2:-1].astype(int)) / SCALE**2
    assert len(beats) > 4
    assert (beats > 0.995).all()


def test_fingerprints_stay_below_a_kilobyte_a_record():
    signals = Given(beating(seed, rr=0.5) for seed in range(20))  # 120 beats a minute
    prints = make_fingerprints(signals, np.full(20, 500.0), np.arange(20))
    size = sum(part.nbytes for part in (prints.rows, prints.begins, prints.times, prints.vectors))
    assert size / 20 < 1500
    assert (np.bincount(prints.rows) > 10).all()
