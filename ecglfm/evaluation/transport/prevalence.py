"""Prevalence shift: the same disease, rarer or commoner than where the model was trained.

Where only the prevalence differs, all odds change by one factor, that of the two prevalences' odds, and the new one can
be told from the probabilities alone, without a label (Saerens et al. 2002, Neural Comput 14:21,
doi:10.1162/089976602753284446). Both ask for probabilities that are right at home; where the disease looks different,
neither holds.

Of classes of which a record has exactly one, all are told and shifted together: their probabilities go on to sum to 1.

Shapes: n records, r weightings of them, k classes.
"""

from __future__ import annotations

import numpy as np

_HALVINGS = 50
_STEPS, _CLOSE = 2000, 1e-7


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


def shifted_classes(probability_nk: np.ndarray, *, home_k: np.ndarray, here_k: np.ndarray) -> np.ndarray:
    """`shifted` of classes that exclude each other: each times its prevalences' ratio, and again of sum 1."""
    said_nk = probability_nk.astype(np.float64) * (here_k / home_k)
    return np.asarray(said_nk / said_nk.sum(axis=1, keepdims=True))


def estimate_class_prevalences(probability_nk: np.ndarray, *, home_k: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """The likeliest prevalences of classes that exclude each other, shape (k, r), of sum 1.

    By the expectation maximisation of Saerens et al.; parameters as of `estimate_prevalence`, `home_k` above 0.
    """
    likely_nk = probability_nk.astype(np.float64) / home_k
    share_r = weight_nr / weight_nr.sum(axis=0)
    found_kr = np.repeat(home_k[:, None] / home_k.sum(), weight_nr.shape[1], axis=1)
    for _ in range(_STEPS):
        mixed_nr = np.maximum(likely_nk @ found_kr, 1e-300)
        next_kr = found_kr * (likely_nk.T @ (share_r / mixed_nr))
        moved, found_kr = np.abs(next_kr - found_kr).max(), next_kr
        if moved < _CLOSE:
            break
    return np.asarray(found_kr)
