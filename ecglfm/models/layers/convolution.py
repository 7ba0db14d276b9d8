"""Convolutions that are products of matrices, or have their channels last; their weights are those of `nn.Conv1d`."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional


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


class Pointwise(nn.Conv1d):
    """Convolution of kernel 1 without bias, which is a Linear: from (batch, frames, channels) to the same."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, x_btc: Tensor) -> Tensor:
        """Transform each frame alone."""
        return functional.linear(x_btc, self.weight[:, :, 0])


class Depthwise(nn.Conv1d):
    """Convolution over time of each channel by itself, without bias: (batch, frames, channels) to the same."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)

    def forward(self, x_btc: Tensor) -> Tensor:
        """Convolve, with zeros around each record."""
        return super().forward(x_btc.transpose(1, 2)).transpose(1, 2)
