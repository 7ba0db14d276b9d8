"""The front end's first stage: convolution, GroupNorm of each channel and GELU.

Shapes: b batch, l leads, n samples, c channels, t frames, k = leads x kernel, what a frame sees.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.nn import functional

from ecglfm.models.layers.convolution import SampleConvolution
from ecglfm.models.layers.fast.choice import fast
from ecglfm.models.layers.normalization import MaskedGroupNorm
from ecglfm.models.layers.precision import in_float32


def first_stage(x_bln: Tensor, conv: nn.Module, norm: nn.Module, mask_bt: Tensor | None = None) -> Tensor:
    """Convolve, normalise and activate; fast where all frames are real and the signal wants no gradient.

    Parameters
    ----------
    x_bln : Tensor, shape (batch, leads, samples)
    conv : nn.Module
        To (batch, channels, frames), such as `SampleConvolution`.
    norm : nn.Module
        Of that and a mask, such as `MaskedGroupNorm` with a group per channel.
    mask_bt : Tensor of bool, shape (batch, frames), optional
        True where a frame is real.

    Returns
    -------
    Tensor, shape (batch, frames, channels)
    """
    possible = mask_bt is None and not x_bln.requires_grad and x_bln.dtype == torch.float32
    if not possible or not fast(x_bln, (conv, (SampleConvolution,)), (norm, (MaskedGroupNorm,))):
        return functional.gelu(in_float32(lambda x: norm(conv(x), mask_bt), x_bln)).transpose(1, 2)
    conv, norm = cast(nn.Conv1d, conv), cast(nn.GroupNorm, norm)
    parameters = conv.weight, conv.bias, norm.weight, norm.bias
    return cast(Tensor, _ConvolveNormalizeGELU.apply(x_bln, *parameters, conv.stride[0], norm.eps))


class _ConvolveNormalizeGELU(torch.autograd.Function):
    """First convolution, GroupNorm of each channel and GELU, channels last.

    What this makes of a record is as large as all that follows together, so it is gone through as seldom as can be. A
    channel of weights w has variance w'Cw over the frames, C being the covariance of what the frames see. So the
    GroupNorm becomes part of each record's weights; and in the backward pass, which works out again what enters the
    GELU, all sums over frames follow from one product. Gradients as in batch normalisation (arXiv:1502.03167, 3); that
    of the convolution's bias is zero, because the mean is taken away. In float32 under autocast, too, see `in_float32`.
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any, x_bln: Tensor, weight: Tensor, bias: Tensor, scale_c: Tensor, shift_c: Tensor, stride: int, eps: float
    ) -> Tensor:
        rows_btk = _rows(x_bln, weight.shape[2], stride)
        rows_btk = rows_btk - rows_btk.mean(1, keepdim=True)  # a copy: with one lead the rows may be the signal itself
        exact_btk, weight_ck = rows_btk.double(), weight.flatten(1).double()
        along_bck = weight_ck @ (exact_btk.transpose(1, 2) @ exact_btk / rows_btk.shape[1])
        deviation_bc1 = ((along_bck * weight_ck).sum(2, keepdim=True) + eps).sqrt()
        folded_bck = (weight_ck * scale_c[:, None] / deviation_bc1).to(rows_btk.dtype)
        out = x_bln.new_empty(*rows_btk.shape[:2], len(weight))
        for rows_tk, folded_ck, out_tc in zip(rows_btk, folded_bck, out, strict=True):
            torch.ops.aten.gelu.out(functional.linear(rows_tk, folded_ck, shift_c), out=out_tc)
        ctx.save_for_backward(rows_btk, weight, scale_c, shift_c, along_bck, deviation_bc1, folded_bck)
        return out

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad_btc: Tensor) -> tuple[Tensor | None, ...]:
        rows_btk, weight, scale_c, shift_c, along_bck, deviation_bc1, folded_bck = ctx.saved_tensors
        product_bck, sum_bc = torch.empty_like(folded_bck), rows_btk.new_empty(len(rows_btk), len(weight))
        for number, (rows_tk, folded_ck, grad_tc) in enumerate(zip(rows_btk, folded_bck, grad_btc, strict=True)):
            grad = torch.ops.aten.gelu_backward(grad_tc, functional.linear(rows_tk, folded_ck, shift_c))
            torch.mm(grad.t(), rows_tk, out=product_bck[number])
            torch.sum(grad, 0, out=sum_bc[number])
        exact_bck = product_bck.double()
        grad_scale_bc1 = (exact_bck * weight.flatten(1)).sum(2, keepdim=True) / deviation_bc1
        exact_bck -= along_bck * (grad_scale_bc1 / deviation_bc1)
        grad_weight = (exact_bck * scale_c[:, None] / deviation_bc1).sum(0).to(weight.dtype).view_as(weight)
        grad_scale_c = grad_scale_bc1.sum((0, 2)).to(scale_c.dtype)
        return None, grad_weight, torch.zeros_like(shift_c), grad_scale_c, sum_bc.sum(0), None, None


def _rows(x_bln: Tensor, kernel: int, stride: int) -> Tensor:
    """What each frame sees, (b, t, k)."""
    return x_bln.unfold(2, kernel, stride).transpose(1, 2).flatten(2)
