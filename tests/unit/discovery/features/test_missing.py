"""Codes of missing values: never a number, and never left out, without anybody's word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import PhewasConfig
from ecglfm.discovery.features import outcome_numbers
from ecglfm.discovery.features.missing import without_codes

ABOUT = {"where": "own.csv: column 'bmi'", "key": "discover.people.missing_codes"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["27", "-9", "31", "-9.0"], r"column 'bmi' has -9 in 2 rows, .*: discover.people.missing_codes: \[-9\] takes"),
        (["0", "1", "-3", "-1"], r"has -1 in 1 row, .*\[-1, -3\]"),  # of UK Biobank
        (["never", "ever", "-9"], "has -9 in 1 row"),
        (["-6.2", "10.5", "-999"], "has -999 in 1 row"),  # a deprivation index is negative, and not that
    ],
)
def test_a_code_that_nobody_named_is_refused(values: list[str], said: str):
    with pytest.raises(UserError, match=said):
        without_codes(pd.Series(values), None, **ABOUT)


@pytest.mark.parametrize(
    "values",
    [["-9", "-8.5", "3"], ["-1", "1", "-1"], ["-1", "-0.6", "2"], ["0", "1", "9"], ["a", "b"], ["-1", "-2", "0", "5"]],
)
def test_numbers_that_may_be_numbers_stay(values: list[str]):
    assert without_codes(pd.Series(values), None, **ABOUT).tolist() == values


def test_what_was_named_is_missing_and_nothing_else():
    values = pd.Series(["27", "-9", "-9.0", "?", "-3", None])
    assert without_codes(values, [-9, "?"], **ABOUT).isna().tolist() == [False, True, True, True, False, True]
    assert without_codes(values, [], **ABOUT).equals(values)
    config = PhewasConfig.model_validate({"missing_codes": [-9, "?"]})
    numbers = outcome_numbers(values, config.missing_codes, **ABOUT)
    np.testing.assert_array_equal(numbers, [27, np.nan, np.nan, np.nan, -3, np.nan])


def test_controls_and_cases_of_plink_are_no_quantity():
    with pytest.raises(UserError, match="column 'bmi' is 1 or 2: write 0 for who has not"):
        outcome_numbers(pd.Series(["1", "2", None, "-9"]), [-9], **ABOUT)
    assert outcome_numbers(pd.Series(["1", "2", "3"]), None, **ABOUT).tolist() == [1, 2, 3]
