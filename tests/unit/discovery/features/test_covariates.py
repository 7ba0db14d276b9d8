"""Covariates: levels, squares, and columns that others make up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.features.covariates import design, independent, with_indicators


def test_text_and_numbers_that_are_names():
    table = pd.DataFrame(
        {
            "age": [40.0, 50.0, 60.0, np.nan], "sex": ["female", "male", None, "male"],
            "batch": ["10", "9", "10", "100"], "site": ["b c", "a", "b c", None], "height": ["1.5", "2", None, "1"],
        }
    )  # fmt: skip
    found = design(table, ["age", "age2", "sex", "batch", "site", "height"], categorical=["batch"])
    expected = {
        "age": [40, 50, 60, np.nan],
        "age2": [100, 0, 100, np.nan],
        "sex": [0, 1, np.nan, 1],
        "batch_10": [1, 0, 1, 0],  # in the order of numbers: 9 is left out
        "batch_100": [0, 0, 0, 1],
        "site_b_c": [1, 0, 1, np.nan],
        "height": [1.5, 2, np.nan, 1],
    }
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected, dtype=float))


@pytest.mark.parametrize("odd", ["n.d.", "27,5"])
def test_numbers_with_a_slip_among_them_are_no_names(odd: str):
    table = pd.DataFrame({"bmi": ["27.5", "31", odd, None, "22"], "site": ["1", "a", "b", "c", None]})
    with pytest.raises(UserError, match=f"'bmi' has numbers and '{odd}': leave a missing value empty, write a decimal"):
        design(table, ["bmi"])
    assert list(design(table, ["bmi", "site"], categorical=["bmi"]))[-3:] == ["site_a", "site_b", "site_c"]
    commas = pd.DataFrame({"bmi": ["27,5", "31,0", "22,1"]})
    with pytest.raises(UserError, match="'bmi' has numbers and '27,5'"):
        design(commas, ["bmi"])


def test_a_column_that_others_make_up_is_left_out_and_named():
    rng = np.random.default_rng(0)
    age, bmi = rng.normal(60, 8, 50), rng.normal(27, 4, 50)
    matrix = pd.DataFrame(
        {"age": age, "year": 1960 - age, "bmi": bmi, "sum": 2 * bmi - age + 3, "one": 1.0, "noise": rng.random(50)}
    )
    kept, left_out = independent(matrix)
    assert list(kept) == ["age", "bmi", "noise"]
    assert left_out == {
        "year": "a combination of age", "sum": "a combination of age, bmi", "one": "does not vary",
    }  # fmt: skip


def test_a_column_that_nearly_depends_stays():
    rng = np.random.default_rng(0)
    age = rng.normal(60, 8, 100)
    kept, left_out = independent(pd.DataFrame({"age": age, "age2": age**2, "noisy": age + 1e-4 * rng.normal(size=100)}))
    assert list(kept) == ["age", "age2", "noisy"]
    assert left_out == {}


def test_who_has_none_has_the_mean_and_an_indicator():
    matrix = pd.DataFrame({"age": [40.0, np.nan, 60.0], "sex": [0.0, np.nan, np.nan], "source_b": [0.0, 1.0, 0.0]})
    found = with_indicators(matrix)
    expected = {
        "age": [40.0, 50.0, 60.0], "sex": [0.0, 0.0, 0.0], "source_b": [0.0, 1.0, 0.0], "age_missing": [0.0, 1.0, 0.0],
        "sex_missing": [0.0, 1.0, 1.0],
    }  # fmt: skip
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected))
    assert independent(found)[1]["age_missing"] == "a combination of source_b"
