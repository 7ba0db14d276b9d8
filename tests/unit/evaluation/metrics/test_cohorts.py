"""A source that is only tested is a cohort of its own."""

from __future__ import annotations

import pandas as pd

from ecglfm.evaluation.metrics.cohorts import cohort_splits, external_cohorts

RECORDS = pd.DataFrame(
    {"source": ["home", "home", "b", "a", "b", "home"], "split": ["valid", "test", "test", "test", "test", "test"]}
)


def test_test_records_of_such_a_source_are_external() -> None:
    assert cohort_splits(RECORDS, ["b"]).tolist() == ["valid", "test", "external", "test", "external", "test"]
    assert cohort_splits(RECORDS, []).tolist() == RECORDS["split"].tolist()
    validated = RECORDS.assign(source=["b", *RECORDS["source"][1:]])
    assert cohort_splits(validated, ["b"])[0] == "valid"  # what a model was chosen by is no cohort


def test_where_nothing_else_is_left_the_first_by_name_is_the_test() -> None:
    splits = cohort_splits(RECORDS[RECORDS["source"] != "home"], ["b", "a"])
    assert splits.tolist() == ["external", "test", "external"]


def test_each_cohort_has_its_records_as_test_and_the_validation_split() -> None:
    predictions = pd.DataFrame({"row": range(6), "split": cohort_splits(RECORDS, ["a", "b"])})
    cohorts = external_cohorts(predictions, RECORDS["source"])
    assert list(cohorts) == ["a", "b"]
    assert cohorts["a"].values.tolist() == [[0, "valid"], [3, "test"]]
    assert cohorts["b"].values.tolist() == [[0, "valid"], [2, "test"], [4, "test"]]
    assert external_cohorts(predictions.replace("external", "test"), RECORDS["source"]) == {}
