"""Probabilities as log odds, finite also where a model is certain."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

SMALLEST = 1e-7  # probabilities are kept so far from 0 and 1


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Logit of probabilities of any shape, float64; 0 and 1 count as 1e-7 and 1 - 1e-7."""
    return np.asarray(logit(np.clip(np.asarray(probability, np.float64), SMALLEST, 1 - SMALLEST)))
