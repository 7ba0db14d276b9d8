"""Convolutional front end: millivolts to frames, as in wav2vec 2.0 (arXiv:2006.11477, 2) with ECG-LFM's sizes.

Four convolutions of kernel 2 and stride 2 turn 500 Hz into frames of 32 ms. A frame is real when every
sample it sees is real: a padded record then has exactly the frames it has alone.

Shapes: b batch, l leads, n samples, c channels, t frames, d encoder width.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.nn import functional

from ecglfm.models.normalization import MaskedGroupNorm


class Features(NamedTuple):
    """What the front end makes of a batch.

    Attributes
    ----------
    conv_btc : Tensor, shape (batch, frames, channels)
        Output of the last convolution; the feature penalty is taken on it.
    normed_btc : Tensor, shape (batch, frames, channels)
        `conv_btc` after the LayerNorm; what the quantizer reads.
    mask_bt : Tensor of bool, shape (batch, frames), or None
        True where the frame is real; None when all are.
    """

    conv_btc: Tensor
    normed_btc: Tensor
    mask_bt: Tensor | None


class SampleConvolution(nn.Conv1d):
    """Convolution without padding as one matrix product: (batch, channels in, samples) to (batch, channels, frames)."""

    def forward(self, x_bcn: Tensor) -> Tensor:
        """Convolve."""
        columns = x_bcn.unfold(2, self.kernel_size[0], self.stride[0]).transpose(2, 3).flatten(1, 2)
        return self.weight.flatten(1) @ columns + cast(Tensor, self.bias)[:, None]


class FrameConvolution(nn.Conv1d):
    """The same with channels last: (batch, frames in, channels in) to (batch, frames, channels).

    Where kernel and stride are equal the product reads its input in place; PyTorch's own convolution takes longer.
    """

    def forward(self, x_btc: Tensor) -> Tensor:
        """Convolve."""
        batch, frames, channels = x_btc.shape
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel == stride:
            rows = x_btc[:, : frames // stride * stride].reshape(batch, frames // stride, kernel * channels)
        else:
            rows = x_btc.unfold(1, kernel, stride).transpose(2, 3).flatten(2)
        return functional.linear(rows, self.weight.transpose(1, 2).flatten(1), self.bias)


class _ConvolveNormalizeGELU(torch.autograd.Function):
    """First convolution, GroupNorm of each channel and GELU, channels last.

    What this makes of a record is as large as all that follows together, so it is gone through as seldom as can be. A
    channel of weights w has variance w'Cw over the frames, C being the covariance of what the frames see. So the
    GroupNorm becomes part of each record's weights; and in the backward pass, which works out again what enters the
    GELU, all sums over frames follow from one product. Gradients as in batch normalisation (arXiv:1502.03167, 3); that
    of the convolution's bias is zero, because the mean is taken away. In float32 under autocast, too: there is little
    to multiply, and bfloat16 would have two digits of the millivolts.

    Shapes: k = leads x kernel, what a frame sees.
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


class FrontEnd(nn.Module):
    """Strided convolutions, GroupNorm with one group per channel after the first, GELU, LayerNorm, Linear.

    Parameters
    ----------
    leads : int
        Input channels.
    channels : int
        Channels of every convolution.
    conv_layers : list of (int, int)
        Kernel and stride of each convolution, samples.
    dim : int
        Width of the encoder; the Linear is absent when it equals `channels`.

    Notes
    -----
    Initialised as wav2vec 2.0: Kaiming normal for the kernels, PyTorch's default for biases and the Linear.
    """

    def __init__(self, leads: int, *, channels: int, conv_layers: list[tuple[int, int]], dim: int) -> None:
        super().__init__()
        (kernel, stride), *rest = conv_layers
        convs: list[nn.Conv1d] = [SampleConvolution(leads, channels, kernel, stride)]
        convs += [FrameConvolution(channels, channels, kernel, stride) for kernel, stride in rest]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
        self.convs = nn.ModuleList(convs)
        self.group_norm = MaskedGroupNorm(channels, channels)
        self.layer_norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, dim) if dim != channels else nn.Identity()
        self.strides = list(conv_layers)

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        for kernel, stride in self.strides:
            samples = max(0, (samples - kernel) // stride + 1)
        return samples

    def forward(self, x_bln: Tensor, mask_bn: Tensor | None = None) -> Features:
        """Convolve and normalise; `project` is left to the caller, who may need both sides of it.

        Parameters
        ----------
        x_bln : Tensor of float, shape (batch, leads, samples)
            Millivolts.
        mask_bn : Tensor of bool, shape (batch, samples), optional
            True where a sample is real.

        Returns
        -------
        Features
        """
        x = x_bln.to(self.layer_norm.weight.dtype)
        if mask_bn is not None:
            x = x.masked_fill(~mask_bn[:, None, :], 0.0)
        mask = mask_bn
        for index, (conv, (kernel, stride)) in enumerate(zip(self.convs, self.strides, strict=True)):
            if mask is not None:
                # in two dimensions, because torch.export knows the one-dimensional form for one length only
                mask = functional.max_pool2d((~mask).float()[:, None], (1, kernel), (1, stride))[:, 0] == 0
            x = self._first(x, mask) if index == 0 else functional.gelu(conv(x))
        return Features(x, self.layer_norm(x), mask)

    def _first(self, x_bln: Tensor, mask_bt: Tensor | None) -> Tensor:
        """First convolution, GroupNorm and GELU: (b, t, c)."""
        conv, norm = cast(nn.Conv1d, self.convs[0]), self.group_norm
        learns = torch.is_grad_enabled() and not x_bln.requires_grad and x_bln.dtype == torch.float32
        if not learns or mask_bt is not None or x_bln.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.gelu(norm(conv(x_bln), mask_bt)).transpose(1, 2)
        parameters = conv.weight, conv.bias, norm.weight, norm.bias
        return cast(Tensor, _ConvolveNormalizeGELU.apply(x_bln, *parameters, conv.stride[0], norm.eps))
