"""Crops, windows and millivolts against the samples themselves."""

from __future__ import annotations

import mmap
import pickle
import resource
from types import SimpleNamespace

import numpy as np
import pytest

from ecglfm.config import UserError
from ecglfm.data.samples import dataset
from ecglfm.data.samples.dataset import Signals, load_records, to_millivolts
from ecglfm.data.samples.shards import Shards


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


def test_past_the_end_of_a_record_is_zero_not_the_next_record(tmp_path, write_records):
    signals = Signals(write_records(tmp_path, {"a": [6, 8]}), tmp_path)
    crop = signals.crops(np.array([0]), np.array([4]), 4)[0]
    assert crop.tolist() == [[4, 10004], [5, 10005], [0, 0], [0, 0]]
    assert signals.crops(np.array([1]), np.array([6]), 20)[0, :3, 0].tolist() == [12, 13, 0]  # and of the file


def test_windows_by_hand(tmp_path, write_records):
    windows = Signals(write_records(tmp_path, {"a": [100, 120, 30]}), tmp_path).windows(50)
    assert windows.values.tolist() == [[0, 0, 50], [0, 50, 50], [1, 0, 50], [1, 50, 50], [2, 0, 30]]


def test_millivolts_are_channels_first():
    crops = np.array([[[1000, -32767], [500, 1]]], np.int16)
    values = to_millivolts(crops)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([[[1.0, 0.5], [-32.767, 0.001]]], np.float32))


def test_millivolts_straight_from_the_files_are_those_of_the_crops(cohort):
    signals = cohort[1]
    rows, starts, valid = np.array([5, 0, 5, 9]), np.array([3, 60, 40, 0]), np.array([50, 20, 50, 7])
    lead_mask = np.array([[True, False], [True, True], [False, True], [False, False]])
    crops = signals.crops(rows, starts, 50, valid)
    expected = np.where(lead_mask[:, :, None], crops.transpose(0, 2, 1) / np.float32(1000), np.float32(0))
    assert (crops[1, 20:] == 0).all()
    assert (crops[1, :20] != 0).all()
    straight = to_millivolts(signals.views(rows, starts, 50, valid), lead_mask, length=50)
    for values in (straight, to_millivolts(crops, lead_mask)):
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values.view(np.int32), expected.astype(np.float32).view(np.int32))


def test_samples_are_read_from_the_map_and_copied_once(cohort):
    # Pieces are views: no second copy of the data set is anywhere.
    signals = cohort[1]
    for piece in signals.views(np.array([0, 4]), np.array([2, 3]), 10):
        owner = piece
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        assert isinstance(owner.base, mmap.mmap)
        assert not piece.flags.writeable


def test_records_read_ahead_in_runs(tmp_path, write_records, monkeypatch):
    # a and c lie in shard 0, b in shard 1: records 0-1 (a), 2 (b), 3-5 (c).
    records = write_records(tmp_path, {"a": [6, 8], "b": [5], "c": [3, 4, 9]})
    signals = Signals(records, tmp_path)
    asked = []
    monkeypatch.setattr(Shards, "read_ahead", lambda _, *place: asked.append(place))
    assert signals.read_ahead(np.array([5, 1, 3, 2, 0])) == 3
    assert asked == [(0, 0, 17), (0, 21, 30), (1, 0, 5)]  # record 4 was not asked for


def test_crops_are_read_ahead_while_pages_come_from_disk(cohort, monkeypatch):
    signals, asked, faults = cohort[1], [], [3]
    monkeypatch.setattr(Shards, "read_ahead", lambda _, *place: asked.append(place))
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_majflt=faults[0]))
    monkeypatch.setattr(dataset, "_ADVISED_BATCHES", 2)

    def advised():
        asked.clear()
        signals.crops(np.array([1]), np.array([0]), 5)
        return len(asked)

    assert [advised() for _ in range(4)] == [1, 1, 0, 0]  # warm: no more
    faults[0] += 1
    assert [advised() for _ in range(3)] == [1, 1, 0]


def test_pickling_leaves_the_samples_behind(cohort):
    signals = cohort[1]
    expected = signals.crops(np.array([0]), np.array([0]), 5)
    assert len(pickle.dumps(signals)) < 5000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(signals)).crops(np.array([0]), np.array([0]), 5), expected)


def test_a_missing_or_short_file_is_named(tmp_path, write_records):
    records = write_records(tmp_path, {"a": [60]})
    with pytest.raises(UserError, match=r"db/000\.npy.*needs int16 with 61 samples"):
        Signals(records.assign(offset=1), tmp_path).crops(np.array([0]), np.array([0]), 5)
    with pytest.raises(UserError, match=r"db/004\.npy: no such file"):
        Signals(records.assign(shard=4), tmp_path).crops(np.array([0]), np.array([0]), 5)


def test_records_of_other_sources_and_missing_columns(tmp_path, write_records):
    records = write_records(tmp_path, {"a": [60], "b": [60]})
    records.to_parquet(tmp_path / "records.parquet")
    assert len(load_records(tmp_path / "records.parquet", ["db"])) == 2
    with pytest.raises(UserError, match="no records of other"):
        load_records(tmp_path / "records.parquet", ["other"])
    records.drop(columns="offset").to_parquet(tmp_path / "records.parquet")
    with pytest.raises(UserError, match="'offset' is missing"):
        load_records(tmp_path / "records.parquet")
