"""Losses of fine-tuning; a label that is unknown for a record (NaN) takes no part in them.

Each is a mean over the known labels of a batch, 0 where none is known; a kind of task names its own
(`TaskKind.losses`). Shapes: b batch, k labels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.config import FinetuneConfig
from ecglfm.config.reference import look_up
from ecglfm.models.outputs import Link

_SMALLEST = 1e-12  # of a power's base; float32 holds nothing between 0 and 6e-8 of what is 1 less another number
#: (logits, target), both (batch, labels), to a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(config: FinetuneConfig, link: Link, target: np.ndarray) -> Loss:
    """The loss of a fit.

    Parameters
    ----------
    config : FinetuneConfig
        Checked by `check_kind`.
    link : Link
        Kind of the task, and how its targets are standardised.
    target : ndarray, shape (records, labels)
        Of the training records, for `class_weights: balanced`.
    """
    kind = link.kind
    weights = balanced_weights(target, exclusive=kind.exclusive) if config.class_weights == "balanced" else None
    name = next(iter(kind.losses)) if config.loss == "auto" else config.loss
    made: Loss = look_up(kind.losses[name])(config, link, weights)
    return made


def make_bce(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: bce`."""
    return lambda logits, y: masked_bce(logits, y, weights)


def make_focal(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: focal`."""
    return lambda logits, y: focal(logits, y, config.focal_gamma, weights)


def make_asymmetric(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: asymmetric`."""
    positive, negative = config.asymmetric_gammas
    return lambda logits, y: asymmetric(logits, y, positive, negative, config.asymmetric_margin, weights)


def make_ce(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: ce`."""
    return lambda logits, y: masked_ce(logits, y, weights)


def make_mse(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: mse`."""
    return lambda logits, y: masked_mse(logits, link.logits(y))


def make_huber(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: huber`."""
    return lambda logits, y: masked_huber(logits, link.logits(y), config.huber_delta)


def make_cox(config: FinetuneConfig, link: Link, weights: Tensor | None) -> Loss:
    """`loss: cox`."""
    return cox


def balanced_weights(target: np.ndarray, *, exclusive: bool) -> Tensor:
    """Weight of each class so that all weigh as much: records / (classes x records of the class), as scikit-learn.

    Returns
    -------
    Tensor
        Of binary and multilabel (2, labels), the negatives' first; of multiclass (labels,). 1 for a class that
        no record has.
    """
    classes = [target == 1] if exclusive else [target == 0, target == 1]
    counts = np.stack([found.sum(axis=0) for found in classes]).astype(np.float64)
    number = counts.shape[1] if exclusive else 2
    known = counts.sum() if exclusive else counts.sum(axis=0)
    weights = np.where(counts > 0, known / (number * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights[0] if exclusive else weights, dtype=torch.float32)


def masked_bce(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Binary cross entropy.

    Parameters
    ----------
    logits : Tensor, shape (batch, labels)
    target : Tensor of float, shape (batch, labels)
        1, 0, or NaN where unknown.
    weights : Tensor, shape (2, labels), optional
        Of each label's negatives and positives.
    """
    logits, known, filled = _prepared(logits, target)
    each = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    return _mean(each, known, filled, weights)


def focal(logits: Tensor, target: Tensor, gamma: float, weights: Tensor | None = None) -> Tensor:
    """Binary cross entropy of each label times (1 - p of the truth)^gamma (Lin et al. 2017, arXiv:1708.02002, 3.2).

    `weights`, as in `masked_bce`, take the place of their alpha.
    """
    logits, known, filled = _prepared(logits, target)
    each = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    return _mean(each * _power(1 - torch.exp(-each), gamma), known, filled, weights)


def asymmetric(
    logits: Tensor,
    target: Tensor,
    gamma_positive: float,
    gamma_negative: float,
    margin: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Asymmetric loss (Ridnik et al. 2021, arXiv:2009.14119, 2): focal, with an exponent of its own for negatives.

    -(1 - p)^gamma_positive log p for a positive; -q^gamma_negative log(1 - q), q = max(p - margin, 0), for a negative.
    """
    logits, known, filled = _prepared(logits, target)
    p = logits.sigmoid()
    q = (p - margin).clamp(min=0)
    positive = -_power(1 - p, gamma_positive) * functional.logsigmoid(logits)
    negative = -_power(q, gamma_negative) * torch.log((1 - q).clamp(min=1e-8))
    return _mean(torch.where(filled > 0.5, positive, negative), known, filled, weights)


def masked_ce(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross entropy of softmax; `target` is one-hot, a row with NaN unknown; `weights` (labels,) are the classes'."""
    logits, known, filled = _prepared(logits, target)
    each = -(logits.log_softmax(dim=1) * filled)
    if weights is not None:
        each = each * weights.to(each)
    rows = known.all(dim=1)
    return (each.sum(dim=1) * rows).sum() / rows.sum().clamp(min=1)


def masked_mse(logits: Tensor, target: Tensor) -> Tensor:
    """Mean squared error."""
    logits, known, filled = _prepared(logits, target)
    return _mean((logits - filled) ** 2, known, filled, None)


def masked_huber(logits: Tensor, target: Tensor, delta: float) -> Tensor:
    """Huber's loss: e^2 / 2 for an error up to delta, delta (|e| - delta / 2) beyond (Huber 1964)."""
    logits, known, filled = _prepared(logits, target)
    return _mean(functional.huber_loss(logits, filled, reduction="none", delta=delta), known, filled, None)


def cox(logits: Tensor, target: Tensor) -> Tensor:
    """Cox's negative log partial likelihood, by event, with Breslow's treatment of tied times.

    For each label the mean over its events i of log sum_{j: t_j >= t_i} exp(h_j) - h_i (Cox 1972; Breslow 1974); then
    the mean over the labels that have an event. Whom a record is compared with are the records of the batch (in
    validation all of them), so that larger batches are better where events are rare.

    Parameters
    ----------
    logits : Tensor, shape (batch, labels)
        Log hazard ratios h.
    target : Tensor of float, shape (batch, labels)
        t for an event at time t, -t for a record that was last seen without one at time t, NaN where unknown.
    """
    losses = []
    for h, signed in zip(_wide(logits).T, target.to(logits.device).T, strict=True):
        known = ~torch.isnan(signed)
        event = signed[known] > 0
        if not event.any():
            continue
        order = signed[known].abs().argsort(descending=True, stable=True)
        time, h, event = signed[known].abs()[order], h[known][order], event[order]
        at_risk = torch.logcumsumexp(h, dim=0)
        last = torch.searchsorted(-time, -time, right=True) - 1  # tied records share one risk set
        losses.append((at_risk[last] - h)[event].mean())
    return torch.stack(losses).mean() if losses else (_wide(logits) * 0.0).sum()


def _power(base: Tensor, exponent: float) -> Tensor:
    """A number from 0 to 1 to an exponent; between 0 and 1 its slope at 0 is infinite, and times 0 it would be NaN."""
    return (base.clamp(min=_SMALLEST) if 0 < exponent < 1 else base) ** exponent


def _wide(logits: Tensor) -> Tensor:
    """At least float32: half precision ends where a loss begins."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _prepared(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, which labels are known, and the target with zeros for the unknown ones.

    They are replaced, not only weighted: NaN times zero is NaN, in the gradient too.
    """
    logits, known = _wide(logits), ~torch.isnan(target)
    return logits, known, torch.where(known, target, torch.zeros_like(target)).to(logits.dtype)


def _mean(each: Tensor, known: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over the known labels, each times the weight of its class."""
    if weights is not None:
        negative, positive = weights.to(each)
        each = each * torch.where(target > 0.5, positive, negative)
    return (each * known).sum() / known.sum().clamp(min=1)
