"""Whether an event came within a time, and from which day it is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.data.labels.follow_up import came_within, days_made

NAN = np.nan


def test_within_two_years_by_hand() -> None:
    cases = [
        (2.0, 1, 1), (0.1, 1, 1), (2.1, 1, 0),  # came by then, or later
        (2.0, 0, 0), (5.0, 0, 0), (1.9, 0, NAN),  # seen for so long without it, or not
        (0.0, 1, NAN), (-1.0, 0, NAN), (NAN, 1, NAN), (1.0, NAN, NAN), (3.0, NAN, NAN),
    ]  # fmt: skip
    time, event, expected = (np.array(column, float) for column in zip(*cases, strict=True))
    np.testing.assert_array_equal(came_within(time, event, 2.0), expected)


def test_days_of_a_date_and_of_a_time_that_stands_apart(tmp_path: Path) -> None:
    index = pd.DataFrame(
        {
            "record_id": ["a", "b", "c"], "native.AcquisitionDate": ["01-02-1970", None, "12-31-1970"],
            "native.AcquisitionTime": ["06:00:00", "06:00:00", None],
        }
    )  # fmt: skip
    index.to_parquet(tmp_path / "s.parquet")
    found = days_made(tmp_path / "s.parquet", list(index), "AcquisitionDate", "task")
    assert found.index.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found, [1.25, NAN, 364])
