"""Regressions of a disease (logistic) or a quantity (least squares) on one variable beside covariates.

Shapes: n people, c covariates.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ecglfm.extras import need

_LARGEST = 10.0  # a log odds ratio per unit beyond which cases and controls were separated
_NEW = 1e-8  # share of a covariate's length that those before it do not say, below which it is a sum of them


class Fit(NamedTuple):
    """Coefficient of the first column, its standard error and P."""

    beta: float
    standard_error: float
    p_value: float


def adjusting(covariates_nc: np.ndarray) -> np.ndarray:
    """Intercept and covariates, standardized, without those that do not vary or are sums of others before them.

    Parameters
    ----------
    covariates_nc : ndarray, shape (n, c)
        None is NaN. Of the people of one regression: a database's column is the same for all where one alone has them.

    Returns
    -------
    ndarray, shape (n, at most 1 + c)
    """
    ones = np.ones((len(covariates_nc), 1))
    columns, basis = [ones], ones / np.sqrt(max(len(ones), 1))
    for value in covariates_nc.T:
        if (spread := value.std()) > 0:
            column = (value - value.mean())[:, None] / spread
            new = column - basis @ (basis.T @ column)
            if (length := np.linalg.norm(new)) > _NEW * np.sqrt(len(column)):
                columns.append(column)
                basis = np.hstack([basis, new / length])
    return np.hstack(columns)


def fit_first(value_n: np.ndarray, design: np.ndarray, *, binary: bool) -> Fit | None:
    """Regress on the columns of a design; nothing where there is no fit, as where cases and controls are separated.

    Parameters
    ----------
    value_n : ndarray, shape (n,)
        0 and 1 where `binary`.
    design : ndarray, shape (n, 1 + …)
        The variable, and what `adjusting` gives.
    binary : bool
        Logistic; else least squares.
    """
    need("statsmodels", extra="discover", what="a regression of individual people")
    from statsmodels.api import OLS, Logit

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is seen in the numbers
            fit = Logit(value_n, design).fit(disp=0) if binary else OLS(value_n, design).fit()
    except (np.linalg.LinAlgError, ValueError):
        return None
    found = Fit(float(fit.params[0]), float(fit.bse[0]), float(fit.pvalues[0]))
    if not np.isfinite(found.standard_error) or found.standard_error == 0 or (binary and abs(found.beta) > _LARGEST):
        return None
    return found
