"""When a recording was made: the columns in which databases and devices say so, and how their dates are read."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

#: Columns of the databases' own, and of heads of files, that hold a date: PTB-XL, MIMIC-IV-ECG, CardioSoft, DICOM and
#: other devices, MUSE.
DATES = ("recording_date", "ecg_time", "ObservationDateTime", "acquired", "AcquisitionDate")
#: The column with the time of day, where it does not stand with the date.
TIMES_OF_DAY = {"AcquisitionDate": "AcquisitionTime"}


def columns_of(date: str, there: Collection[str]) -> list[str]:
    """A column with dates and, where it is there, the one with their times of day."""
    return [date, *(name for name in [TIMES_OF_DAY.get(date)] if name in there and name is not None)]


def made_at(date: pd.Series, time: pd.Series | None = None) -> pd.Series:
    """When recordings were made; NaT where it is unknown or no date.

    Parameters
    ----------
    date : Series
        `1991-03-05 08:00:00`, `19910305`, a month first (`03-05-1991`, MUSE), or a year alone.
    time : Series, optional
        `08:00:00`, in rows of their own.

    Returns
    -------
    Series of datetime64 in UTC
        With the index of `date`.
    """
    texts = date.astype("string").str.strip()
    texts = texts.str.replace(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", regex=True)
    if time is not None:
        texts = texts.str.cat(time.astype("string").str.strip().fillna("00:00:00"), sep=" ")
    return pd.to_datetime(texts, errors="coerce", format="mixed", utc=True)
