"""Prevalence shift: the same disease, rarer or commoner than where the model was trained.

Where only the prevalence differs, all odds change by one factor, that of the two prevalences' odds, and the new one can
be told from the probabilities alone, without a label (Saerens et al. 2002, Neural Comput 14:21,
doi:10.1162/089976602753284446). Both ask for probabilities that are right at home; where the disease looks different,
neither holds.

Shapes: n records, r weightings of them.
"""

from __future__ import annotations

import numpy as np

_HALVINGS = 50


def shifted(probability: np.ndarray, *, home: float, here: float) -> np.ndarray:
    """Probabilities where a share `here` has the label, from those where a share `home` had it; 0 < share < 1."""
    up, down = here / home, (1 - here) / (1 - home)
    p = np.asarray(probability, np.float64)
    return np.asarray(up * p / (up * p + down * (1 - p)))


def estimate_prevalence(probability: np.ndarray, *, home: float, weight_nr: np.ndarray) -> np.ndarray:
    """The likeliest prevalence of records without a label, shape (r,), between 0 and 1.

    It is where the expectation maximisation of Saerens et al. ends. The likelihood of a share s,
    prod (s p / home + (1 - s) (1 - p) / (1 - home)), has one maximum, which is found by halving.

    Parameters
    ----------
    probability : ndarray, shape (n,)
    home : float
        Prevalence that the probabilities presuppose.
    weight_nr : ndarray, shape (n, r)
    """
    p = np.asarray(probability, np.float64)
    with_n, without_n = p / home, (1 - p) / (1 - home)
    low_r, high_r = np.zeros(weight_nr.shape[1]), np.ones(weight_nr.shape[1])
    for _ in range(_HALVINGS):
        middle_r = (low_r + high_r) / 2
        mixed_nr = without_n[:, None] + middle_r * (with_n - without_n)[:, None]
        rises = ((with_n - without_n)[:, None] * weight_nr / mixed_nr).sum(axis=0) > 0
        low_r, high_r = np.where(rises, middle_r, low_r), np.where(rises, high_r, middle_r)
    return (low_r + high_r) / 2
