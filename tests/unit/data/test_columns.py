"""Conditions on columns, against masks written by hand."""

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.expression import parse_condition
from ecglfm.data.columns import matches, resolve

TABLE = pd.DataFrame(
    {
        "age": [17.0, 18.0, np.nan, 64.0],
        "sex": pd.Series(["female", None, "male", "female"], dtype="str"),
        "fold": pd.array([1, None, 3, 10], dtype="Int64"),
        "native.age": ["x"] * 4,
        "native.rate": ["59", " 60.0", "n/a", None],
        "native.checked": ["True", "False", "true", None],
        "native.classes": [["MI"], [], ["CD"], []],
        "native.empty": [None] * 4,
        "native.ef": ["45", "n/a", None, "45,3"],
        "native.troponin": [" 20", "<5", "", "13.5"],
        "native.smoker": ["none", "NA", " NaN ", "2"],  # as R and pandas write what is missing
    }
)


def mask(text, table=TABLE, offered=None):
    condition = parse_condition(text)
    return matches(condition, table, resolve(condition, offered or table.columns, "q"), "q").astype(int).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age >= 18", [0, 1, 0, 1]),
        ("18 <= age < 64", [0, 1, 0, 0]),
        ("not age >= 18", [1, 0, 1, 0]),  # a missing value meets no comparison, hence `not` takes it
        ("age != 18", [1, 0, 0, 1]),
        ("age is None", [0, 0, 1, 0]),
        ("sex is not None and sex != 'male'", [1, 0, 0, 1]),
        ("sex in ['male', 'other'] or age == 17", [1, 0, 1, 0]),
        ("sex not in ['male']", [1, 0, 0, 1]),
        ("fold == 3", [0, 0, 1, 0]),
        ("fold in [1, 10]", [1, 0, 0, 1]),
        ("rate >= 60", [0, 1, 0, 0]),  # text of the database's own table, numbers in it count as numbers
        ("native.rate == 59", [1, 0, 0, 0]),
        ("native.rate == 'n/a'", [0, 0, 1, 0]),
        ("native.checked == True", [1, 0, 1, 0]),
        ("checked != False", [1, 0, 1, 0]),
        ("native.empty == 'x' or native.empty > 3", [0, 0, 0, 0]),
        ("native.empty is None", [1, 1, 1, 1]),
        ("smoker is None", [0, 1, 1, 0]),
        ("smoker != 2", [1, 0, 0, 0]),
        ("smoker not in ['none']", [0, 0, 0, 1]),
        ("smoker == 'NA'", [0, 1, 0, 0]),
        ("rate != 59", [0, 1, 0, 0]),
        ("troponin is not None", [1, 1, 0, 1]),
        ("classes is None", [0, 0, 0, 0]),
    ],
)
def test_masks(text, rows):
    assert mask(text) == rows


def test_a_column_that_only_another_table_has_is_missing_here():
    assert mask("device == 'AT-6'", offered=[*TABLE.columns, "native.device"]) == [0, 0, 0, 0]
    assert mask("device is None", offered=[*TABLE.columns, "native.device"]) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agee > 3", r"q: there is no column 'agee'; near names: age"),
        ("native.chekced == 1", r"no column 'native.chekced'; near names: native.checked"),
        ("age == 'old'", r"q: column 'age' holds numbers; 'old' is text"),
        ("sex > 'female'", r"only numbers have an order; of a date make a column of numbers"),
        ("ef < 50", r"^q: ef < 50: '45,3' in the column is no number; write numbers, with a decimal point, and leave"),
        ("troponin >= 14 or age > 3", r"q: troponin >= 14: '<5' in the column is no number"),
        ("classes == 'MI'", r"column 'classes' holds lists"),
    ],
)
def test_mistakes_name_the_column(text, said):
    with pytest.raises(UserError, match=said):
        mask(text)
