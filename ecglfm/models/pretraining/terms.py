"""Terms of the pretraining loss, each a function of tensors: what is compared, with what, and how.

Shapes: b batch, t frames, d encoder width, m places for the masked frames of a record (the same in all), k negatives,
f width of the contrastive space, s = b m.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.models.encoders import Features
from ecglfm.models.layers import at_least_float32, gather_rows, group_rank, scores


def hidden_weights(hidden_b: Tensor, masked: int) -> Tensor:
    """What each place counts in a mean over the hidden frames of each record, and that over records; they sum to 1.

    Parameters
    ----------
    hidden_b : Tensor of int64, shape (batch,)
        Hidden frames of each record, which have its first places.
    masked : int
        Places of a record.

    Returns
    -------
    Tensor of float32, shape (batch * masked,)
    """
    real_bm = torch.arange(masked, device=hidden_b.device) < hidden_b[:, None]
    return (real_bm / (hidden_b[:, None] * len(hidden_b))).flatten()


def mean_of_hidden(x: Tensor, weight_s: Tensor | None) -> Tensor:
    """Mean along the first dimension, that of all places; by `hidden_weights` where records hide unlike numbers."""
    return x.mean(dim=0) if weight_s is None else (x * weight_s.view(-1, *[1] * (x.dim() - 1))).sum(dim=0)


def contrastive_logits(
    x_bmf: Tensor, y_bmf: Tensor, codes_bm: Tensor, negatives_bmk: Tensor, *, temperature: float
) -> Tensor:
    """Cosine of each context vector with its own quantized frame and with negatives of its record, over temperature.

    A negative with the code of the positive is the positive itself, and is left out (-inf).

    Parameters
    ----------
    x_bmf, y_bmf : Tensor, shape (batch, masked, final_dim)
        Context vectors and quantized targets.
    codes_bm : Tensor of int64, shape (batch, masked)
        Codes of the targets.
    negatives_bmk : Tensor of int64, shape (batch, masked, negatives)
        Places along `masked`.
    temperature : float
        Cosine similarities are divided by it.

    Returns
    -------
    Tensor of float32, shape (batch, masked, 1 + negatives)
        The positive first.
    """
    x, y = (functional.normalize(at_least_float32(z), dim=-1) for z in (x_bmf, y_bmf))
    scores_bmm = scores(x, y.transpose(1, 2)) / temperature  # every frame with every frame, once
    same_bmm = codes_bm[:, :, None] == codes_bm[:, None, :]
    negative_bmk = scores_bmm.masked_fill(same_bmm, -torch.inf).gather(2, negatives_bmk)
    return torch.cat([scores_bmm.diagonal(dim1=1, dim2=2)[..., None], negative_bmk], dim=-1)


def contrastive_loss(
    x_bmf: Tensor,
    y_bmf: Tensor,
    codes_bm: Tensor,
    negatives_bmk: Tensor,
    *,
    temperature: float,
    weight_s: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the true quantized frame among negatives of its record (arXiv:2006.11477, eq. 3).

    Parameters are those of `contrastive_logits` and `mean_of_hidden`.

    Returns
    -------
    loss, accuracy : Tensor, shape ()
        Mean over masked frames.
    """  # fmt: skip
    logits_sk = contrastive_logits(x_bmf, y_bmf, codes_bm, negatives_bmk, temperature=temperature).flatten(0, 1)
    loss = mean_of_hidden(logits_sk.logsumexp(dim=-1) - logits_sk[..., 0], weight_s)
    return loss, mean_of_hidden((logits_sk.argmax(dim=-1) == 0).to(logits_sk.dtype), weight_s)


def cmsc_loss(
    z_bd: Tensor, *, temperature: float, fixed_norms: bool = False, patients_p: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Symmetric cross entropy over cosine similarities of pairs (CLOCS, arXiv:2005.13249).

    The pairs of all ranks are negatives; every rank must ask, with as many pairs.

    Parameters
    ----------
    z_bd : Tensor, shape (2 pairs, dim)
        Rows 2i and 2i+1 are recordings of one patient.
    temperature : float
        Cosine similarities are divided by it.
    fixed_norms : bool
        Let no gradient through the vectors' lengths, as the original (measured: its gradients agree to 1e-5
        only so). The value is the same.
    patients_p : Tensor of int64, shape (pairs,), optional
        Whose each pair is, where somebody may have several: these are no negatives of each other.

    Returns
    -------
    loss, accuracy : Tensor, shape ()
        Mean over the pairs of this rank and directions.
    """
    z = at_least_float32(z_bd)
    norms = z.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    z = z / (norms.detach() if fixed_norms else norms)
    everything = gather_rows(z)
    pairs = z.shape[0] // 2
    truth = group_rank() * pairs + torch.arange(pairs, device=z.device)
    forth, back = (scores(z[k::2], everything[1 - k :: 2].T) / temperature for k in (0, 1))
    if patients_p is not None:
        own_pn = truth[:, None] == torch.arange(len(everything) // 2, device=z.device)
        same_pn = (patients_p[:, None] == gather_rows(patients_p)) & ~own_pn
        forth, back = (logits_pn.masked_fill(same_pn, -torch.inf) for logits_pn in (forth, back))
    loss = 0.5 * (functional.cross_entropy(forth, truth) + functional.cross_entropy(back, truth))
    hits = (forth.argmax(dim=1) == truth).float() + (back.argmax(dim=1) == truth).float()
    return loss, 0.5 * hits.mean()


def feature_penalty(features: Features) -> Tensor:
    """Mean square of the conv features: of each record over its real frames, and that over records."""
    square_bt = at_least_float32(features.conv_btc).square().mean(dim=-1)
    if features.mask_bt is None:
        return square_bt.mean()
    return (square_bt.masked_fill(~features.mask_bt, 0.0).sum(dim=1) / features.mask_bt.sum(dim=1)).mean()
