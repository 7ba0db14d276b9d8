"""Convolutional front end: millivolts to frames, as in wav2vec 2.0 (arXiv:2006.11477, 2) with ECG-LFM's sizes.

Four convolutions of kernel 2 and stride 2 turn 500 Hz into frames of 32 ms. A frame is real when every
sample it sees is real: a padded record then has exactly the frames it has alone.

Shapes: b batch, l leads, n samples, c channels, t frames, d encoder width.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
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
    """First convolution, GroupNorm of each channel and GELU, channels last, one record at a time.

    The samples of a record after this are as many as all that follows together: so they stay in the cache, and the
    backward pass works out again what it needs of them.
    """

    @staticmethod
    def forward(
        ctx: Any, x_bln: Tensor, weight: Tensor, bias: Tensor, scale_c: Tensor, shift_c: Tensor, stride: int, eps: float
    ) -> Tensor:
        rows_btk = _rows(x_bln, weight.shape[2], stride)
        ctx.save_for_backward(rows_btk, weight, bias, scale_c, shift_c)
        ctx.eps = eps
        out = x_bln.new_empty(*rows_btk.shape[:2], len(weight))
        for rows_tk, out_tc in zip(rows_btk, out, strict=True):
            normed_tc, _ = _standardized(functional.linear(rows_tk, weight.flatten(1), bias), eps)
            torch.ops.aten.gelu.out(torch.addcmul(shift_c, normed_tc, scale_c), out=out_tc)
        return out

    @staticmethod
    def backward(ctx: Any, grad_btc: Tensor) -> tuple[Tensor | None, ...]:
        rows_btk, weight, bias, scale_c, shift_c = ctx.saved_tensors
        grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        grad_scale, grad_shift = torch.zeros_like(scale_c), torch.zeros_like(shift_c)
        for rows_tk, grad_tc in zip(rows_btk, grad_btc, strict=True):
            normed_tc, deviation_c = _standardized(functional.linear(rows_tk, weight.flatten(1), bias), ctx.eps)
            grad = torch.ops.aten.gelu_backward(grad_tc, torch.addcmul(shift_c, normed_tc, scale_c))
            along_c, sum_c, frames = (grad * normed_tc).sum(0), grad.sum(0), len(grad)
            grad_scale += along_c
            grad_shift += sum_c
            grad -= normed_tc.mul_(along_c / frames).add_(sum_c / frames)
            grad *= scale_c / deviation_c
            grad_weight.flatten(1).addmm_(grad.t(), rows_tk)
            grad_bias += grad.sum(0)
        return None, grad_weight, grad_bias, grad_scale, grad_shift, None, None


def _rows(x_bln: Tensor, kernel: int, stride: int) -> Tensor:
    """What each frame sees, (b, t, l kernel)."""
    return x_bln.unfold(2, kernel, stride).transpose(1, 2).flatten(2)


def _standardized(x_tc: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Each channel with mean 0 and deviation 1, in place; and the deviation, (c,)."""
    x_tc -= x_tc.mean(0)
    deviation_c = (x_tc.square().mean(0) + eps).sqrt()
    return x_tc.div_(deviation_c), deviation_c


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
