"""Attention with relative positions, whose formula `ecglfm.models.layers.attention` gives.

Where gradients are wanted on a CPU, `_Attend` does it a few records at a time, so that the scores stay in the cache,
and keeps queries, keys, values and weights; PyTorch's attention takes a bias with a gradient through twice as many
tensors as large as the weights.

Shapes: b batch, t frames, d width, h heads, w width of a head, p = 2t-1 relative positions, n records together.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.models.layers.fast.choice import exporting, fast
from ecglfm.models.layers.fast.dropout import drop_out, keep_mask
from ecglfm.models.layers.precision import never

_ALIGNED = 8  # elements: the fused kernels of a GPU copy a bias whose rows begin elsewhere
_TOGETHER = 1 << 22  # scores of the records that are worked on together: 16 MB


def attend(
    query_btd: Tensor, key_btd: Tensor, value_btd: Tensor, position_pd: Tensor, u_hw: Tensor, v_hw: Tensor,
    mask_bt: Tensor | None = None, *, dropout: float = 0.0,
) -> Tensor:  # fmt: skip
    """Values of the real frames, weighted by the softmax of the scores by content and by position.

    Parameters
    ----------
    query_btd, key_btd, value_btd : Tensor, shape (batch, frames, dim)
    position_pd : Tensor, shape (2 frames - 1, dim)
        Keys of the relative positions, the first of T-1.
    u_hw, v_hw : Tensor, shape (heads, dim / heads)
        Added to the queries of content and of position.
    mask_bt : Tensor of bool, shape (batch, frames), optional
        True where a frame is real.
    dropout : float
        Probability with which a weight is dropped now.

    Returns
    -------
    Tensor, shape (batch, frames, dim)
    """
    if fast(query_btd):
        biases = u_hw.to(query_btd.dtype), v_hw.to(query_btd.dtype)
        return cast(Tensor, _Attend.apply(query_btd, key_btd, value_btd, position_pd, *biases, mask_bt, dropout))
    heads, width = u_hw.shape
    query, key, value = (_heads(x, heads) for x in (query_btd, key_btd, value_btd))
    if not _fused(query):
        position_hwp = position_pd.view(-1, heads, width).permute(1, 2, 0) / math.sqrt(width)
        bias = relative_shift((query + v_hw[:, None]) @ position_hwp)
        if mask_bt is not None:
            bias = bias.masked_fill(~mask_bt[:, None, None, :], never(bias))
    else:
        u_hw = u_hw.to(
            query.dtype
        )  # a sum in half precision moves half the bytes, and needs no cast before its product
        bias = aligned_bias(query_btd, position_pd, v_hw.to(query.dtype), mask_bt)
    query = query + u_hw[:, None]
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    return out.transpose(1, 2).reshape(query_btd.shape)


def relative_shift(scores_bhtp: Tensor) -> Tensor:
    """Scores by relative position to scores by key: out[i, j] = in[i, T-1-i+j] (arXiv:1901.02860, appendix B).

    Parameters
    ----------
    scores_bhtp : Tensor, shape (batch, heads, T, 2T-1)

    Returns
    -------
    Tensor, shape (batch, heads, T, T)
    """
    batch, heads, frames, positions = scores_bhtp.shape
    if exporting():  # as below with a copy, in operations that every runtime has
        flat = functional.pad(scores_bhtp, (0, 1)).flatten(2)[..., frames - 1 : -1]
        return flat.view(batch, heads, frames, positions)[..., :frames]
    # Row i starts one place earlier than row i-1: a view with a row stride of 2T-2 and no copy. Its first place is that
    # of a slice, because a compiler does not know the place of a tensor in its memory, and would end its graph here.
    first = scores_bhtp.contiguous().flatten(2)[..., frames - 1 :]
    strides = (heads * frames * positions, frames * positions, positions - 1, 1)
    return first.as_strided((batch, heads, frames, frames), strides)


def _fused(x: Tensor) -> bool:
    """Whether PyTorch's attention is a kernel that is particular about the bias."""
    return x.device.type != "cpu" and not exporting()


def aligned_bias(query_btd: Tensor, position_pd: Tensor, v_hw: Tensor, mask_bt: Tensor | None) -> Tensor:
    """Scores by position, as the fused kernels of a GPU read them in place: rows begin at multiples of 8 elements.

    The product is of every head with all records' frames, whose rows are aligned too. What is far under all scores
    stands at frames of padding.

    Parameters
    ----------
    query_btd, position_pd, v_hw, mask_bt
        As of `attend`.

    Returns
    -------
    Tensor, shape (batch, heads, frames, frames)
        Of what is as wide as the next multiple of 8.
    """
    (heads, width), (batch, frames) = v_hw.shape, query_btd.shape[:2]
    scaled_pd = functional.pad(position_pd / math.sqrt(width), (0, 0, 0, -len(position_pd) % _ALIGNED))
    query_hsw = (query_btd + v_hw.flatten()).view(batch * frames, heads, width).transpose(0, 1)
    scores_hsp = query_hsw @ scaled_pd.view(-1, heads, width).permute(1, 2, 0)
    return cast(Tensor, _AlignedByKey.apply(scores_hsp.view(heads, batch, frames, -1), mask_bt))


class _AlignedByKey(torch.autograd.Function):
    """`relative_shift` of scores whose heads come first, by one copy each way; large and negative where masked."""

    @staticmethod
    def forward(ctx: Any, scores_hbtp: Tensor, mask_bt: Tensor | None) -> Tensor:
        ctx.save_for_backward(mask_bt)
        ctx.shape, frames = scores_hbtp.shape, scores_hbtp.shape[2]
        more = -frames % _ALIGNED
        wide = _aligned_by_key(scores_hbtp, frames + more)
        if mask_bt is None:
            return wide.contiguous()[..., :frames]
        real_bk = functional.pad(mask_bt, (0, more))
        # Nothing in place: compiled by torch 2.11, a result that was changed has no gradient.
        return torch.where(real_bk[:, None, None], wide, never(wide))[..., :frames]

    @staticmethod
    def backward(ctx: Any, grad_bhtt: Tensor) -> tuple[Tensor, None]:
        (mask_bt,) = ctx.saved_tensors
        if mask_bt is not None:
            grad_bhtt = grad_bhtt.masked_fill(~mask_bt[:, None, None, :], 0.0)
        grad_hbtp = grad_bhtt.new_zeros(ctx.shape)
        _aligned_by_key(grad_hbtp, grad_bhtt.shape[-1]).copy_(grad_bhtt)
        return grad_hbtp, None


def _aligned_by_key(scores_hbtp: Tensor, keys: int) -> Tensor:
    """View (b, h, t, keys) of contiguous scores; what is behind the last frame means nothing."""
    heads, batch, frames, positions = scores_hbtp.shape
    strides = (frames * positions, batch * frames * positions, positions - 1, 1)
    return scores_hbtp.as_strided((batch, heads, frames, keys), strides, frames - 1)


def _heads(x_btd: Tensor, heads: int) -> Tensor:
    """View (b, h, t, w)."""
    batch, frames, dim = x_btd.shape
    return x_btd.view(batch, frames, heads, dim // heads).transpose(1, 2)


def _by_key(scores_hntp: Tensor) -> Tensor:
    """`relative_shift` of contiguous scores, heads first: a view (h, n, t, t)."""
    heads, records, frames, positions = scores_hntp.shape
    strides = (records * frames * positions, frames * positions, positions - 1, 1)
    return scores_hntp.as_strided((heads, records, frames, frames), strides, frames - 1)


class _Attend(torch.autograd.Function):
    """Attention with its gradients, a few records at a time; queries and their gradients are scaled by 1/sqrt(w)."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, position_pd: Tensor, u_hw: Tensor, v_hw: Tensor,
        mask_bt: Tensor | None, probability: float,
    ) -> Tensor:  # fmt: skip
        heads, batch, frames = len(u_hw), *query.shape[:2]
        weights = query.new_empty(batch, heads, frames, frames)
        keep = keep_mask(weights, probability) if probability else None
        position_hwp = _heads(position_pd[None], heads)[0].transpose(1, 2).contiguous()
        out = torch.empty_like(query)
        for records in _portions(batch, heads * frames * frames):
            query_u, query_v = _queries(query[records], u_hw, v_hw)
            scores = (query_u @ _heads(key[records], heads).transpose(2, 3)).transpose(0, 1)
            scores += _by_key((query_v.flatten(1, 2) @ position_hwp).unflatten(1, scores.shape[1:3]))
            scores = scores.transpose(0, 1)
            if mask_bt is not None:  # a large finite value: a record without one real frame must not give NaN
                scores.masked_fill_(~mask_bt[records, None, None, :], torch.finfo(scores.dtype).min)
            portion = weights[records]
            torch.softmax(scores, -1, out=portion)
            active = portion if keep is None else drop_out(portion.clone(), keep[records], probability)
            _heads(out[records], heads).copy_(active @ _heads(value[records], heads))
        ctx.save_for_backward(query, key, value, position_pd, u_hw, v_hw, weights, keep)
        ctx.probability = probability
        return out

    @staticmethod
    def backward(ctx: Any, grad_btd: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, position_pd, u_hw, v_hw, weights, keep = ctx.saved_tensors
        (heads, width), (batch, frames) = u_hw.shape, query.shape[:2]
        position_hpw = _heads(position_pd[None], heads)[0].contiguous()
        grad_query, grad_key, grad_value = (torch.empty_like(x) for x in (query, key, value))
        grad_position_hwp = query.new_zeros(heads, width, len(position_pd))
        grad_u, grad_v = torch.zeros_like(u_hw), torch.zeros_like(v_hw)
        by_position = query.new_zeros(0)
        for records in _portions(batch, heads * frames * frames):
            grad, portion = _heads(grad_btd[records], heads).contiguous(), weights[records]
            active = portion if keep is None else drop_out(portion.clone(), keep[records], ctx.probability)
            _heads(grad_value[records], heads).copy_(active.transpose(2, 3) @ grad)
            grad_scores = grad @ _heads(value[records], heads).transpose(2, 3)
            if keep is not None:
                drop_out(grad_scores, keep[records], ctx.probability)
            grad_scores = torch.ops.aten._softmax_backward_data(grad_scores, portion, -1, portion.dtype)
            query_u, query_v = _queries(query[records], u_hw, v_hw)
            _heads(grad_key[records], heads).copy_(grad_scores.transpose(2, 3) @ query_u)
            grad_query_u = (grad_scores @ _heads(key[records], heads)).transpose(0, 1)
            if by_position.numel() != query_v.numel() // width * len(position_pd):
                by_position = query.new_zeros(*query_v.shape[:3], len(position_pd))  # stays 0 beside the scores
            _by_key(by_position).copy_(grad_scores.transpose(0, 1))
            flat = by_position.flatten(1, 2)
            grad_position_hwp.baddbmm_(query_v.flatten(1, 2).transpose(1, 2), flat)
            grad_query_v = (flat @ position_hpw).view_as(query_v)
            grad_u += grad_query_u.sum((1, 2))
            grad_v += grad_query_v.sum((1, 2))
            _heads(grad_query[records], heads).copy_(grad_query_v.add_(grad_query_u).transpose(0, 1))
        scale = 1 / math.sqrt(width)
        grad_position_pd = grad_position_hwp.permute(2, 0, 1).reshape(position_pd.shape)
        return (
            grad_query.mul_(scale), grad_key, grad_value, grad_position_pd,
            grad_u.mul_(scale), grad_v.mul_(scale), None, None,
        )  # fmt: skip


def _portions(batch: int, scores: int) -> list[slice]:
    """Parts of a batch, of about as many `scores`."""
    size = max(1, _TOGETHER // scores)
    return [slice(start, start + size) for start in range(0, batch, size)]


def _queries(query_ntd: Tensor, u_hw: Tensor, v_hw: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled queries of content, (n, h, t, w), and of position, (h, n, t, w); both contiguous."""
    query, scale = _heads(query_ntd, len(u_hw)), 1 / math.sqrt(u_hw.shape[1])
    by_content = torch.add(query, u_hw[:, None], out=query.new_empty(query.shape))
    by_position = torch.add(
        query.transpose(0, 1), v_hw[:, None, None], out=query.new_empty(query.transpose(0, 1).shape)
    )
    return by_content.mul_(scale), by_position.mul_(scale)
