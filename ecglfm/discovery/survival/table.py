"""Every EDF in a Cox model of its own, beside age and sex, and what it adds to their ranking of people.

Shapes: n people, e EDFs, c covariates, r resamples.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from ecglfm.discovery.survival.cox import Ties, fit_cox, proportionality
from ecglfm.evaluation.metrics import PatientWeights, RiskSets, concordance, interval

COLUMNS = [
    "edf", "n", "events", "hazard_ratio", "ci_low", "ci_high", "p_value", "q_value", "ph_chi2", "ph_p_value",
    "c_index_covariates", "c_index", "c_gain", "c_gain_low", "c_gain_high",
]  # fmt: skip


def hazard_ratios(
    time: np.ndarray, event: np.ndarray, edf: pd.DataFrame, z_nc: np.ndarray, *, ties: Ties, confidence: float = 0.95
) -> pd.DataFrame:
    """Hazard ratio per standard deviation of each EDF, over covariates.

    Parameters
    ----------
    time, event : ndarray, shape (n,)
        As `fit_cox` takes them.
    edf : DataFrame, shape (n, e)
    z_nc : ndarray, shape (n, c)
        Covariates; those that do not vary are left out.
    ties : {'efron', 'breslow'}
    confidence : float
        Of Wald's intervals.

    Returns
    -------
    DataFrame
        `COLUMNS`, those of the C-index NaN; `q_value` is Benjamini and Hochberg's over EDFs. `ph_*` test the EDF's
        hazard ratio for a change with time.
    """
    z = z_nc[:, z_nc.std(axis=0) > 0]
    width = norm.ppf(0.5 + confidence / 2)
    rows = []
    for name in edf:
        x = edf[name].to_numpy(np.float64)
        spread = x.std(ddof=1)
        fit = fit_cox(time, event, np.column_stack([x / spread if spread > 0 else x, z]), ties=ties)
        log_ratio, error = float(fit.beta[0]), float(fit.error[0])
        test = proportionality(fit, time, event)
        rows.append({
            "edf": name, "n": len(time), "events": int(event.sum()), "hazard_ratio": np.exp(log_ratio),
            "ci_low": np.exp(log_ratio - width * error), "ci_high": np.exp(log_ratio + width * error),
            "p_value": 2.0 * norm.sf(abs(log_ratio / error)), "ph_chi2": test.chi2[0], "ph_p_value": test.p_value[0],
        })  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    known = table["p_value"].notna()
    table.loc[known, "q_value"] = false_discovery_control(table.loc[known, "p_value"]) if known.any() else np.nan
    return table


def concordance_gain(
    time: np.ndarray, event: np.ndarray, edf: np.ndarray, z_nc: np.ndarray, people: np.ndarray, *, ties: Ties,
    folds: int, resamples: int, confidence: float, seed: int,
) -> dict[str, float]:  # fmt: skip
    """How much better people are ranked with an EDF than by covariates alone.

    Harrell's C of risks that each fold of people gets from models fitted on the others, so that an EDF of chance gains
    nothing; its interval is of resampled people, with those risks as they are.

    Parameters
    ----------
    time, event, edf : ndarray, shape (n,)
    z_nc : ndarray, shape (n, c)
    people : ndarray, shape (n,)
        Ids.
    ties : {'efron', 'breslow'}
    folds, resamples : int
    confidence : float
    seed : int
        Of folds and resamples.

    Returns
    -------
    dict of str to float
        `c_index_covariates`, `c_index`, `c_gain`, `c_gain_low`, `c_gain_high`; NaN where a fold cannot be fitted.
    """
    z = z_nc[:, z_nc.std(axis=0) > 0]
    fold = np.random.default_rng(seed).permutation(len(time)) % folds
    risks = [_held_out(time, event, x, fold, ties) for x in (z, np.column_stack([z, edf]))]
    if np.isnan(risks).any():
        return dict.fromkeys(COLUMNS[-5:], np.nan)
    sets = RiskSets(time, event)
    ones = np.ones((len(time), 1))
    points = [float(concordance(sets, risk, ones, np.inf)["c_index"][0]) for risk in risks]
    weights = PatientWeights(people, seed)
    gains = []
    for block in weights.blocks(resamples):
        weight_nr = weights(block)
        alone, both = (concordance(sets, risk, weight_nr, np.inf)["c_index"] for risk in risks)
        gains.append(both - alone)
    low, high = interval(np.concatenate(gains), confidence) if gains else (None, None)
    found = (points[0], points[1], points[1] - points[0], low, high)
    return {name: np.nan if one is None else one for name, one in zip(COLUMNS[-5:], found, strict=True)}


def _held_out(time: np.ndarray, event: np.ndarray, x_nc: np.ndarray, fold: np.ndarray, ties: Ties) -> np.ndarray:
    """Log hazard ratio of each person over the mean of the others, by their model, (n,); NaN where there is none.

    Over their mean, as risks of different models are ranked together: else they would hang on where covariates begin.
    """
    risk = np.zeros(len(time))
    if not x_nc.shape[1]:
        return risk
    for one in np.unique(fold):
        others = fold != one
        fit = fit_cox(time[others], event[others], x_nc[others], ties=ties)
        risk[~others] = (x_nc[~others] - x_nc[others].mean(axis=0)) @ fit.beta
    return risk
