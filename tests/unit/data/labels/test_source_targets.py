"""Numbers, times and events of an index's rows, and what a record says nothing about."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from tests.unit.data.labels.ten_records import INDEX, values


def test_regression_takes_the_standard_column_before_the_databases_own(run):
    table, ledger = run({"age": {"value": "age"}}, kind="regression")
    assert list(table.columns) == ["patient_id", "source", "split", "label.age"]
    assert values(table, "label.age") == {0: 30, 1: 41.5, 3: 90, 4: 55, 5: 60, 6: 20, 7: 33}
    assert ledger == {2: "label_unknown", 8: "label_unknown", 9: "no_split"}
    table, _ = run({"age": {"value": "native.age"}}, kind="regression")
    assert set(table["label.age"]) == {300}


def test_text_that_is_no_number_names_file_record_and_column(run):
    with pytest.raises(
        UserError, match=r"labels\.x\.challenge2021: index/s\.parquet: s/0: native\.comment must be a n"
    ):
        run({"x": {"value": "comment"}}, kind="regression")
    with pytest.raises(
        UserError, match=r"s/0: native\.years must be a number, found '1e39'; write it with a decimal p"
    ):
        run({"x": {"value": "years"}}, INDEX.assign(**{"native.years": "1e39"}), kind="regression")


def test_survival_has_times_and_events(run):
    table, ledger = run({"death": {"time": "years", "event": "death"}}, kind="survival")
    assert list(table.columns) == ["patient_id", "source", "split", "time.death", "event.death"]
    assert values(table, "time.death") == {0: 1.5, 1: 2, 4: 4.25, 6: 1, 7: 2}
    assert values(table, "event.death") == {0: 1, 1: 0, 4: 0, 6: 0, 7: 1}
    assert ledger == {2: "time_not_positive", 3: "label_unknown", 5: "label_unknown", 8: "label_unknown", 9: "no_split"}
    by_condition, ledger = run({"death": {"time": "years", "event": "grade == 1"}}, kind="survival")
    assert values(by_condition, "event.death") == {0: 1, 1: 0, 3: 0, 6: 0, 7: 0}
    assert ledger[4] == "label_unknown"  # no grade


@pytest.mark.parametrize("word", ["NA", "NaN", "n/a", "<NA>", "#N/A"])
def test_what_r_and_pandas_write_for_no_value_is_unknown(run, word):
    """As an empty cell is: record 4, whose grade is not known, is neither censored nor a negative."""
    index = INDEX.assign(**{"native.grade": INDEX["native.grade"].fillna(word)})
    table, ledger = run({"death": {"time": "years", "event": "grade == 1"}}, index, kind="survival")
    assert values(table, "event.death") == {0: 1, 1: 0, 3: 0, 6: 0, 7: 0}
    assert ledger[4] == "label_unknown"
    table, _ = run({"one": {"column": {"grade": ["1"]}}}, index, kind="binary", missing="ignore")
    assert values(table, "label.one") == {0: 1, 1: 0, 2: 0, 3: 0, 5: 1, 6: 0, 7: 0, 8: 1}


def test_event_that_is_neither_true_nor_false(run):
    with pytest.raises(
        UserError, match=r"s/1: native\.grade must be true or false, or 1 or 0, found '2'; of other words write a"
    ):
        run({"death": {"time": "years", "event": "grade"}}, kind="survival")


def test_ignore_leaves_unknown_what_a_record_says_nothing_about(run):
    labels = {
        "A": {"snomed": ["A"]},
        "sinus": {"report": ["sinus"]},
        "ab": {"column": {"comment": ["a", "b"]}},
        "male": {"where": "sex == 'male'"},
        "either": {"report": ["sinus"], "column": {"comment": ["a"]}},
    }
    table, _ = run(labels, kind="multilabel", missing="ignore")
    unknown = {name: [int(r[2:]) for r in table.index[table[f"label.{name}"].isna()]] for name in labels}
    assert unknown == {"A": [0, 2, 4, 6, 8], "sinus": [4, 8], "ab": [1, 2, 4], "male": [2], "either": [4]}
    assert values(table, "label.male") == pytest.approx(
        {0: 1, 1: 0, 2: np.nan, 3: 1, 4: 0, 5: 1, 6: 0, 7: 1, 8: 0}, nan_ok=True
    )


def test_among_says_of_which_records_a_selector_knows(run):
    labels = {"SR": {"report": ["sinus"], "among": "grade in [1, 3]"}}
    table, ledger = run(labels, kind="binary")
    assert values(table, "label.SR") == {0: 1, 2: 0, 3: 1, 5: 0, 7: 1, 8: 0}
    assert ledger == {1: "label_unknown", 4: "label_unknown", 6: "label_unknown", 9: "no_split"}


@pytest.mark.parametrize("missing", ["negative", "ignore"])
def test_a_recording_that_nobody_read_is_unknown_and_one_without_statements_is_negative(run, missing):
    cells = pd.Series(["161", "22,1699", "", None, "", None, "161", "161", None, "161"], dtype="str")
    index = INDEX.assign(**{"native.codes_v24": cells})
    labels = {
        "AF": {"statement": [161], "read_by": "v24"},
        "or": {"statement": [161], "read_by": "v24", "where": "grade == 3"},
    }
    table, ledger = run(labels, index, kind="multilabel", missing=missing)
    assert values(table, "label.AF") == pytest.approx({0: 1, 1: 0, 2: 0, 3: np.nan, 4: 0, 6: 1, 7: 1}, nan_ok=True)
    assert values(table, "label.or")[3] == 1  # by the other clause
    assert ledger == {5: "label_unknown", 8: "label_unknown", 9: "no_split"}
