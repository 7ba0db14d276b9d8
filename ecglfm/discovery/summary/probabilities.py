"""P values beyond what a double holds: a biobank's best hits are below 1e-308."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import norm

_LN10 = math.log(10)


def negative_log10_p(table: pd.DataFrame) -> np.ndarray:
    """-log10 P of each row: of `p_value` where it is above 0, else two-sided of `beta` / `standard_error`."""
    p = table["p_value"].to_numpy(np.float64)
    z = np.abs(table["beta"].to_numpy(np.float64) / table["standard_error"].to_numpy(np.float64))
    of_z = -(norm.logsf(z) + math.log(2)) / _LN10
    with np.errstate(divide="ignore"):
        return np.where(p > 0, -np.log10(p), of_z)


def written_p(negative_log10: float) -> str:
    """`3.21e-412` of 411.49."""
    exponent = math.floor(-negative_log10)
    return f"{10 ** (-negative_log10 - exponent):.5f}e{exponent}"


def with_written_p(table: pd.DataFrame) -> pd.DataFrame:
    """The table with words for each `p_value` that a double holds as 0, where `beta` and `standard_error` tell it."""
    if not {"p_value", "beta", "standard_error"} <= set(table):
        return table
    small = np.flatnonzero(table["p_value"] == 0)
    if not len(small):
        return table
    texts = table["p_value"].astype(object)
    texts.iloc[small] = [written_p(height) for height in negative_log10_p(table.iloc[small])]
    return table.assign(p_value=texts)
