"""Dates: found in every spelling, shifted in their own."""

from __future__ import annotations

from datetime import date

import pytest

from ecglfm.app.deidentification.dates import back, coarse, dates_in, header_date, shifted, without_months

DAY = date(1931, 3, 7)


@pytest.mark.parametrize(
    "text",
    [
        "1931-03-07", "07.03.1931", "7.3.1931", "03/07/1931", "7/3/31", "19310307", "07031931", "03071931", "1931_3_7",
        "19310307T101500", "19310307101500", "7 March 1931", "7. März 1931", "March 7th, 1931", "07-Mar-1931", "7MAR31",
        "Mar 7 1931", "1931 March 7", "le 7 mars 1931", "7 de marzo de 1931", "born 07 03 1931.", "x_07031931_y",
        "7 maart 1931", "7 mrt 1931", "7 MARTS 1931", "7 марта 1931 г.", "1931年3月7日", "1931 年 3 月 7 日", "1931년 3월 7일",
    ],
)  # fmt: skip
def test_a_day_is_found_however_it_is_spelled(text: str) -> None:
    assert DAY in {day for _, _, days in dates_in(f"seen {text} at noon") for day in days}


@pytest.mark.parametrize("text", ["5 mei 2020", "5 maj 2020", "5 мая 2020"])
def test_may_is_short_in_every_language(text: str) -> None:
    assert [days for _, _, days in dates_in(text)] == [{date(2020, 5, 5)}]


@pytest.mark.parametrize(
    "month", ["March 1931", "1931-03", "МАЙ 2020", "Fév. 2020", "3/1931", "2020年 5 月", "2020년 5월"]
)
def test_months_of_a_year_are_replaced(month: str) -> None:
    assert without_months(f"seen {month}, 72/min, QT/QTc 380/420", "[date]") == "seen [date], 72/min, QT/QTc 380/420"


@pytest.mark.parametrize("text", ["16 0 -35 16715 0 II", "1000.0(0)/mV", "500 5000", "72 bpm", "may be 3"])
def test_numbers_of_a_header_are_no_days(text: str) -> None:
    assert [days for _, _, days in dates_in(text) if days] == []


def test_a_shift_keeps_the_spelling() -> None:
    assert shifted("2020-03-01", 1, "keep") == "2020-02-29"
    assert shifted("2020-03-01 09:15:11.5+01:00", 366, "keep") == "2019-03-01 09:15:11.5+01:00"
    assert shifted("2020-03-01T09:15:11Z", 1, "hour") == "2020-02-29T09:00:00Z"
    assert shifted("2020-03-01T09:15", 1, "day") == "2020-02-29T00:00"
    assert shifted("01.03.2020 09:15", 1, "keep", "%d.%m.%Y %H:%M") == "29.02.2020 09:15"
    assert shifted("01.03.2020 09:15", 1, "day", "%d.%m.%Y %H:%M") == "29.02.2020 00:00"
    assert shifted("soon", 1, "keep") is None
    assert shifted("2020-02-30", 1, "keep") is None


def test_days_and_times_at_their_ends() -> None:
    assert back(date(1, 1, 3), 365) == date(1, 1, 1)
    assert [coarse("9:15:11", how) for how in ("keep", "hour", "day")] == ["9:15:11", "9:00:00", "0:00:00"]
    assert coarse("23:59", "hour") == "23:00"
    assert coarse("24:00", "keep") is coarse("nine", "keep") is None
    assert header_date("05-May-2020") == header_date("05/05/2020") == date(2020, 5, 5)
    assert header_date("5000") is None
