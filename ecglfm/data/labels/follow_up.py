"""From when a time is counted, and whether an event came within one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.data.labels.selectors import find_target
from ecglfm.records import columns_of, made_at


def came_within(time: np.ndarray, event: np.ndarray, limit: float) -> np.ndarray:
    """Whether the event came by then: 1 or 0, NaN where the last news is earlier, or it had come before."""
    value = np.where((time > limit) | ((event == 0) & (time >= limit)), 0.0, np.nan)
    value[(event == 1) & (time <= limit)] = 1
    return np.where((time > 0) & ~np.isnan(event), value, np.nan)


def days_made(index: Path, offered: list[str], name: str, where: str) -> pd.Series:
    """When each recording of an index was made, in days since 1970, by `record_id`."""
    date = find_target(offered, name, where)
    there = {column.removeprefix("native.") for column in offered}
    columns = [date, *(f"native.{time}" for time in columns_of(date.removeprefix("native."), there)[1:])]
    table = pd.read_parquet(index, columns=["record_id", *columns])
    made = made_at(*(table[column] for column in columns))
    return ((made - pd.Timestamp(0, tz="utc")) / pd.Timedelta(days=1)).set_axis(table["record_id"])
