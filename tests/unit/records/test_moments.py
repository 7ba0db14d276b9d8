"""Dates as databases and devices write them."""

from __future__ import annotations

import pandas as pd

from ecglfm.records.moments import columns_of, made_at


def test_dates_in_all_their_forms():
    texts = ["1991-03-05 08:00:00", "19910305", "03-05-1991", "1991", "2180-07-23", "soon", "10", "", None]
    expected = ["1991-03-05 08:00", "1991-03-05", "1991-03-05", "1991-01-01", "2180-07-23", None, None, None, None]
    found = made_at(pd.Series(texts)).dt.tz_localize(None)
    assert [str(one) for one in found] == [str(one) for one in pd.to_datetime(pd.Series(expected), format="mixed")]
    assert made_at(pd.Series([1991, None], dtype="Int64")).dt.year.tolist()[0] == 1991


def test_a_time_of_day_that_stands_by_itself():
    assert columns_of("AcquisitionDate", ["AcquisitionTime", "Site"]) == ["AcquisitionDate", "AcquisitionTime"]
    assert columns_of("ecg_time", ["AcquisitionTime"]) == ["ecg_time"]
    found = made_at(pd.Series(["08-17-2020", "08-17-2020", None]), pd.Series(["09:15:11", None, "09:15:11"]))
    assert found.dt.strftime("%Y-%m-%d %H:%M:%S").tolist()[:2] == ["2020-08-17 09:15:11", "2020-08-17 00:00:00"]
    assert pd.isna(found[2])
