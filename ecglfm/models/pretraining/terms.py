"""Terms of the pretraining loss, each a function of tensors: what is compared, with what, and how.

Shapes: b batch, t frames, d encoder width, m masked frames of a record (the same in all), k negatives,
f width of the contrastive space.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.models.encoders import Features
from ecglfm.models.layers import at_least_float32, gather_rows, group_rank


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
    scores_bmm = x @ y.transpose(1, 2) / temperature  # every frame with every frame, once
    same_bmm = codes_bm[:, :, None] == codes_bm[:, None, :]
    negative_bmk = scores_bmm.masked_fill(same_bmm, -torch.inf).gather(2, negatives_bmk)
    return torch.cat([scores_bmm.diagonal(dim1=1, dim2=2)[..., None], negative_bmk], dim=-1)


def contrastive_loss(
    x_bmf: Tensor, y_bmf: Tensor, codes_bm: Tensor, negatives_bmk: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the true quantized frame among negatives of its record (arXiv:2006.11477, eq. 3).

    Parameters are those of `contrastive_logits`.

    Returns
    -------
    loss, accuracy : Tensor, shape ()
        Mean over masked frames.
    """
    logits_bmk = contrastive_logits(x_bmf, y_bmf, codes_bm, negatives_bmk, temperature=temperature)
    loss = (logits_bmk.logsumexp(dim=-1) - logits_bmk[..., 0]).mean()
    return loss, (logits_bmk.argmax(dim=-1) == 0).to(logits_bmk.dtype).mean()


def cmsc_loss(z_bd: Tensor, *, temperature: float, fixed_norms: bool = False) -> tuple[Tensor, Tensor]:
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
    forth, back = z[0::2] @ everything[1::2].T / temperature, z[1::2] @ everything[0::2].T / temperature
    loss = 0.5 * (functional.cross_entropy(forth, truth) + functional.cross_entropy(back, truth))
    hits = (forth.argmax(dim=1) == truth).float() + (back.argmax(dim=1) == truth).float()
    return loss, 0.5 * hits.mean()


def feature_penalty(features: Features, real_frames: float | None = None) -> Tensor:
    """Mean square of the conv features at real frames.

    Parameters
    ----------
    features : Features
    real_frames : float, optional
        Divide by as many frames instead of this batch's: where batches have different numbers of them, the mean
        of their penalties is then the penalty of all.
    """
    square_bt = at_least_float32(features.conv_btc).square().mean(dim=-1)
    if features.mask_bt is None:
        return square_bt.mean() if real_frames is None else square_bt.sum() / real_frames
    total = square_bt.masked_fill(~features.mask_bt, 0.0).sum()
    return total / (features.mask_bt.sum() if real_frames is None else real_frames)
