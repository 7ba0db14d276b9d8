"""What each record adds to a metric's error: the first-order term of the metric in the record's weight.

Summed by patient and squared, these terms are the metric's variance over patients (the infinitesimal jackknife; Jaeckel
1972, Bell Laboratories memorandum MM 72-1215-11), without resampling. For the area under the ROC curve they are the
structural components of DeLong et al. 1988 (Biometrics 44:837, doi:10.2307/2531595), and their sums by patient give
Obuchowski's variance of clustered data (1997, Biometrics 53:567, doi:10.2307/2533958).

Every function returns the metric and the terms, shape (n,), which sum to 0; NaN and zeros where it is undefined.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

_EVENTS_AT_ONCE = 256  # rows of a block of pairs


def auroc_influence(target: np.ndarray, score: np.ndarray) -> tuple[float, np.ndarray]:
    """Area under the ROC curve, by the midranks of Sun and Xu 2014 (doi:10.1109/LSP.2014.2337313).

    Parameters
    ----------
    target : ndarray, shape (n,)
        1 positive, 0 negative.
    score : ndarray, shape (n,)
        Higher is more positive; ties count one half.
    """
    positive = target > 0
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) == 0:
        return np.nan, np.zeros(len(target))
    ranks = rankdata(score)
    # Share of negatives below each positive, and of positives above each negative.
    above = (ranks[positive] - rankdata(score[positive])) / n
    below = 1 - (ranks[~positive] - rankdata(score[~positive])) / m
    area = float(above.mean())
    terms = np.empty(len(target))
    terms[positive], terms[~positive] = (above - area) / m, (below - area) / n
    return area, terms


def regression_influence(target: np.ndarray, prediction: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """`mae`, `r2` and `pearson` of a quantity, as `regression_metrics` defines them.

    Parameters
    ----------
    target, prediction : ndarray, shape (n,)
    """
    n = len(target)
    if n == 0:
        return dict.fromkeys(("mae", "r2", "pearson"), (np.nan, np.zeros(0)))
    error, y, p = prediction - target, target - target.mean(), prediction - prediction.mean()
    mae, mean_square, var_y, var_p = np.abs(error).mean(), (error**2).mean(), (y**2).mean(), (p**2).mean()
    undefined = (np.nan, np.zeros(n))
    out = {"mae": (float(mae), (np.abs(error) - mae) / n), "r2": undefined, "pearson": undefined}
    varies = [part > 1e-12 * (values**2).mean() for part, values in ((var_y, target), (var_p, prediction))]
    if varies[0]:
        lost = mean_square / var_y
        out["r2"] = (float(1 - lost), (lost * y**2 - error**2) / (var_y * n))
    if all(varies):
        zy, zp = y / np.sqrt(var_y), p / np.sqrt(var_p)
        r = float(np.clip((zy * zp).mean(), -1, 1))
        out["pearson"] = (r, (zy * zp - r / 2 * (zy**2 + zp**2)) / n)
    return out


def concordance_influence(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> tuple[float, np.ndarray]:
    """Harrell's C, as `hazards.concordance` defines it.

    Parameters
    ----------
    time, event, risk : ndarray, shape (n,)
    """
    happened, pairs, won = event > 0, np.zeros(len(time)), np.zeros(len(time))
    cases = np.flatnonzero(happened)
    for start in range(0, len(cases), _EVENTS_AT_ONCE):
        block = cases[start : start + _EVENTS_AT_ONCE]
        later = (time > time[block, None]) | ((time == time[block, None]) & ~happened)
        difference = risk[block, None] - risk
        wins = later * (0.5 * (difference > 0) + 0.5 * (difference >= 0))
        for counts, kind in ((pairs, later), (won, wins)):
            counts += kind.sum(axis=0)  # each record as the later one, then as the case
            counts[block] += kind.sum(axis=1)
    total = pairs.sum() / 2
    if total == 0:
        return np.nan, np.zeros(len(time))
    c = float(won.sum() / 2 / total)
    return c, (won - c * pairs) / total
