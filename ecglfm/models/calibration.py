"""Temperature scaling: probabilities that mean what they say.

A model's logits are divided by one number T, chosen so that the validation records are likeliest (Guo et al. 2017,
arXiv:1706.04599). T above 1 takes confidence away, below 1 adds some. Of binary and multilabel tasks the order of the
records stays as it is. The logit is taken of the record's probability, which is put together from its windows before.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

#: T is looked for between these; a model that never errs on the validation split ends at the lower one, at which
#: few of its probabilities become so close to 1 that they cannot be told apart.
BOUNDS = (0.2, 20.0)
_SMALLEST = 1e-7

Method = Literal["none", "temperature", "temperature_per_label"]


class Calibration(NamedTuple):
    """Temperatures of the labels.

    Attributes
    ----------
    temperatures : ndarray, shape (l,)
    exclusive : bool
        Multiclass: the probabilities of a record sum to 1, before and after.
    """

    temperatures: np.ndarray
    exclusive: bool

    def apply(self, probability_nl: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, shape (n, l)."""
        logits_nl = _logits(probability_nl, self.exclusive) / self.temperatures
        if not self.exclusive:
            return 1 / (1 + np.exp(-logits_nl))
        odds_nl = np.exp(logits_nl - logits_nl.max(axis=1, keepdims=True))
        return odds_nl / odds_nl.sum(axis=1, keepdims=True)


def fit_calibration(
    targets_nl: np.ndarray, probability_nl: np.ndarray, method: Method, *, exclusive: bool
) -> Calibration | None:
    """Choose temperatures by the records of the validation split.

    Parameters
    ----------
    targets_nl : ndarray, shape (n, l)
        1, 0, NaN unknown.
    probability_nl : ndarray, shape (n, l)
    method : {"none", "temperature", "temperature_per_label"}
        One temperature for the model, or one for each label; a multiclass model always has one.
    exclusive : bool
        Multiclass.

    Returns
    -------
    Calibration or None
        None for "none". A temperature is 1 where no label is known.
    """
    if method == "none":
        return None
    labels = targets_nl.shape[1]
    if method == "temperature_per_label" and not exclusive:
        parts = [slice(label, label + 1) for label in range(labels)]
        found = [_temperature(targets_nl[:, part], probability_nl[:, part], exclusive) for part in parts]
        return Calibration(np.array(found), exclusive)
    return Calibration(np.full(labels, _temperature(targets_nl, probability_nl, exclusive)), exclusive)


def _temperature(targets_nl: np.ndarray, probability_nl: np.ndarray, exclusive: bool) -> float:
    """The likeliest temperature of these labels together."""
    from scipy.optimize import minimize_scalar  # here: whoever reads a model needs none of it

    known = ~np.isnan(targets_nl)
    if not known.any():
        return 1.0
    likely = np.where(targets_nl == 1, 1.0, 0.0)

    def loss(log_temperature: float) -> float:
        p = Calibration(np.full(targets_nl.shape[1], np.exp(log_temperature)), exclusive).apply(probability_nl)
        p = np.clip(p, 1e-300, 1 - 1e-16)
        each = -np.log(np.where(likely > 0, p, 1 - p)) if not exclusive else -likely * np.log(p)
        return float(each[known].mean())

    bounds = np.log(BOUNDS)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def _logits(probability_nl: np.ndarray, exclusive: bool) -> np.ndarray:
    p = np.clip(probability_nl, _SMALLEST, 1 - _SMALLEST)
    return np.log(p) if exclusive else np.log(p) - np.log1p(-p)
