"""When a recording was made: the columns in which databases and devices say so, and how their dates are read."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

import pandas as pd

#: Columns of the databases' own, and of heads of files, that hold a date: PTB-XL, MIMIC-IV-ECG, CardioSoft, DICOM and
#: other devices, MUSE.
DATES = ("recording_date", "ecg_time", "ObservationDateTime", "acquired", "AcquisitionDate")
#: The column with the time of day, where it does not stand with the date.
TIMES_OF_DAY = {"AcquisitionDate": "AcquisitionTime"}
#: No date by itself: a time of day, or a word, of which pandas would make one of today.
_NO_DATE = r"\D*|\s*[Tt]?\d{1,2}:.*"
#: Day and month, in whichever order, before the year.
_YEAR_LAST = re.compile(r"(?P<first>\d{1,2})(?P<sign>[./-])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})(?!\d)", re.ASCII)

_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}", re.ASCII)
#: Years in which a person may be seen, also where a database moves its dates; registers write 9999 for never.
YEARS = range(1900, 2251)


def columns_of(date: str, there: Collection[str]) -> list[str]:
    """A column with dates and, where it is there, the one with their times of day."""
    return [date, *(name for name in [TIMES_OF_DAY.get(date)] if name in there and name is not None)]


def made_at(date: pd.Series, time: pd.Series | None = None) -> pd.Series:
    """When recordings were made; NaT where it is unknown or no date.

    Parameters
    ----------
    date : Series
        `1991-03-05 08:00:00`, `19910305`, a month first (`03-05-1991`, MUSE), or a year alone. The day is first
        between full stops (`05.03.1991`), and in a column where it must be in one (`25-12-1991`), the month in none.
    time : Series, optional
        `08:00:00`, in rows of their own.

    Returns
    -------
    Series of datetime64 in UTC
        With the index of `date`.
    """
    texts = date.astype("string").str.strip()
    texts = texts.str.replace(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", regex=True)
    texts = _month_second(texts.mask(texts.str.fullmatch(_NO_DATE).fillna(False)))
    if time is not None:
        texts = texts.str.cat(time.astype("string").str.strip().fillna("00:00:00"), sep=" ")
    return pd.to_datetime(texts, errors="coerce", format="mixed", utc=True)


def _month_second(texts: pd.Series) -> pd.Series:
    """The same dates; those that have the day first begin with the year."""
    dates = {text: match for text in texts.dropna().unique() if (match := _YEAR_LAST.match(text))}
    others = [(int(match["first"]), int(match["second"])) for match in dates.values() if match["sign"] != "."]
    day_first = any(first > 12 for first, _ in others) and not any(second > 12 for _, second in others)
    turned = {
        text: f"{match['year']}-{match['second']}-{match['first']}{text[match.end() :]}"
        for text, match in dates.items()
        if match["sign"] == "." or day_first
    }
    return texts.map(turned).fillna(texts).astype("string") if turned else texts


def stated_day(text: str) -> float:
    """Days since 1970 of a date that a person has written, with or without a time of day.

    Parameters
    ----------
    text : str
        `2021-03-05`, `20210305` or `5.3.2021`, and `2021-03-05 08:00`; without a time zone in UTC, as `made_at`.

    Raises
    ------
    ValueError
        It is no date, or one that may be read in two ways (`03/05/2021`), or of a year in which nobody is seen.
    """
    day, _, time = text.upper().replace("T", " ").partition(" ")
    if german := _GERMAN.fullmatch(day):
        day = f"{german[3]}-{german[2]:>02}-{german[1]:>02}"
    elif not _ISO.fullmatch(day):
        raise ValueError(text)
    found = datetime.fromisoformat(f"{day} {time}".strip())
    if found.year not in YEARS:
        raise ValueError(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() / 86400
