"""Associations of instruments with an outcome, from the people themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.extras import need

_LARGEST = 10.0  # a log odds ratio per allele beyond which cases and controls were separated


def outcome_associations(
    variants: pd.DataFrame, dosage_nm: np.ndarray, outcome_n: np.ndarray, covariates_nc: np.ndarray, *, name: str
) -> pd.DataFrame:
    """Regress an outcome on each instrument and the covariates: logistic where it is 0 or 1, else least squares.

    Parameters
    ----------
    variants : DataFrame, m rows
        `chromosome base_pair_location effect_allele other_allele`, and `rsid` where there is one.
    dosage_nm : ndarray, shape (n, m)
        Effect alleles of each person; NaN where it is not known.
    outcome_n : ndarray, shape (n,)
        NaN where it is not known: these people are left out.
    covariates_nc : ndarray, shape (n, c)
        Without intercept, which is added. None is NaN.
    name : str
        Of the outcome, for messages.

    Returns
    -------
    DataFrame
        Columns of GWAS-SSF with `n`; without variants that do not vary, or that separate cases from controls.

    Raises
    ------
    UserError
        The outcome has one value only.
    """
    need("statsmodels", extra="discover", what="an outcome of individual people")
    known_n = np.isfinite(outcome_n)
    values = np.unique(outcome_n[known_n])
    if len(values) < 2:
        raise UserError(f"outcome {name}: {known_n.sum()} people have one, all of the same value")
    binary = set(values) <= {0.0, 1.0}
    rows, kept = [], []
    for number in range(dosage_nm.shape[1]):
        use_n = known_n & np.isfinite(dosage_nm[:, number])
        dosage_n = dosage_nm[use_n, number]
        if len(dosage_n) == 0 or dosage_n.min() == dosage_n.max():
            continue
        design = np.column_stack([dosage_n, np.ones(len(dosage_n)), covariates_nc[use_n]])
        found = _fit(outcome_n[use_n], design, binary)
        if found is not None:
            rows.append((*found, float(dosage_n.mean() / 2), len(dosage_n)))
            kept.append(number)
    columns = ["beta", "standard_error", "p_value", "effect_allele_frequency", "n"]
    associations = pd.DataFrame(rows, columns=columns)
    place = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
    place += ["rsid"] if "rsid" in variants else []
    return pd.concat([variants[place].iloc[kept].reset_index(drop=True), associations], axis=1)


def _fit(outcome_n: np.ndarray, design: np.ndarray, binary: bool) -> tuple[float, float, float] | None:
    """Coefficient of the first column, its standard error and P; nothing where the fit has none."""
    from statsmodels.api import OLS, Logit

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is seen in the numbers
            fit = Logit(outcome_n, design).fit(disp=0) if binary else OLS(outcome_n, design).fit()
    except (np.linalg.LinAlgError, ValueError):
        return None
    beta, se = float(fit.params[0]), float(fit.bse[0])
    if not np.isfinite(se) or se == 0 or (binary and abs(beta) > _LARGEST):
        return None
    return beta, se, float(fit.pvalues[0])
