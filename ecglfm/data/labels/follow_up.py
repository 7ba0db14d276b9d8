"""From when a time is counted, when it ends for whom an event is ruled out, and whether an event came within one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from ecglfm.data.labels.selectors import find_target
from ecglfm.provenance import hash_fraction
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
    ruled_out = _ruled_out(time, event, gone)
    return np.where(ruled_out, np.where(gone > 0, end, gone), time), np.where(ruled_out, 0.0, event)


def _ruled_out(time: np.ndarray, event: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Whether another event came, and none before it or with it."""
    return np.asarray(~np.isnan(gone) & ~np.isnan(event) & ~((event == 1) & (time <= gone)))


@dataclass(frozen=True)
class Losses:
    """When records are lost to follow-up, estimated of all of a label's: for whom a competing event hides when.

    Attributes
    ----------
    times : ndarray, shape (k,)
        At which some were lost, ascending.
    kept : ndarray, shape (k,)
        Probability of being followed beyond each, Kaplan and Meier's estimate.
    last : float
        When the last record was seen; -inf where none was.
    """

    times: np.ndarray
    kept: np.ndarray
    last: float

    @classmethod
    def of(cls, time: np.ndarray, event: np.ndarray, gone: np.ndarray) -> Self:
        """Of records as `followed_to_end` takes them; what comes at the time of a loss comes before it."""
        until = np.where(_ruled_out(time, event, gone), gone, time)
        known = (until > 0) & ~np.isnan(event)
        until, lost = until[known], ((event == 0) & np.isnan(gone))[known]
        times, number = np.unique(until[lost], return_counts=True)
        at_risk = number + len(until) - np.searchsorted(np.sort(until), times, side="right")
        return cls(times, np.cumprod(1 - number / at_risk), float(until.max(initial=-np.inf)))

    def followed_until(self, gone: np.ndarray, patients: pd.Series) -> np.ndarray:
        """When follow-up would have ended of whom the event was ruled out: a draw from those who were lost later.

        Ruan & Gray 2008 (doi:10.1002/sim.3402) impute it so, many times; once, as here, is as right, and less sure
        where few are ruled out. What is drawn depends on the patient and on the estimate alone.

        Parameters
        ----------
        gone : ndarray, shape (n,)
            When the event was ruled out; NaN where it was not.
        patients : Series of str, shape (n,)

        Returns
        -------
        ndarray, shape (n,)
            NaN where the event was not ruled out.
        """
        end = np.full(len(gone), np.nan)
        rows = np.flatnonzero(~np.isnan(gone))
        before = np.concatenate([[1.0], self.kept])[np.searchsorted(self.times, gone[rows], side="left")]
        drawn = before * np.array([1 - hash_fraction(f"followed {patients.iloc[row]}", 0) for row in rows])
        place = np.searchsorted(-self.kept, -drawn, side="left")
        end[rows] = np.fmax(gone[rows], np.append(self.times, self.last)[place])
        return end


def days_made(index: Path, offered: list[str], name: str, where: str) -> pd.Series:
    """When each recording of an index was made, in days since 1970, by `record_id`."""
    date = find_target(offered, name, where)
    there = {column.removeprefix("native.") for column in offered}
    columns = [date, *(f"native.{time}" for time in columns_of(date.removeprefix("native."), there)[1:])]
    table = pd.read_parquet(index, columns=["record_id", *columns])
    made = made_at(*(table[column] for column in columns))
    return ((made - pd.Timestamp(0, tz="utc")) / pd.Timedelta(days=1)).set_axis(table["record_id"])
