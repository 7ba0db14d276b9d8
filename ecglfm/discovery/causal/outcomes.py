"""Associations of instruments with an outcome, from the people themselves."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.discovery.glm import adjusting, fit_first

logger = logging.getLogger(__name__)


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
        Without intercept, which is added. None is NaN. What does not vary among the people of an outcome is left out.
    name : str
        Of the outcome, for messages.

    Returns
    -------
    DataFrame
        Columns of GWAS-SSF with `n`; without variants that do not vary, or that separate cases from controls, of which
        a warning says how many.

    Raises
    ------
    UserError
        The outcome has one value only.
    """
    known_n = np.isfinite(outcome_n)
    values = np.unique(outcome_n[known_n])
    if len(values) < 2:
        raise UserError(f"outcome {name}: {known_n.sum()} people have one, all of the same value")
    binary = set(values) <= {0.0, 1.0}
    rows, kept, varying = [], [], 0
    for number in range(dosage_nm.shape[1]):
        use_n = known_n & np.isfinite(dosage_nm[:, number])
        dosage_n = dosage_nm[use_n, number]
        if len(dosage_n) == 0 or dosage_n.min() == dosage_n.max():
            continue
        varying += 1
        design = np.column_stack([dosage_n, adjusting(covariates_nc[use_n])])
        found = fit_first(outcome_n[use_n], design, binary=binary)
        if found is not None:
            rows.append((*found, float(dosage_n.mean() / 2), len(dosage_n)))
            kept.append(number)
    if len(kept) < dosage_nm.shape[1]:
        logger.warning(
            "outcome %s: %d of %d instruments are left out: %d do not vary among its people, %d have no fit (cases and"
            " controls are separated)",
            name, dosage_nm.shape[1] - len(kept), dosage_nm.shape[1], dosage_nm.shape[1] - varying, varying - len(kept),
        )  # fmt: skip
    columns = ["beta", "standard_error", "p_value", "effect_allele_frequency", "n"]
    associations = pd.DataFrame(rows, columns=columns)
    place = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
    place += ["rsid"] if "rsid" in variants else []
    return pd.concat([variants[place].iloc[kept].reset_index(drop=True), associations], axis=1)
