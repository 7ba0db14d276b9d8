"""Values that no class takes are told of: a recording with a slip of the pen was left out as one without a class."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.data.labels.other_values import OtherValues
from tests.unit.data.labels.ten_records import INDEX

GRADES = {"low": {"column": {"grade": ["1"]}}, "high": {"column": {"grade": ["3"]}}}


def test_cells_that_say_something_are_counted_and_the_commonest_shown() -> None:
    others = OtherValues()
    others.add("t.csv: column 'c'", pd.Series(["II ", None, "", "NA", "x"]))
    others.add("t.csv: column 'c'", pd.Series(["II", "2"]))
    others.add("t.csv: column 'd'", pd.Series([None, "n/a"], dtype="object"))
    others.add("e", pd.Series(list("abcdef")))
    assert list(others.told()) == [
        "t.csv: column 'c' has 'II', 'x', '2' in 4 recordings, which are of no class and left out",
        "e has 'a', 'b', 'c', 'd', 'e', … in 6 recordings, which are of no class and left out",
    ]


@pytest.mark.parametrize("missing", ["negative", "ignore"])
def test_a_slip_of_the_pen_in_a_class_is_told(run, caplog: pytest.LogCaptureFixture, missing: str) -> None:
    index = INDEX.assign(**{"native.grade": ["1", "3", "l", "3", None, "1", "l", "3", "2", "1"]})
    _, ledger = run(GRADES, index, kind="multiclass", missing=missing)
    left_out = {number for number, reason in ledger.items() if reason == "no_label"}
    assert left_out == ({2, 6, 8} if missing == "ignore" else {2, 4, 6, 8})
    told = [message for message in caplog.messages if "no class" in message]
    assert told == [
        "task 't': index/s.parquet: column 'native.grade' has 'l', '2' in 3 recordings, which are of no class and left out"
    ]


def test_other_kinds_and_what_is_excluded_tell_nothing(run, caplog: pytest.LogCaptureFixture) -> None:
    run(GRADES, kind="multilabel")
    run(GRADES, kind="multiclass", exclude={"challenge2021": {"column": {"grade": ["2"]}}})
    assert "no class" not in caplog.text
