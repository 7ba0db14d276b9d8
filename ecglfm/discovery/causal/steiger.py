"""Which way: whether instruments explain more of the exposure than of the outcome.

Hemani, Tilling and Davey Smith 2017 (doi:10.1371/journal.pgen.1007081): the correlations of the genetic score with
exposure and outcome are compared as those of independent samples, by Fisher's z. Of a disease the share explained is
that of liability (Lee et al. 2011, doi:10.1016/j.ajhg.2011.02.002): where cases are few, little of the yes or no can be
explained at all, and the direction would always look right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm


class Steiger(NamedTuple):
    """Shares explained by all instruments together, and the test of their difference.

    Attributes
    ----------
    exposure_r2, outcome_r2 : float
    forward : bool
        More of the exposure is explained.
    p_value : float
        Two-sided.
    """

    exposure_r2: float
    outcome_r2: float
    forward: bool
    p_value: float


def explained(beta: np.ndarray, standard_error: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Share of variance that each variant explains: F / (F + n - 2) with F = (beta / standard_error)^2."""
    f = (beta / standard_error) ** 2
    return f / (f + n - 2)


def of_liability(r2: np.ndarray, *, case_share: float, prevalence: float) -> np.ndarray:
    """Shares of a 0/1 outcome as shares of liability (Lee et al. 2011, equation 23).

    Parameters
    ----------
    r2 : ndarray
        Of the outcome as it was observed.
    case_share : float
        Of the sample.
    prevalence : float
        In the population.
    """
    height = norm.pdf(norm.isf(prevalence))
    spread = prevalence * (1 - prevalence)
    return np.minimum(r2 * spread**2 / (height**2 * case_share * (1 - case_share)), 1.0)


def steiger(exposure_r2_m: np.ndarray, outcome_r2_m: np.ndarray, *, exposure_n: float, outcome_n: float) -> Steiger:
    """Compare what independent instruments explain of exposure and outcome.

    Parameters
    ----------
    exposure_r2_m, outcome_r2_m : ndarray, shape (m,)
    exposure_n, outcome_n : float
        People.
    """
    exposure_r2, outcome_r2 = (min(float(r2_m.sum()), 1 - 1e-12) for r2_m in (exposure_r2_m, outcome_r2_m))
    apart = np.arctanh(np.sqrt(exposure_r2)) - np.arctanh(np.sqrt(outcome_r2))
    z = apart / np.sqrt(1 / (exposure_n - 3) + 1 / (outcome_n - 3))
    return Steiger(exposure_r2, outcome_r2, bool(apart > 0), float(2 * norm.sf(abs(z))))
