"""Gated depthwise convolution over time, on a CPU as products of small banded matrices.

PyTorch's own depthwise convolution takes twice as long (docs/performance-notes.md). Here time is cut into blocks of
`BLOCK` frames, and each channel's taps are written into two square matrices: one for a block itself, one for what
it sees of the next block.

    y[n] = x[n] @ own + x[n + 1] @ next

For the backward pass it keeps what enters the gate, and works out again what leaves it.

Shapes: b batch, t frames, c channels, k taps, n blocks, m = n + 1, l frames of a block, g = 2c.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers.convolution import Depthwise
from ecglfm.models.layers.fast.choice import fast

BLOCK = 32  # frames; longer kernels take a multiple


def gated_depthwise(x_btg: Tensor, conv: nn.Module, mask_bt: Tensor | None = None) -> Tensor:
    """Multiply one half of the channels by the sigmoid of the other (GLU), then convolve each channel by itself.

    Parameters
    ----------
    x_btg : Tensor, shape (batch, frames, 2 channels)
    conv : nn.Module
        (batch, frames, channels) to the same, such as `Depthwise`.
    mask_bt : Tensor of bool, shape (batch, frames), optional
        True where a frame is real; the others count as zeros, as those around a record do.

    Returns
    -------
    Tensor, shape (batch, frames, channels)
    """
    if not fast(x_btg, (conv, (Depthwise,)), inference=True):
        return cast(Tensor, conv(_gated(x_btg, mask_bt)))
    weight_ck = cast(Depthwise, conv).weight[:, 0]
    return cast(Tensor, _Banded.apply(x_btg, weight_ck.to(x_btg.dtype), mask_bt))


def _gated(x_btg: Tensor, mask_bt: Tensor | None) -> Tensor:
    """GLU of the real frames, zeros elsewhere, (b, t, c)."""
    x_btc = functional.glu(x_btg)
    return x_btc if mask_bt is None else x_btc.masked_fill(~mask_bt[..., None], 0.0)


class _Banded(torch.autograd.Function):
    """`gated_depthwise` on a CPU, with its gradients."""

    @staticmethod
    def forward(ctx: Any, x_btg: Tensor, weight_ck: Tensor, mask_bt: Tensor | None) -> Tensor:
        batch, frames, _ = x_btg.shape
        taps = weight_ck.shape[1]
        block = -(-max(taps - 1, 1) // BLOCK) * BLOCK
        # Zeros after each record keep its last frames from seeing the next record.
        padded = -(-(frames + taps - 1) // block) * block
        x_cml = _to_blocks(_gated(x_btg, mask_bt), taps // 2, padded, block, ahead=0)
        own_cll, next_cll = _bands(weight_ck, block)
        # Whole contiguous results: PyTorch multiplies parts of tensors one channel after the other.
        y_cnl = torch.bmm(x_cml[:, :-1], own_cll).baddbmm_(x_cml[:, 1:], next_cll)
        ctx.save_for_backward(x_btg, weight_ck, mask_bt)
        ctx.sizes = (batch, frames, padded, block)
        return _from_blocks(y_cnl, batch, 0, frames)

    @staticmethod
    def backward(ctx: Any, grad_btc: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x_btg, weight_ck, mask_bt = ctx.saved_tensors
        batch, frames, padded, block = ctx.sizes
        taps = weight_ck.shape[1]
        grad_cml = _to_blocks(grad_btc, 0, padded, block, ahead=1)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            own_cll, next_cll = (band.transpose(1, 2) for band in _bands(weight_ck, block))
            grad_x_cnl = torch.bmm(grad_cml[:, 1:], own_cll).baddbmm_(grad_cml[:, :-1], next_cll)
            grad_gated = _from_blocks(grad_x_cnl, batch, taps // 2, frames)
            if mask_bt is not None:
                grad_gated.masked_fill_(~mask_bt[..., None], 0.0)
            grad_x = torch.ops.aten.glu_backward(grad_gated, x_btg, -1)
        if ctx.needs_input_grad[1]:
            x_cml = _to_blocks(_gated(x_btg, mask_bt), taps // 2, padded, block, ahead=0)
            grad_own = torch.bmm(x_cml[:, :-1].transpose(1, 2), grad_cml[:, 1:])
            grad_next = torch.bmm(x_cml[:, 1:].transpose(1, 2), grad_cml[:, 1:])
            grad_weight = _diagonals(torch.cat([grad_own, grad_next], dim=1), taps).sum(dim=2)
        return grad_x, grad_weight, None


def _to_blocks(x_btc: Tensor, before: int, padded: int, block: int, *, ahead: int) -> Tensor:
    """Channels first and time in blocks, (c, n + 1, l), with `before` zeros before each record and zeros after it.

    The one block more is of zeros: the first where `ahead` is 1, else the last.
    """
    batch, frames, channels = x_btc.shape
    rows = x_btc.new_empty(batch * padded + block, channels)
    rows[0 if ahead else batch * padded :][:block] = 0
    records = rows[ahead * block :][: batch * padded].view(batch, padded, channels)
    records[:, :before] = 0
    records[:, before : before + frames] = x_btc
    records[:, before + frames :] = 0
    return rows.t().contiguous().view(channels, -1, block)  # two dimensions: PyTorch transposes those in tiles


def _from_blocks(y_cnl: Tensor, batch: int, before: int, frames: int) -> Tensor:
    """Undo `_to_blocks`: (b, t, c), contiguous."""
    channels = y_cnl.shape[0]
    y_bpc = y_cnl.view(channels, -1).t().contiguous().view(batch, -1, channels)
    return y_bpc[:, before : before + frames].contiguous()


def _bands(weight_ck: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """The two matrices of each channel, (c, l, l): entry [i, j] is what input frame i gives to output frame j."""
    channels, taps = weight_ck.shape
    both_c2ll = weight_ck.new_zeros(channels, 2 * block, block)
    _diagonals(both_c2ll, taps).copy_(weight_ck[:, :, None])
    return both_c2ll[:, :block], both_c2ll[:, block:]


def _diagonals(both_c2ll: Tensor, taps: int) -> Tensor:
    """View of the entries [j + k, j] of each channel's stacked matrices, (c, k, l)."""
    channels, _, block = both_c2ll.shape
    return both_c2ll.as_strided((channels, taps, block), (2 * block * block, block, block + 1))
