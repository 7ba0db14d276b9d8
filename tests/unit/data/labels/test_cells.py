"""What a cell says, and which one is named where it says something else."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.data.labels.cells import EVENT, NUMBER, TRUTH, number, parsed


def test_cells_are_numbers_or_say_nothing():
    found = parsed(pd.Series([" 1.5", "2", "NA", None, "-3e2"]), number, NUMBER, str)
    np.testing.assert_array_equal(found, [1.5, 2, np.nan, np.nan, -300])
    np.testing.assert_array_equal(parsed(pd.Series([1, None, 3]), number, NUMBER, str), [1, np.nan, 3])
    found = parsed(pd.Series([True, "No", "1.0", ""]), TRUTH.__getitem__, EVENT, str)
    np.testing.assert_array_equal(found, [1, 0, 1, np.nan])


@pytest.mark.parametrize("text", ["1,5", "inf", "1e39"])
def test_the_first_cell_that_is_no_number_is_named(text: str):
    with pytest.raises(UserError, match=f"^row 1 must be a number, found '{text}'; write it with a decimal point"):
        parsed(pd.Series(["1", text, "x"]), number, NUMBER, lambda row: f"row {row}")


@pytest.mark.parametrize(("value", "found"), [(np.inf, "inf"), (-1e39, "-1e+39")])
def test_a_number_of_an_array_that_float32_cannot_hold_is_named(value: float, found: str):
    with pytest.raises(UserError, match=f"^row 1 must be a number, found '{re.escape(found)}'; write it with"):
        parsed(pd.Series([1.0, value, np.nan]), number, NUMBER, lambda row: f"row {row}")
