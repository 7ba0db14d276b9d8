"""Codes that stand for a missing value in a column of numbers, such as -9 of PLINK or -3 of UK Biobank."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

#: What PLINK, questionnaires and UK Biobank (do not know, prefer not to answer, …) write where nothing is known.
USUAL = (-1, -3, -7, -8, -9, -77, -88, -99, -818, -999, -9999)


class MissingCodes:
    """Columns, told of piece by piece, and the numbers in them that look like such codes."""

    def __init__(self) -> None:
        self._codes: dict[str, Counter[int]] = {}
        self._least: dict[str, float] = {}
        self._others: dict[str, set[float]] = {}

    def add(self, name: str, values: pd.Series) -> None:
        """Tell of a piece of a column: numbers, or text; lists have no such codes."""
        try:
            numbers = pd.to_numeric(values, errors="coerce").dropna()
        except TypeError:
            return
        usual = numbers.isin(USUAL)
        others = numbers[~usual].astype(np.float64)
        self._codes.setdefault(name, Counter()).update(numbers[usual].astype(int))
        self._least[name] = min(self._least.get(name, np.inf), float(others.min()) if len(others) else np.inf)
        if len(seen := self._others.setdefault(name, set())) < 2:
            seen |= set(others.unique()[:2])

    def found(self) -> dict[str, dict[int, int]]:
        """Of each column the codes below everything else in it, and how often they stand there.

        A code counts where the other numbers are far above it (more than half of it), so that a difference or a
        deprivation index, which are negative, has none; -1 and 1 alone are two groups.
        """
        result = {}
        for name, codes in self._codes.items():
            far = {code: n for code, n in sorted(codes.items(), reverse=True) if self._least[name] > code / 2}
            if far and not (set(far) == {-1} and self._others[name] == {1.0}):
                result[name] = far
        return result
