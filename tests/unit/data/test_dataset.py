"""Crops against the samples themselves; pairs and batches against what they must be by construction."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.data.dataset import Signals, load_records, to_millivolts
from ecglfm.data.pairs import PairSampler, PretrainBatches

LENGTH = 50


def write_records(folder: Path, lengths: dict[str, list[int]], *, split: str = "train") -> pd.DataFrame:
    """Two shards; sample i of the whole file has the value i, lead k adds 10000 k: every crop tells its place."""
    records, offsets = [], {0: 0, 1: 0}
    for number, (patient, samples) in enumerate(lengths.items()):
        shard = number % 2
        for k, n_samples in enumerate(samples):
            records.append(
                {
                    "record_id": f"db/{patient}-{k}", "source": "db", "patient_id": f"db/{patient}", "split": split,
                    "sampling_rate": 100, "n_samples": n_samples, "shard": shard, "offset": offsets[shard],
                }
            )  # fmt: skip
            offsets[shard] += n_samples
    (folder / "db").mkdir(parents=True, exist_ok=True)
    for shard, total in offsets.items():
        samples = np.arange(total)[:, None] + 10000 * np.arange(2)[None, :]
        np.save(folder / "db" / f"{shard:03d}.npy", samples.astype(np.int16))
    return pd.DataFrame(records)


@pytest.fixture
def cohort(tmp_path):
    """8 patients of two recordings, 4 of one long one, one of a single short, one of too short recordings."""
    lengths = {f"two{i}": [120 + i, 90 + i] for i in range(8)} | {f"one{i}": [100 + i] for i in range(4)}
    lengths |= {"short": [99], "tiny": [20, 30, 49]}
    records = write_records(tmp_path, lengths).sample(frac=1, random_state=1).reset_index(drop=True)
    return records, Signals(records, tmp_path)


def batches(cohort, **options):
    records, signals = cohort
    sampler = PairSampler(records, split="train", length=LENGTH)
    return PretrainBatches(signals, sampler, **({"batch_size": 4, "seed": 7} | options))


def test_crops_are_the_samples_of_the_record(cohort, tmp_path):
    records, signals = cohort
    rows, starts = np.array([0, 3, 5, 3]), np.array([1, 0, 7, 15])
    crops = signals.crops(rows, starts, 5)
    assert crops.shape == (4, 5, 2)
    assert crops.dtype == np.int16
    for crop, row, start in zip(crops, rows, starts, strict=True):
        record = records.iloc[row]
        stored = np.load(tmp_path / "db" / f"{record['shard']:03d}.npy")
        np.testing.assert_array_equal(crop, stored[record["offset"] + start :][:5])


def test_past_the_end_of_a_record_is_zero_not_the_next_record(tmp_path):
    signals = Signals(write_records(tmp_path, {"a": [6, 8]}), tmp_path)
    crop = signals.crops(np.array([0]), np.array([4]), 4)[0]
    assert crop.tolist() == [[4, 10004], [5, 10005], [0, 0], [0, 0]]
    assert signals.crops(np.array([1]), np.array([6]), 20)[0, :3, 0].tolist() == [12, 13, 0]  # and of the file


def test_windows_by_hand(tmp_path):
    windows = Signals(write_records(tmp_path, {"a": [100, 120, 30]}), tmp_path).windows(50)
    assert windows.values.tolist() == [[0, 0, 50], [0, 50, 50], [1, 0, 50], [1, 50, 50], [2, 0, 30]]


def test_millivolts_are_channels_first():
    crops = np.array([[[1000, -32767], [500, 1]]], np.int16)
    values = to_millivolts(crops)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([[[1.0, 0.5], [-32.767, 0.001]]], np.float32))


def test_pickling_leaves_the_samples_behind(cohort):
    signals = cohort[1]
    expected = signals.crops(np.array([0]), np.array([0]), 5)
    assert len(pickle.dumps(signals)) < 5000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(signals)).crops(np.array([0]), np.array([0]), 5), expected)


def test_a_missing_or_short_file_is_named(tmp_path):
    records = write_records(tmp_path, {"a": [60]})
    with pytest.raises(UserError, match=r"db/000\.npy.*needs int16 with 61 samples"):
        Signals(records.assign(offset=1), tmp_path).crops(np.array([0]), np.array([0]), 5)
    with pytest.raises(UserError, match=r"db/004\.npy: no such file"):
        Signals(records.assign(shard=4), tmp_path).crops(np.array([0]), np.array([0]), 5)


def test_records_of_other_sources_and_missing_columns(tmp_path):
    records = write_records(tmp_path, {"a": [60], "b": [60]})
    records.to_parquet(tmp_path / "records.parquet")
    assert len(load_records(tmp_path / "records.parquet", ["db"])) == 2
    with pytest.raises(UserError, match="no records of other"):
        load_records(tmp_path / "records.parquet", ["other"])
    records.drop(columns="offset").to_parquet(tmp_path / "records.parquet")
    with pytest.raises(UserError, match="'offset' is missing"):
        load_records(tmp_path / "records.parquet")


def test_who_makes_pairs(cohort, caplog):
    caplog.set_level("INFO")
    sampler = PairSampler(cohort[0], split="train", length=LENGTH)
    expected = [f"db/one{i}" for i in range(4)] + [f"db/two{i}" for i in range(8)]
    assert sampler.patients.tolist() == expected
    assert "12 patients make pairs (8 from two recordings, 4 from two halves); 2 patients left out" in caplog.text
    assert "3 recordings shorter" in caplog.text
    assert len(PairSampler(cohort[0], split="valid", length=LENGTH)) == 0


def test_pairs_are_two_recordings_or_two_halves_of_one_patient(cohort):
    records = cohort[0]
    sampler = PairSampler(records, split="train", length=LENGTH)
    chosen = np.tile(np.arange(len(sampler)), 200)
    rows, starts = sampler.pairs(chosen, np.random.default_rng(0))
    length = records["n_samples"].to_numpy()
    owner = records["patient_id"].to_numpy()
    np.testing.assert_array_equal(owner[rows], sampler.patients[chosen][:, None].repeat(2, axis=1))
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


def test_every_patient_once_an_epoch_in_another_order(cohort):
    data = batches(cohort)  # 12 pairs, 4 a batch
    assert data.updates_per_epoch == 3
    epochs = []
    for epoch in range(2):
        rows = np.concatenate([data.pairs(3 * epoch + k)[0][:, 0] for k in range(3)])
        epochs.append(cohort[0]["patient_id"].to_numpy()[rows].tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == data.sampler.patients.tolist()
    assert epochs[0] != epochs[1]


def test_the_ranks_share_the_batch_of_a_single_process(cohort):
    options = {"lead_mask_probability": 0.5}
    whole = batches(cohort, batch_size=12, **options)
    ranks = [batches(cohort, batch_size=3, accumulate=2, rank=r, world_size=2, **options) for r in range(2)]
    for step in (0, 1, 5):
        parts = [ranks[r][2 * step + micro]["signal"].numpy() for micro in range(2) for r in range(2)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[step]["signal"].numpy())
        rows = whole.pairs(step)[0][:, 0]
        assert len(set(rows)) == 12  # disjoint, then


def test_a_batch_holds_the_named_crops(cohort):
    data = batches(cohort)
    rows, starts = data.pairs(4)
    signal = data[4]["signal"].numpy()
    assert signal.shape == (8, 2, LENGTH)
    for pair in range(4):
        for side in range(2):
            crop = cohort[1].crops(rows[pair, [side]], starts[pair, [side]], LENGTH)[0]
            np.testing.assert_array_equal(signal[2 * pair + side], (crop.T / np.float32(1000)).astype(np.float32))


def test_leads_are_masked_at_the_given_rate_in_training_only(cohort):
    data = batches(cohort, lead_mask_probability=0.3)
    signal = np.concatenate([data[step]["signal"].numpy() for step in range(200)])
    masked = (signal == 0).all(axis=2)
    assert masked.mean() == pytest.approx(0.3, abs=0.03)  # 3200 draws: 3.7 standard errors
    data = batches(cohort, lead_mask_probability=0.3, training=False)
    assert not (data[0]["signal"].numpy() == 0).all(axis=2).any()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loaded_batches_do_not_depend_on_workers(cohort, num_workers):
    data = batches(cohort, accumulate=1, lead_mask_probability=0.5)
    loaded = [batch["signal"].numpy() for batch in data.load(2, 6, num_workers=num_workers)]
    assert len(loaded) == 4
    for step, signal in zip(range(2, 6), loaded, strict=True):
        np.testing.assert_array_equal(signal, batches(cohort, lead_mask_probability=0.5)[step]["signal"].numpy())


def test_validation_is_the_same_every_time_and_drops_little(cohort):
    data = batches(cohort, batch_size=5, training=False)  # 12 pairs: 3 batches of 4, not 2 of 5
    assert (data.updates_per_epoch, data.batch_size) == (3, 4)
    again = batches(cohort, batch_size=5, training=False)
    assert all(np.array_equal(data[k]["signal"], again[k]["signal"]) for k in range(3))


def test_small_data_make_a_smaller_batch_or_a_clear_error(cohort, caplog):
    assert batches(cohort, batch_size=64).batch_size == 12
    assert "only 12 pairs: batches of 12 instead of 64" in caplog.text
    with pytest.raises(UserError, match="12 patients make pairs, too few for 13 processes"):
        batches(cohort, world_size=13)
