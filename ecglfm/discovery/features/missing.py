"""Codes that stand for a missing value in tables of the user's own, such as -9 of PLINK or -3 of UK Biobank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.data.missing_codes import MissingCodes


def without_codes(values: pd.Series, codes: Sequence[str | float] | None, *, where: str, key: str) -> pd.Series:
    """A column as it was read, with nothing in the place of codes of missing values.

    Parameters
    ----------
    values : Series of str
        A column of `read_table`, which has taken `NA`, `NaN`, `null` and what is empty for missing already.
    codes : sequence or None
        Text and numbers that mean missing (-9 is -9.0, too); None: nobody has said.
    where : str
        Column and table, for the error.
    key : str
        Where the config may name codes.

    Raises
    ------
    UserError
        Nobody has said, and a number stands in it that looks like such a code (`ecglfm.data.missing_codes`): whoever
        takes it for a number, or leaves it out, may be wrong.
    """
    numbers = pd.to_numeric(values, errors="coerce")
    if codes is not None:
        as_numbers = pd.to_numeric(pd.Series(list(codes), dtype=object), errors="coerce").dropna()
        return values.mask(values.isin([str(code) for code in codes]) | numbers.isin(as_numbers))
    looked = MissingCodes()
    looked.add(where, values)
    for found in looked.found().values():
        code, number = next(iter(found.items()))
        raise UserError(
            f"{where} has {code} in {counted(number, 'row')}, and nothing else near it: {key}: {list(found)} takes it"
            f" for missing, {key}: [] for a number"
        )
    return values


def outcome_numbers(values: pd.Series, codes: Sequence[str | float] | None, *, where: str, key: str) -> pd.Series:
    """A disease, 0 and 1, or a quantity, of a column as it was read: numbers, and NaN where nothing is known.

    Parameters and errors are those of `without_codes`; what is neither number nor code is an error, too, and so are 1
    and 2, which PLINK writes for controls and cases, and which would be a quantity here.
    """
    values = without_codes(values, codes, where=where, key=key)
    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    wrong = values[numbers.isna() & values.notna()]
    if len(wrong):
        raise UserError(f"{where}: {wrong.iloc[0]!r} is no number")
    if set(numbers.dropna()) == {1, 2}:
        raise UserError(f"{where} is 1 or 2: write 0 for who has not the disease, and 1 for who has it")
    return numbers
