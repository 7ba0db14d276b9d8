"""Who makes pairs, and of what: crops against what they must be by construction."""

from __future__ import annotations

import numpy as np

from ecglfm.data.loading.pairs import PairSampler
from tests.unit.data.loading.batches_of import LENGTH, names


def test_who_makes_pairs(cohort, caplog):
    caplog.set_level("INFO")
    sampler = PairSampler(cohort[0], split="train", length=LENGTH)
    expected = [f"db/one{i}" for i in range(4)] + [f"db/two{i}" for i in range(8)]
    assert names(cohort, sampler) == expected
    assert "12 patients make pairs (8 from two recordings, 4 from two halves); 2 patients left out" in caplog.text
    assert "3 recordings shorter" in caplog.text
    assert len(PairSampler(cohort[0], split="valid", length=LENGTH)) == 0


def test_pairs_are_two_recordings_or_two_halves_of_one_patient(cohort):
    records = cohort[0]
    sampler = PairSampler(records, split="train", length=LENGTH)
    chosen = np.tile(np.arange(len(sampler)), 200)
    rows, starts, valid = sampler.pairs(chosen, np.random.default_rng(0).random((len(chosen), 4)))
    assert (valid == LENGTH).all()
    length = records["n_samples"].to_numpy()
    owner = records["patient_id"].to_numpy()
    np.testing.assert_array_equal(owner[rows], np.array(names(cohort, sampler))[chosen][:, None].repeat(2, axis=1))
    assert (starts >= 0).all()
    assert (starts + LENGTH <= length[rows]).all()
    single = rows[:, 0] == rows[:, 1]
    assert set(owner[rows[single, 0]]) == {f"db/one{i}" for i in range(4)}
    half = length[rows[single, 0]] // 2
    assert (starts[single, 0] + LENGTH <= half).all()
    assert (starts[single, 1] >= half).all()
    # Every place a crop may start at is reached: 90 - 50 + 1 of them in the shorter recording of two0.
    shorter = records.index[records["record_id"] == "db/two0-1"][0]
    assert set(starts[rows == shorter]) == set(range(41))


def test_patients_with_few_recordings_can_be_left_out(cohort, caplog):
    caplog.set_level("INFO")
    sampler = PairSampler(cohort[0], split="train", length=LENGTH, min_recordings=2)
    owner = cohort[0]["patient_id"].to_numpy()
    assert sorted(set(owner[sampler.recordings(np.arange(8))])) == [f"db/two{i}" for i in range(8)]
    assert len(sampler) == 8
    assert "8 patients make pairs (8 from two recordings, 0 from two halves); 2 patients left out" in caplog.text
    assert "4 more with fewer than min_recordings = 2" in caplog.text


def test_pairs_can_be_the_halves_of_one_recording(cohort, caplog):
    caplog.set_level("INFO")
    records = cohort[0]
    sampler = PairSampler(records, split="train", length=LENGTH, pairs="recording")
    length, owner = records["n_samples"].to_numpy(), records["patient_id"].to_numpy()
    long = (records["split"] == "train").to_numpy() & (length >= 2 * LENGTH)
    assert len(sampler) == len(set(owner[long]))
    assert f"{len(sampler)} patients make pairs (0 from two recordings, {len(sampler)} from two halves)" in caplog.text
    chosen = np.tile(np.arange(len(sampler)), 200)
    rows, starts, valid = sampler.pairs(chosen, np.random.default_rng(0).random((len(chosen), 4)))
    assert (rows[:, 0] == rows[:, 1]).all()
    assert set(rows[:, 0]) == set(np.flatnonzero(long))  # each long recording of each patient has its turn
    half = length[rows[:, 0]] // 2
    assert (starts[:, 0] + LENGTH <= half).all()
    assert (starts[:, 1] >= half).all()
    assert (starts[:, 1] + LENGTH <= length[rows[:, 1]]).all()
    assert (valid == LENGTH).all()


def test_patients_on_disk(cohort):
    records, signals = cohort
    sampler = PairSampler(records, split="train", length=LENGTH)
    owner = records["patient_id"].to_numpy()
    first = [owner[sampler.recordings(np.array([patient]))[0]] for patient in sampler.on_disk(signals)]
    names = [f"two{i}" for i in range(8)] + [f"one{i}" for i in range(4)]  # as written, every second one to shard 1
    assert first == [f"db/{name}" for name in names[::2] + names[1::2]]
