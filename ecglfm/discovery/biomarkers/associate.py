"""EDFs against biomarkers, age and sex taken out of both: partial rank correlation, and the slope in the own unit.

Shapes: n people, e EDFs, b biomarkers, c covariates.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm, rankdata, t

_LEAST = 20  # people beyond those that covariates take, for a correlation to be looked at
COLUMNS = [
    "edf", "biomarker", "n", "rho", "rho_low", "rho_high", "p_value", "q_value", "effect", "effect_low", "effect_high",
]  # fmt: skip


def associate(
    edf: pd.DataFrame, biomarkers: pd.DataFrame, covariates: pd.DataFrame, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Each EDF against each biomarker, in the people who have both and all covariates.

    Parameters
    ----------
    edf : DataFrame, shape (n, e)
        By person; no NaN.
    biomarkers : DataFrame, shape (n, b)
        By the same people, NaN where unknown. A column that ends in `_axis` is an angle in degrees, and is cut open
        opposite to its circular mean.
    covariates : DataFrame, shape (n, c)
        By the same people; numbers, NaN where unknown.
    confidence : float
        Of intervals.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row for each pair, biomarker by biomarker. `rho` is the partial Spearman correlation: Pearson's of
        residuals of ranks on the covariates' ranks, with t of n - 2 - c degrees of freedom; its interval is Fisher's
        with the variance of ranks (Bonett and Wright 2000, doi:10.1007/BF02294183). `effect` is the slope of the
        biomarker on the EDF beside the covariates, per standard deviation of the EDF, with least squares' interval.
        `q_value` is Benjamini and Hochberg's over all pairs. NaN where fewer people than 20 more than covariates have
        the biomarker, or where nothing varies.
    """
    if not (edf.index.equals(biomarkers.index) and edf.index.equals(covariates.index)):
        raise ValueError("associate: the tables are not of the same people in the same order")
    complete = covariates.notna().all(axis=1).to_numpy()
    parts = []
    for name in biomarkers:
        y = biomarkers[name].to_numpy(np.float64)
        rows = complete & np.isfinite(y)
        values = _around_mean(y[rows]) if str(name).endswith("_axis") else y[rows]
        found = _one(edf.to_numpy(np.float64)[rows], values, covariates.to_numpy(np.float64)[rows], confidence)
        parts.append(pd.DataFrame({"edf": edf.columns, "biomarker": name, "n": int(rows.sum())} | found))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    known = table["p_value"].notna()
    table.loc[known, "q_value"] = false_discovery_control(table.loc[known, "p_value"]) if known.any() else np.nan
    return table.reindex(columns=COLUMNS)


def _one(x_ne: np.ndarray, y_n: np.ndarray, z_nc: np.ndarray, confidence: float) -> dict[str, np.ndarray]:
    """All EDFs against one biomarker."""
    nothing = np.full(x_ne.shape[1], np.nan)
    n = len(y_n)
    if n < _LEAST + z_nc.shape[1]:
        return dict.fromkeys(("rho", "rho_low", "rho_high", "p_value", "effect", "effect_low", "effect_high"), nothing)
    ranks_nc = _design(rankdata(z_nc, axis=0))
    x_rank = _residuals(rankdata(x_ne, axis=0), ranks_nc)
    y_rank = _residuals(rankdata(y_n)[:, None], ranks_nc)
    rho = _ratio((x_rank * y_rank).sum(axis=0), np.sqrt((x_rank**2).sum(axis=0) * (y_rank**2).sum(axis=0)))
    rho = np.clip(rho, -1.0, 1.0)
    taken = ranks_nc.shape[1] - 1
    with np.errstate(divide="ignore"):
        p_value = 2.0 * t.sf(np.abs(rho) * np.sqrt((n - 2 - taken) / (1.0 - rho**2)), n - 2 - taken)
        width = norm.ppf(0.5 + confidence / 2) * np.sqrt((1.0 + rho**2 / 2.0) / (n - 3 - taken))
        z = np.arctanh(rho)
    plain_nc = _design(z_nc)
    x, y = _residuals(x_ne, plain_nc), _residuals(y_n[:, None], plain_nc)
    square = (x**2).sum(axis=0)
    slope = _ratio((x * y).sum(axis=0), square)
    freedom = n - 1 - plain_nc.shape[1]
    error = np.sqrt(_ratio(((y - slope * x) ** 2).sum(axis=0), square) / freedom)
    scale = x_ne.std(axis=0, ddof=1)
    half = t.ppf(0.5 + confidence / 2, freedom) * error
    return {
        "rho": rho, "rho_low": np.tanh(z - width), "rho_high": np.tanh(z + width), "p_value": p_value,
        "effect": slope * scale, "effect_low": (slope - half) * scale, "effect_high": (slope + half) * scale,
    }  # fmt: skip


def _design(z_nc: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span a constant and the covariates; what adds nothing (one sex only) is left out."""
    centred = z_nc - z_nc.mean(axis=0)
    centred = centred / np.where((spread := centred.std(axis=0)) > 0, spread, 1.0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept = u[:, s > 1e-8 * max(s.max(initial=0.0), 1.0)]
    return np.column_stack([np.full(len(z_nc), len(z_nc) ** -0.5), kept])


def _residuals(values_nk: np.ndarray, basis_nc: np.ndarray) -> np.ndarray:
    """What is left of columns; nothing where nothing but rounding is."""
    left = values_nk - basis_nc @ (basis_nc.T @ values_nk)
    size = np.sqrt((values_nk**2).sum(axis=0))
    return np.where(np.sqrt((left**2).sum(axis=0)) > 1e-9 * size, left, 0.0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(below, np.nan), where=below > 0)


def _around_mean(degrees: np.ndarray) -> np.ndarray:
    """Angles within 180 degrees of their circular mean, which may then be beyond 180 themselves."""
    if not len(degrees):
        return degrees
    radians = np.deg2rad(degrees)
    mean = np.rad2deg(np.arctan2(np.sin(radians).mean(), np.cos(radians).mean()))
    around: np.ndarray = mean + (degrees - mean + 180.0) % 360.0 - 180.0
    return around
