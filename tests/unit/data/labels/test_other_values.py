"""Values that no class takes are told of: a recording with a slip of the pen was left out as one without a class."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.data.labels.other_values import OtherValues, Words
from tests.unit.data.labels.ten_records import INDEX

GRADES = {"low": {"column": {"grade": ["1"]}}, "high": {"column": {"grade": ["3"]}}}


def test_cells_that_say_something_are_counted_and_the_commonest_shown() -> None:
    others = OtherValues(exclusive=True)
    others.add("t.csv: column 'c'", pd.Series(["II ", None, "", "NA", "x"]))
    others.add("t.csv: column 'c'", pd.Series(["II", "2"]))
    others.add("t.csv: column 'd'", pd.Series([None, "n/a"], dtype="object"))
    others.add("e", pd.Series(list("abcdef")))
    assert list(others.told()) == [
        "t.csv: column 'c' has 'II', 'x', '2' in 4 recordings, which are of no class and left out",
        "e has 'a', 'b', 'c', 'd', 'e', … (6 different ones) in 6 recordings, which are of no class and left out",
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
    run(GRADES, kind="multilabel")  # a 2 beside 1 and 3 is another grade
    run(GRADES, kind="multiclass", exclude={"challenge2021": {"column": {"grade": ["2"]}}})
    assert "no class" not in caplog.text
    assert "as without the label" not in caplog.text


WORDS = ["1", "0", "ja", "nein", None, "1.0", "NA", "false", "ja ", "2"]
SLIP = (
    "task 't': index/s.parquet: column 'native.af' has 'ja', '2' in 3 recordings, which count as without the label: no"
    " selector names it; name it, too, or leave the cell empty where nothing is known"
)


@pytest.mark.parametrize(
    "selector", [{"column": {"af": ["1"]}}, {"where": "af == '1'"}, {"where": "af in ['1', 'yes']"}]
)
@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_a_word_that_is_neither_yes_nor_no_is_told(run, caplog, kind: str, selector: dict) -> None:
    table, _ = run({"AF": selector}, INDEX.assign(**{"native.af": WORDS}), kind=kind)
    assert table["label.AF"].sum() == (2 if "column" in selector else 1)  # of '1' and '1.0'
    expected = SLIP if "column" in selector else SLIP.replace("'2' in 3", "'1.0', '2' in 4")  # a condition is exact
    assert [message for message in caplog.messages if "without the label" in message] == [expected]


def test_an_event_that_is_neither_yes_nor_no_is_told(run, caplog) -> None:
    selector = {"time": "years", "event": "af == '1'"}
    run({"AF": selector}, INDEX.assign(**{"native.af": WORDS, "native.years": "1"}), kind="survival")
    told = [message for message in caplog.messages if "without the label" in message]
    assert told == [SLIP.replace("'2' in 3", "'1.0', '2' in 4")]


def test_what_is_asked_for_the_other_way_round_or_by_other_words_is_no_slip(run, caplog) -> None:
    index = INDEX.assign(**{"native.af": WORDS, "native.rhythm": ["AF", "sinus"] * 5})
    for selector in ({"where": "af != '0'"}, {"where": "not af == '0'"}, {"column": {"rhythm": ["AF"]}}):
        run({"AF": selector}, index, kind="binary")
    told = [message for message in caplog.messages if "without the label" in message]
    assert told == []


def test_what_is_taken_out_on_purpose_is_no_slip(run, caplog) -> None:
    index, out = INDEX.assign(**{"native.af": WORDS}), {"challenge2021": {"column": {"af": ["2", "ja"]}}}
    run({"AF": {"column": {"af": ["1"]}}}, index, kind="binary", exclude=out)
    assert not [message for message in caplog.messages if "without the label" in message]


def test_both_words_of_two_labels_are_known(run, caplog) -> None:
    labels = {"yes": {"column": {"af": ["1", "ja", "2"]}}, "no": {"column": {"af": ["0"]}}}
    run(labels, INDEX.assign(**{"native.af": WORDS}), kind="multilabel")
    assert not [message for message in caplog.messages if "without the label" in message]


def test_columns_of_classes_that_say_no_are_no_slip_and_many_columns_are_few_lines(caplog) -> None:
    others = OtherValues(exclusive=True)
    names = {f"c{number}": f"c{number}" for number in range(8)}
    others.watch(names, {name: Words(frozenset({"1"})) for name in names})
    for name in names:
        others.add(name, pd.Series(["0", "no", "2"]))
    *first, last = others.told()
    assert first == [f"c{number} has '2' in 1 recording, which is of no class and left out" for number in range(5)]
    assert last == "3 more columns have such values"
