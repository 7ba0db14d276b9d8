"""Regressions of phenotypes on features: a logistic one of a disease, least squares of a quantity."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ecglfm.discovery.glm import adjusting, fit_first
from ecglfm.extras import need

logger = logging.getLogger(__name__)

COLUMNS = [
    "edf", "phenotype", "chapter", "kind", "n", "cases", "beta", "ci_low", "ci_high", "standard_error", "p_value",
    "q_value",
]  # fmt: skip
_Z = 1.959964


def scan(
    features: pd.DataFrame,
    phenotypes: pd.DataFrame,
    covariates: pd.DataFrame,
    *,
    chapters: Mapping[str, str],
    min_cases: int,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Regress every phenotype on every feature and the covariates.

    Parameters
    ----------
    features : DataFrame, shape (n, d)
        Labelled by person; standard deviations.
    phenotypes : DataFrame, shape (n, p)
        The same labels. 0 and 1: a disease, and effects are log odds ratios; else a quantity, and effects are in its
        standard deviations. NaN: neither.
    covariates : DataFrame, shape (n, c)
        The same labels. What does not vary among the people of a phenotype is left out there.
    chapters : mapping of str
        By phenotype.
    min_cases : int
        Cases, and controls, that a disease needs; people with a value that a quantity needs.

    Returns
    -------
    table : DataFrame
        A row a pair; `q_value` of Benjamini and Hochberg (1995, doi:10.1111/j.2517-6161.1995.tb02031.x) over all.
    left_out : dict of str
        Phenotypes that were not looked at, and why.
    """
    need("statsmodels", extra="discover", what="ecglfm discover phewas")
    from statsmodels.stats.multitest import multipletests

    rows, left_out = [], {}
    for name in map(str, phenotypes):
        value = phenotypes[name].to_numpy(np.float64)
        binary = set(np.unique(value[np.isfinite(value)])) <= {0.0, 1.0}
        known = np.isfinite(value) & np.isfinite(covariates.to_numpy(np.float64)).all(axis=1)
        why = _too_few(value[known], binary, min_cases)
        if why:
            left_out[name] = why
            continue
        design = adjusting(covariates[known].to_numpy(np.float64))
        own = value[known] if binary else (value[known] - value[known].mean()) / value[known].std()
        cases = int(own.sum()) if binary else 0
        about = (chapters.get(name, "other"), "disease" if binary else "quantity", int(known.sum()), cases)
        for edf in map(str, features):
            x_n = features.loc[known, edf].to_numpy(np.float64)
            found = fit_first(own, np.column_stack([x_n, design]), binary=binary)
            if found is None:
                logger.warning("%s, %s: no fit: cases and controls are separated", edf, name)
                continue
            low, high = (found.beta + sign * _Z * found.standard_error for sign in (-1, 1))
            rows.append((edf, name, *about, found.beta, low, high, found.standard_error, found.p_value, np.nan))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table):
        table["q_value"] = multipletests(table["p_value"], method="fdr_bh")[1]
    return table, left_out


def _too_few(value: np.ndarray, binary: bool, least: int) -> str:
    if not binary:
        return "" if len(value) >= least and value.std() > 0 else f"{len(value)} people have a value, or all the same"
    cases = int(value.sum())
    controls = len(value) - cases
    return "" if min(cases, controls) >= least else f"{cases} cases and {controls} controls; each needs {least}"
