"""Areas under correlated ROC curves and their covariance, without resampling.

DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837, doi:10.2307/2531595), by the midranks of Sun and Xu 2014
(IEEE Signal Processing Letters 21:1389, doi:10.1109/LSP.2014.2337313). Records count as independent of each other:
where patients have several, the covariance is too small, so `comparison` asks a bootstrap of patients as well.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm, rankdata


def delong(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of several scores on the same records, and the covariance of these areas.

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative.
    scores : ndarray, shape (models, n)
        Higher is more positive; ties count one half.

    Returns
    -------
    areas : ndarray, shape (models,)
    covariance : ndarray, shape (models, models)
        NaN where a class has fewer than two records.
    """
    positive = target > 0
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) == 0:
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    ranks = rankdata(scores, axis=1)
    # Share of negatives below each positive, and of positives above each negative.
    above_sm = (ranks[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    below_sn = 1 - (ranks[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    areas = above_sm.mean(axis=1)
    if min(m, n) < 2:
        return areas, np.full((len(scores), len(scores)), np.nan)
    return areas, np.atleast_2d(np.cov(above_sm)) / m + np.atleast_2d(np.cov(below_sn)) / n


def delong_p(target: np.ndarray, scores: np.ndarray, contrast: np.ndarray) -> float:
    """Two-sided p of the hypothesis that a weighted sum of areas is zero.

    Parameters
    ----------
    target, scores
        As in `delong`.
    contrast : ndarray, shape (models,)
        1 and -1 compare two models; 1/2, 1/2, -1/2, -1/2 two models of two seeds each.

    Returns
    -------
    float
        1 where the sum is zero; NaN where it is not and has no variance, or a class has fewer than two records.
    """
    areas, covariance = delong(target, scores)
    difference, variance = float(contrast @ areas), float(contrast @ covariance @ contrast)
    if math.isnan(variance):
        return math.nan
    if abs(difference) < 1e-12:
        return 1.0
    return float(2 * norm.sf(abs(difference) / math.sqrt(variance))) if variance > 1e-15 else math.nan
