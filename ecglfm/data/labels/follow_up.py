"""From when a time is counted, when it ends for whom an event is ruled out, and whether an event came within one."""

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


def followed_to_end(
    time: np.ndarray, event: np.ndarray, gone: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Who is ruled out first has no event for as long as he would have been followed.

    These are the data with complete censoring of Fine & Gray 1999 (doi:10.1080/01621459.1999.10474144): of them the
    product-limit estimate is 1 less the cumulative incidence, a Cox model is that of the subdistribution hazard, and
    whoever died before a time is known not to have had the event until then.

    Parameters
    ----------
    time, event : ndarray, shape (n,)
        Of the event or of the last news, and 1 or 0; NaN where not known.
    gone : ndarray, shape (n,)
        When the event was ruled out; NaN where it was not.
    end : ndarray, shape (n,)
        When follow-up would have ended.

    Returns
    -------
    time, event : ndarray, shape (n,)
        Not above 0 where the event was ruled out before time began.
    """
    ruled_out = ~np.isnan(gone) & ~np.isnan(event) & ~((event == 1) & (time <= gone))
    return np.where(ruled_out, np.where(gone > 0, end, gone), time), np.where(ruled_out, 0.0, event)


def days_made(index: Path, offered: list[str], name: str, where: str) -> pd.Series:
    """When each recording of an index was made, in days since 1970, by `record_id`."""
    date = find_target(offered, name, where)
    there = {column.removeprefix("native.") for column in offered}
    columns = [date, *(f"native.{time}" for time in columns_of(date.removeprefix("native."), there)[1:])]
    table = pd.read_parquet(index, columns=["record_id", *columns])
    made = made_at(*(table[column] for column in columns))
    return ((made - pd.Timestamp(0, tz="utc")) / pd.Timedelta(days=1)).set_axis(table["record_id"])
