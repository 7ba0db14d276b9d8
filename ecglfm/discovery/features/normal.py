"""The rank-based inverse normal transform."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

#: Blom's (1958, Statistical Estimates and Transformed Beta-Variables), the usual one of genetic studies: Beasley et al.
#: 2009, doi:10.1007/s10519-009-9281-0, whose c this is; when it is sound: McCaw et al. 2020, doi:10.1111/biom.13214.
OFFSET = 3 / 8


def rank_inverse_normal(values_n: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks of values: the inverse normal distribution at (rank - c) / (n - 2c + 1), c = 3/8.

    Equal values have the mean of their ranks, and so the same score; NaN stays NaN and has no rank.

    Parameters
    ----------
    values_n : ndarray of float, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    scores_n = np.full(len(values_n), np.nan)
    known = np.isfinite(values_n)
    ranks = rankdata(values_n[known], method="average")
    scores_n[known] = ndtri((ranks - OFFSET) / (known.sum() - 2 * OFFSET + 1))
    return scores_n
