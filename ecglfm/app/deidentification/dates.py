"""Dates and times as tables, headers and exports spell them: found, shifted, and written as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

#: First letters of months, in lower case: English, German, French, Spanish, Italian, Portuguese, Dutch, Scandinavian,
#: Russian.
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan gen ene янв", "feb fev fév фев", "mar mrz mär maer maart mrt мар", "apr abr avr апр",
         "may mai mag mei maj май мая", "jun juin giu июн", "jul juil lug июл", "aug aou ago aoû авг", "sep set сен",
         "oct okt out ott окт", "nov ноя", "dec dez dic déc des дек"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")[a-zà-ÿа-яё]{0,7}"
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:([ T])(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(\.\d{1,9})?)?", re.ASCII)
_HEADER_DATES = ("%d/%m/%Y", "%d-%b-%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d")
_NUMBERS = re.compile(r"(?<!\d)(\d{1,4})(?:([-./_])(\d{1,2})\2(\d{1,4})|\s(\d{1,2})\s(\d{4}))(?!\d)", re.ASCII)
_COMPACT = re.compile(r"(?<!\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\d{4}(?:\d\d)?)?(?!\d)", re.ASCII)
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er)?[\s.,_-]*(?:(?:of|de|di)\s+)?{_MONTH}[\s.,'_-]*(?:de\s+)?(\d{{4}}|\d\d)(?!\d)",
    re.I,
)
_MONTH_DAY = re.compile(rf"(?<![a-z]){_MONTH}[\s.,_-]*(\d{{1,2}})(?:st|nd|rd|th)?[\s.,'_-]+(\d{{4}}|\d\d)(?!\d)", re.I)
_YEAR_MONTH = re.compile(rf"(?<!\d)(\d{{4}})[\s.,_-]*{_MONTH}[\s.,_-]*(\d{{1,2}})(?!\d)", re.I)

#: Of Chinese and Japanese, and of Korean.
_SIGNED = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})(?:\s*[日号일])?")
_MONTH_YEAR = re.compile(
    rf"(?<![a-z]){_MONTH}[\s.,'_-]*(?:de\s+)?(?:19|20)\d\d(?!\d)|(?<![\d/-])(?:0?[1-9]|1[0-2])[/-](?:19|20)\d\d(?![\d/-])"
    r"|(?<!\d)(?<!\d[-/_])(?:19|20)\d\d[-/_](?:0[1-9]|1[0-2])(?![\d/_-])"
    r"|(?:19|20)\d\d\s*[年년]\s*\d{1,2}\s*[月월]",
    re.I,
)


def back(when: date, days: int) -> date:
    """`when`, so many days earlier; the first day there is where that would be before it."""
    return when - timedelta(days=min(days, when.toordinal() - 1))


def coarse(text: str, how: str) -> str | None:
    """A time of day as the rule `time` wants it, in its own spelling; None where it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        return None
    if how == "keep":
        return text.strip()
    hour = match[1] if how == "hour" else "0" * len(match[1])
    return f"{hour}:00" + (":00" if match[3] else "")


def read_date(text: str, form: str = "") -> date | None:
    """The day that a text names, ISO or of `form` (strftime's); None where it is none."""
    text = text.strip()
    try:
        if form:
            return datetime.strptime(text, form).date()
        match = _ISO.fullmatch(text)
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def header_date(text: str) -> date | None:
    """The day of a record line: header(5) has DD/MM/YYYY, databases write `05-May-2020` and ISO too."""
    return next((found for form in _HEADER_DATES if (found := read_date(text, form))), None)


def shifted(text: str, days: int, time: str, form: str = "") -> str | None:
    """A date, or date and time, `days` earlier, spelled as it was; None where it is none."""
    text = text.strip()
    when = read_date(text, form)
    if when is None:
        return None
    earlier = back(when, days)
    if form:
        moment = datetime.combine(earlier, datetime.strptime(text, form).time())
        if time != "keep":
            moment = moment.replace(hour=moment.hour if time == "hour" else 0, minute=0, second=0, microsecond=0)
        return moment.strftime(form)
    match = _ISO.fullmatch(text)
    assert match is not None
    written = earlier.isoformat()
    if match[4]:
        moment_text = text[11:].removesuffix(match[9] or "")
        written += match[4] + str(coarse(moment_text, time) or "00:00") + (match[9] or "")
    return written


def dates_in(text: str) -> Iterator[tuple[int, int, set[date]]]:
    """Whatever may be a date in a text, however it is spelled: from where to where, and the days that it may be."""
    for match in _NUMBERS.finditer(text):
        parts = [part for part in match.group(1, 3, 4, 5, 6) if part]
        yield (*match.span(), _days(*parts))
    for match in _COMPACT.finditer(text):
        a, b, c, d = match.groups()
        yield (*match.span(), _days(a + b, c, d) | _days(a, b, c + d))
    for match in _SIGNED.finditer(text):
        yield (*match.span(), set(_day((int(match[1]),), int(match[2]), int(match[3]))))
    for pattern, order in ((_DAY_MONTH, (2, 1, 0)), (_MONTH_DAY, (2, 0, 1)), (_YEAR_MONTH, (0, 1, 2))):
        for match in pattern.finditer(text):
            year, month, day = (match[1 + place] for place in order)
            yield (*match.span(), set(_day(_year(year), _MONTHS[month.lower()], int(day))))


def without_months(text: str, instead: str) -> str:
    """A text with `instead` in place of each month of a year (`March 1931`, `03/1931`, `1931-03`), days being gone."""
    return _MONTH_YEAR.sub(instead, text)


def _days(first: str, second: str, third: str) -> set[date]:
    """Days that three numbers may be: year, month, day; day, month, year; month, day, year."""
    found: set[date] = set()
    if len(first) != 3 and len(third) <= 2:
        found.update(_day(_year(first), int(second), int(third)))
    if len(first) <= 2 and len(third) != 3:
        found.update(_day(_year(third), int(second), int(first)))
        found.update(_day(_year(third), int(first), int(second)))
    return found


def _year(text: str) -> tuple[int, ...]:
    return (1900 + int(text), 2000 + int(text)) if len(text) <= 2 else (int(text),)


def _day(years: tuple[int, ...], month: int, day: int) -> Iterator[date]:
    for year in years:
        try:
            yield date(year, month, day)
        except ValueError:
            continue
