"""Dates as databases and devices write them."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.records.moments import columns_of, made_at, stated_day


def test_dates_in_all_their_forms():
    texts = ["1991-03-05 08:00:00", "19910305", "03-05-1991", "1991", "2180-07-23", "soon", "10", "", None]
    expected = ["1991-03-05 08:00", "1991-03-05", "1991-03-05", "1991-01-01", "2180-07-23", None, None, None, None]
    found = made_at(pd.Series(texts)).dt.tz_localize(None)
    assert [str(one) for one in found] == [str(one) for one in pd.to_datetime(pd.Series(expected), format="mixed")]
    assert made_at(pd.Series([1991, None], dtype="Int64")).dt.year.tolist()[0] == 1991


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["05.03.1991", "25.12.1991 08:30"], ["1991-03-05 00:00", "1991-12-25 08:30"]),
        (["25-12-1991", "05-03-1991", None], ["1991-12-25 00:00", "1991-03-05 00:00", None]),
        (["12/25/1991", "03/05/1991"], ["1991-12-25 00:00", "1991-03-05 00:00"]),
        (["31.01.1991", "03-05-1991"], ["1991-01-31 00:00", "1991-03-05 00:00"]),  # full stops say nothing of others
        (["1991-03-05T08:00", "25-12-1991"], ["1991-03-05 08:00", "1991-12-25 00:00"]),
    ],
)
def test_the_day_is_first_in_all_of_a_column_or_in_none(texts: list[str | None], expected: list[str | None]):
    found = made_at(pd.Series(texts)).dt.strftime("%Y-%m-%d %H:%M")
    assert [None if pd.isna(one) else one for one in found] == expected


def test_a_time_without_a_date_is_not_today():
    texts = ["08:15:00", "8:15 PM", "T08:15", "today", "now", "May"]
    assert made_at(pd.Series(texts)).isna().all()
    assert made_at(pd.Series(["08:15:00"]), pd.Series(["08:15:00"])).isna().all()


def test_a_time_of_day_that_stands_by_itself():
    assert columns_of("AcquisitionDate", ["AcquisitionTime", "Site"]) == ["AcquisitionDate", "AcquisitionTime"]
    assert columns_of("ecg_time", ["AcquisitionTime"]) == ["ecg_time"]
    found = made_at(pd.Series(["08-17-2020", "08-17-2020", None]), pd.Series(["09:15:11", None, "09:15:11"]))
    assert found.dt.strftime("%Y-%m-%d %H:%M:%S").tolist()[:2] == ["2020-08-17 09:15:11", "2020-08-17 00:00:00"]
    assert pd.isna(found[2])


@pytest.mark.parametrize("text", ["2021-03-05", "20210305", "5.3.2021", "05.03.2021", "2021-03-05T00:00:00Z"])
def test_a_day_that_a_person_has_written(text: str):
    assert stated_day(text) == 18691  # `date -d 2021-03-05 +%s` / 86400
    assert stated_day("2021-03-05 06:00") == 18691.25


@pytest.mark.parametrize("text", ["2021-03-05T06:00:00Z", "2021-03-05t06:00:00z", "2021-03-05 08:00+02:00"])
def test_a_moment_of_a_time_zone_is_that_of_a_recording(text: str):
    assert stated_day(text) == 18691.25
    assert made_at(pd.Series([text])).dt.strftime("%Y-%m-%d %H:%M").tolist() == ["2021-03-05 06:00"]


@pytest.mark.parametrize("text", ["03/05/2021", "03-05-2021", "5.3.21", "31.2.2021", "9999-12-31", "1", "2021", "soon"])
def test_no_day_and_one_of_which_nobody_knows_the_month(text: str):
    with pytest.raises(ValueError, match="."):
        stated_day(text)
