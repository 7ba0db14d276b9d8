"""Pairs of recordings by the time between them, and where the time comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.serial.pairs import bin_names, pairs_by_gap, recording_days


def test_one_pair_a_person_and_bin_by_hand():
    """A at days 0, 0.5, 20, 500; B at 3 and 4; C once; D at an unknown time and day 7; the rows are in no order."""
    rows = [("A", 20.0), ("B", 4.0), ("A", 0.0), ("C", 1.0), ("A", 500.0), ("D", np.nan), ("B", 3.0), ("A", 0.5),
            ("D", 7.0)]  # fmt: skip
    patients, days = np.array([p for p, _ in rows]), np.array([d for _, d in rows])
    found = pairs_by_gap(patients, days, [1, 30, 365])
    assert [pairs.tolist() for pairs in found] == [
        [[2, 7]],  # A: half a day
        [[2, 0], [6, 1]],  # A: 20 days; B: one day, which belongs to the bin above its end
        [],
        [[2, 4]],  # A: 500 days
    ]
    assert bin_names([1, 30, 365]) == ["< 1 d", "1 to 30 d", "30 to 365 d", ">= 365 d"]


def test_nobody_with_a_time_has_pairs():
    assert [len(pairs) for pairs in pairs_by_gap(np.array(["A", "A"]), np.array([np.nan, np.nan]), [2.0])] == [0, 0]


def write_index(path: Path, **columns: list) -> Path:
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_times_are_dates_or_numbers_of_days(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    when = {"native.when": ["1990-01-02 12:00:00", "1990-01-01", None, "soon"]}
    indices = {
        "a": write_index(tmp_path / "a.parquet", record_id=["a/1", "a/2", "a/3", "a/4"], **when),
        "b": write_index(tmp_path / "b.parquet", record_id=["b/1", "b/2"], **{"native.day": ["10", "12.5"]}),
        "c": write_index(tmp_path / "c.parquet", record_id=["c/1"]),
    }
    days = recording_days(indices, {"a": "when", "b": "day"})
    assert days["a/1"] - days["a/2"] == 1.5
    assert days["b/2"] - days["b/1"] == 2.5
    assert days[["a/3", "a/4", "c/1"]].isna().all()
    assert "a: 2 of 4 recordings have no time" in caplog.text
    muse = {"native.AcquisitionDate": ["03-05-1991", "03-05-1991"], "native.AcquisitionTime": ["18:00:00", None]}
    indices |= {
        "d": write_index(tmp_path / "d.parquet", record_id=["d/1", "d/2"], **muse),
        "e": write_index(tmp_path / "e.parquet", record_id=["e/1", "e/2"], **{"native.on": ["19910228", "19910301"]}),
    }
    days = recording_days({name: indices[name] for name in "de"}, {"d": "AcquisitionDate", "e": "on"})
    assert days["d/1"] - days["d/2"] == 0.75
    assert days["e/2"] - days["e/1"] == 1
    with pytest.raises(UserError, match=r"serial.time: a: no column 'date' in its table, which has: when"):
        recording_days(indices, {"a": "date"})


@pytest.mark.parametrize("years", [["1991", "2003", None], [1991.0, 2003.0, np.nan]])
def test_years_alone_are_no_days(tmp_path: Path, years: list):
    index = write_index(tmp_path / "a.parquet", record_id=["a/1", "a/2", "a/3"], **{"native.year": years})
    with pytest.raises(
        UserError, match=r"serial.time: a: column 'year': all are years \(1991.*, between which the days"
    ):
        recording_days({"a": index}, {"a": "year"})
    index = write_index(tmp_path / "a.parquet", record_id=["a/1", "a/2"], **{"native.year": [1991, 12]})
    assert recording_days({"a": index}, {"a": "year"}).tolist() == [1991, 12]  # days since a day
