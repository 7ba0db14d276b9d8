"""Covariates as numbers: text as 0 and 1, and no column that others make up.

Shapes: n people, c columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecglfm.config import UserError

_FLAT = 1e-8  # what is left of a column of unit length, where others explain it


def design(table: pd.DataFrame, names: Sequence[str], *, categorical: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of numbers, in the order of the names.

    Parameters
    ----------
    table : DataFrame
        A column per name; `age2` is made of `age`.
    names : sequence of str
    categorical : sequence of str
        Columns whose numbers are names.

    Returns
    -------
    DataFrame of float64
        `sex` is 1 for men, 0 for women. Text, and what is categorical, has a column `{name}_{level}` per level but the
        first, in the order of numbers or else of letters. A missing value is missing in all of them.

    Raises
    ------
    UserError
        Half of a column or more are numbers, and others are not: a column a value would adjust for everybody's own.
    """
    made: dict[str, pd.Series] = {}
    for name in names:
        if name == "age2":
            age = table["age"].astype(float)
            made[name] = (age - age.mean()) ** 2
            continue
        values = table[name]
        numbers = pd.to_numeric(values, errors="coerce")
        if name == "sex":
            made[name] = values.map({"female": 0.0, "male": 1.0})
        elif name not in categorical and numbers.notna().sum() == values.notna().sum():
            made[name] = numbers.astype(float)
        else:
            if name not in categorical:
                _check_text(name, values.dropna())
            made |= _levels(name, values)
    return pd.DataFrame(made, index=table.index)


def _check_text(name: str, known: pd.Series) -> None:
    text = known.astype(str)
    odd = text[pd.to_numeric(text, errors="coerce").isna()]
    if 2 * pd.to_numeric(text.str.replace(",", "."), errors="coerce").notna().sum() >= len(text):
        raise UserError(
            f"discover.people.covariates: {name!r} has numbers and {odd.iloc[0]!r}: leave a missing value empty, write"
            " a decimal point, or name the column in `categorical` if its numbers are names"
        )


def _levels(name: str, values: pd.Series) -> dict[str, pd.Series]:
    """A column of 0 and 1 per level but the first."""
    known = values.dropna()
    numbers = pd.to_numeric(known, errors="coerce")
    by_number = dict(zip(known, numbers, strict=True))
    levels = sorted(known.unique(), key=(lambda one: (by_number[one], one)) if numbers.notna().all() else str)
    return {
        f"{name}_{re.sub(r'[^A-Za-z0-9.-]', '_', str(level))}": (values == level).astype(float).where(values.notna())
        for level in levels[1:]
    }


def with_indicators(matrix: pd.DataFrame) -> pd.DataFrame:
    """The mean in the place of what is missing, and behind all columns one that says where: `{name}_missing`."""
    missing = {f"{name}_missing": matrix[name].isna().astype(float) for name in matrix if matrix[name].isna().any()}
    return matrix.fillna(matrix.mean()).join(pd.DataFrame(missing, index=matrix.index))


def independent(matrix: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Columns without those that the intercept and earlier ones make up, and of each of these the reason.

    PLINK 2 refuses a matrix with such a column; without it the same is adjusted for.
    """
    n = len(matrix)
    basis, kept, left_out = [np.full(n, n**-0.5)], list[str](), dict[str, str]()
    for name in map(str, matrix):
        column = matrix[name].to_numpy(float)
        centred = column - column.mean()
        size = np.linalg.norm(centred)
        if size <= _FLAT * max(float(np.linalg.norm(column)), 1e-300):
            left_out[name] = "does not vary"
            continue
        rest = centred / size
        for _ in range(2):  # once more, for what rounding left
            rest = rest - sum(one * (one @ rest) for one in basis)
        if np.linalg.norm(rest) <= _FLAT:
            left_out[name] = f"a combination of {', '.join(_makers(matrix[kept], centred))}"
            continue
        kept.append(name)
        basis.append(rest / np.linalg.norm(rest))
    return matrix[kept], left_out


def _makers(matrix: pd.DataFrame, column: np.ndarray) -> list[str]:
    """Columns of a matrix that make up another one."""
    x_nc = matrix.to_numpy(float)
    x_nc = (x_nc - x_nc.mean(axis=0)) / x_nc.std(axis=0)
    share = np.linalg.lstsq(x_nc, column / column.std(), rcond=None)[0]
    return [str(name) for name, part in zip(matrix, share, strict=True) if abs(part) > 1e-6]
