"""Numbers that look like codes of missing values, in a column that is told of in pieces."""

from __future__ import annotations

import pandas as pd
import pytest

from ecglfm.data.missing_codes import MissingCodes


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["27", "-9", "31", "-9.0"], {-9: 2}),
        (["0", "1", "-3", "-1"], {-1: 1, -3: 1}),
        (["-6.2", "10.5", "-999"], {-999: 1}),
        (["never", "-9", None], {-9: 1}),
        ([35, -9, 60], {-9: 1}),
        (["-9", "-8.5", "3"], {}),
        (["-1", "1", "-1", "1"], {}),
        (["a", None, "b"], {}),
    ],
)
def test_codes_are_far_below_everything_else(values: list, found: dict[int, int], size: int) -> None:
    codes = MissingCodes()
    for start in range(0, len(values), size):
        codes.add("x", pd.Series(values[start : start + size]))
    assert codes.found() == ({"x": found} if found else {})
    assert list(codes.found().get("x", {})) == sorted(found, reverse=True)


def test_lists_have_none() -> None:
    codes = MissingCodes()
    codes.add("x", pd.Series([["-9"], [], None]))
    assert codes.found() == {}
