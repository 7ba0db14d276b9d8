"""Losses and scores of fine-tuning; a label that is unknown for a record (NaN) takes no part in them."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional


def masked_bce(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean binary cross entropy over the known labels of a batch; 0 where none is known.

    Parameters
    ----------
    logits : Tensor, shape (batch, labels)
    target : Tensor of float, shape (batch, labels)
        1, 0, or NaN where unknown.
    """
    known = ~torch.isnan(target)
    # The unknown targets are replaced, not only weighted: NaN times zero is NaN, in the gradient too.
    each = functional.binary_cross_entropy_with_logits(
        logits.float(), torch.where(known, target, torch.zeros_like(target)).float(), reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def probability_bce(target: np.ndarray, probability: np.ndarray) -> float:
    """The same of probabilities, in double precision; they are kept 1e-7 away from 0 and 1."""
    known = ~np.isnan(target)
    p = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)[known]
    y = target[known].astype(np.float64)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def macro_auroc(target: np.ndarray, score: np.ndarray) -> float:
    """Mean area under the ROC curve over the labels whose known records have both classes; NaN if none has.

    Parameters
    ----------
    target, score : ndarray, shape (records, labels)
    """
    areas = []
    for y, s in zip(target.T, score.T, strict=True):
        known = ~np.isnan(y)
        if len(np.unique(y[known])) == 2:
            areas.append(roc_auc_score(y[known], s[known]))
    return float(np.mean(areas)) if areas else float("nan")
