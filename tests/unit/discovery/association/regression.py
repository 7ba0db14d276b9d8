"""Linear regression of traits on variants in NumPy: what PLINK 2's `--glm` is checked against.

Frisch, Waugh and Lovell: what covariates explain is taken from trait and variant by one QR decomposition, and one
regression of what is left on what is left gives the coefficient beside all covariates.

Shapes: n people, c covariates, v variants, t traits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Effects:
    """Of every trait on every variant, shapes (traits, variants); NaN where a variant does not vary beside covariates.

    Attributes
    ----------
    beta, standard_error, p : ndarray of float64
        Of one copy of the counted allele; p of Student's t, two-sided.
    n : ndarray of int
        People with a call.
    """

    beta: np.ndarray
    standard_error: np.ndarray
    p: np.ndarray
    n: np.ndarray


def regress(traits_nt: np.ndarray, calls_nv: np.ndarray, covariates_nc: np.ndarray) -> Effects:
    """Regress every trait on every variant, with an intercept and covariates.

    Parameters
    ----------
    traits_nt : ndarray of float, shape (people, traits)
        None missing.
    calls_nv : ndarray of int8, shape (people, variants)
        Copies; -1: missing, and the person has no part in that variant.
    covariates_nc : ndarray of float, shape (people, covariates)
        None missing; none a sum of others.

    Returns
    -------
    Effects
    """
    shape = (traits_nt.shape[1], calls_nv.shape[1])
    beta, error, n_v = np.full(shape, np.nan), np.full(shape, np.nan), (calls_nv >= 0).sum(0)
    known_nv = calls_nv >= 0
    whole_v = known_nv.all(0)
    design = np.column_stack([np.ones(len(traits_nt)), covariates_nc])
    together = [np.flatnonzero(whole_v)] if whole_v.any() else []
    for variants in [*together, *np.flatnonzero(~whole_v)[:, None]]:
        people = known_nv[:, variants[0]]
        q = np.linalg.qr(design[people])[0]
        x, y = (part - q @ (q.T @ part) for part in (calls_nv[people][:, variants].astype(float), traits_nt[people]))
        free = len(x) - design.shape[1] - 1
        squares_v = (x * x).sum(0)
        varies = squares_v > 1e-9 * len(x)
        squares_v, covered = squares_v[varies], variants[varies]
        if free < 1 or not len(covered):
            continue
        slope = y.T @ x[:, varies] / squares_v
        left = np.maximum((y * y).sum(0)[:, None] - slope**2 * squares_v, 0)
        beta[:, covered], error[:, covered] = slope, np.sqrt(left / free / squares_v)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(beta / error), n_v - design.shape[1] - 1)
    return Effects(beta, error, p, np.broadcast_to(n_v, shape))
