"""When recordings were made, and pairs of one person's by the time between them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.records import YEARS, columns_of, made_at

logger = logging.getLogger(__name__)


def recording_days(indices: Mapping[str, Path], columns: Mapping[str, str]) -> pd.Series:
    """When each recording was made, in days; NaN where a database does not say.

    Parameters
    ----------
    indices : mapping of str to path
        `index/{source}.parquet` of each source.
    columns : mapping of str to str
        The column of a source's own table that says when, a date or a number of days.

    Returns
    -------
    Series of float
        By `record_id`.

    Raises
    ------
    UserError
        A source's table has no such column, or it holds years alone.
    """
    parts = []
    for source, path in indices.items():
        have = [name.removeprefix("native.") for name in pq.read_schema(path).names if name.startswith("native.")]
        if source in columns and columns[source] not in have:
            said = ", ".join(have)
            raise UserError(f"serial.time: {source}: no column {columns[source]!r} in its table, which has: {said}")
        wanted = [f"native.{name}" for name in columns_of(columns[source], have)] if source in columns else []
        table = pd.read_parquet(path, columns=["record_id", *wanted])
        try:
            days = days_of(*(table[name] for name in wanted)) if wanted else pd.Series(np.nan, index=table.index)
        except UserError as error:
            raise UserError(f"serial.time: {source}: column {columns[source]!r}: {error}") from None
        unread = int(days.isna().sum())
        if unread:
            logger.warning(
                "%s: %s no time: no pair by time has them",
                source,
                counted(unread, f"of {len(days)} recordings has", f"of {len(days)} recordings have"),
            )
        parts.append(days.set_axis(table["record_id"]))
    return pd.concat(parts)


def days_of(column: pd.Series, time: pd.Series | None = None) -> pd.Series:
    """Days of numbers of days, or of dates; `19910305` is a date. Raises `UserError` where all are years, as `1991`."""
    numbers, dates = pd.to_numeric(column, errors="coerce"), made_at(column, time)
    written = column.dropna().astype("str").str.strip()
    if numbers.notna().sum() == len(written):
        if len(written) and numbers.dropna().isin(YEARS).all():
            raise UserError(
                f"all are years ({written.iloc[0]}, …), between which the days are not known; name a column of dates, "
                f"or of days that are not all from {YEARS[0]} to {YEARS[-1]}"
            )
        if not (written.str.fullmatch(r"\d{8}") & dates[written.index].notna()).all():
            return numbers.astype("float64")
    return (dates - pd.Timestamp(0, tz="utc")) / pd.Timedelta(days=1)


def bin_names(gaps: Sequence[float]) -> list[str]:
    """What the bins of time between two recordings are called, e.g. `< 1 d`, `1 to 30 d`, `>= 30 d`."""
    inner = [f"{low:g} to {high:g} d" for low, high in itertools.pairwise(gaps)]
    return [f"< {gaps[0]:g} d", *inner, f">= {gaps[-1]:g} d"]


def pairs_by_gap(patients: np.ndarray, days: np.ndarray, gaps: Sequence[float]) -> list[np.ndarray]:
    """Rows of one pair of recordings of each person whose distance in time lies in a bin: everybody counts once.

    Of several pairs in a bin it is the earliest first recording, and the earliest second one after it.

    Parameters
    ----------
    patients : ndarray, shape (n,)
    days : ndarray, shape (n,)
        NaN: unknown, in no pair.
    gaps : sequence of float
        Ends of the bins, days; an end belongs to the bin above it.

    Returns
    -------
    list of ndarray of int, shape (pairs, 2)
        One array a bin.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(gaps) + 1)]
    known = np.flatnonzero(np.isfinite(days))
    order = known[np.lexsort((known, days[known], patients[known]))]
    changes = np.flatnonzero(patients[order][1:] != patients[order][:-1]) + 1
    for rows in np.split(order, changes):
        open_bins = set(range(len(found)))
        for place, first in enumerate(rows[:-1]):
            bins = np.searchsorted(gaps, days[rows[place + 1 :]] - days[first], side="right")
            for number in sorted(open_bins & set(bins.tolist())):
                found[number].append((int(first), int(rows[place + 1 + int(np.argmax(bins == number))])))
                open_bins.remove(number)
            if not open_bins:
                break
    return [np.array(pairs, dtype=np.int64).reshape(-1, 2) for pairs in found]
