"""What stands in a cell: a number, a date, or whether something is so; and the message where it is none of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.data.columns import NOT_STATED

TRUTH = {"true": 1.0, "yes": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "no": 0.0, "0": 0.0, "0.0": 0.0}

#: What a cell must be, and how to mend one that is not.
NUMBER = "a number", "write it with a decimal point, or leave the cell empty"
EVENT = "true or false, or 1 or 0", "of other words write a condition, such as `COLUMN == 'yes'`, instead of the column"

DATE = (
    "a date such as 2021-03-05 or 5.3.2021",
    "leave the cell empty where there is none; of a column of 0 and 1 write a condition instead: `COLUMN == '1'`",
)


_LARGEST = float(np.finfo(np.float32).max)


def number(text: str) -> float:
    """A number that float32 can hold; raises `ValueError` for another."""
    found = float(text)
    if not abs(found) <= _LARGEST:
        raise ValueError(text)
    return found


def parsed(
    values: pd.Series, parse: Callable[[str], float], what: tuple[str, str], place: Callable[[int], str]
) -> np.ndarray:
    """Cells as float64, NaN where they say nothing; raises `UserError` that names the first that is not `what`."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and parse is number:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if not (np.abs(numbers) > _LARGEST).any():
            return numbers
    texts = values.map(lambda value: str(value).strip().casefold(), na_action="ignore")
    known: dict[str, float] = {}
    for text in texts.dropna().unique():
        try:
            known[text] = np.nan if text in NOT_STATED else parse(text)
        except (ValueError, KeyError):
            row = int(np.flatnonzero((texts == text).to_numpy(bool, na_value=False))[0])
            found = repr(str(values.iloc[row])[:60])
            raise UserError(f"{place(row)} must be {what[0]}, found {found}; {what[1]}") from None
    return texts.map(known).to_numpy(np.float64, na_value=np.nan)
