"""Convolution, batch norm and ReLU, channels first, where padding leaves no trace.

Each convolution sees zeros where there is padding, as it does past the ends of a record alone.

Shapes: b batch, c channels, t samples or frames.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers.normalization import MaskedBatchNorm
from ecglfm.models.layers.precision import at_least_float32


class ChannelsFirstBatchNorm(MaskedBatchNorm):
    """`MaskedBatchNorm` of (batch, channels, frames); channels move only where padding must be left out."""

    def forward(self, x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Normalise; shapes (batch, channels, frames) in and out."""
        if self.training and (mask_bt is not None or self._crosses_ranks()):
            return super().forward(x_bct.transpose(1, 2), mask_bt).transpose(1, 2)
        if self.training and self.follows and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        normed = functional.batch_norm(
            at_least_float32(x_bct), self.running_mean, self.running_var, at_least_float32(self.weight),
            at_least_float32(self.bias),
            self.training, (self.momentum or 0.0) if self.follows else 0.0, self.eps,
        )  # fmt: skip
        return normed.to(x_bct.dtype)


class Convolution(nn.Module):
    """Convolution without bias, batch norm and, unless told not to, ReLU; as many samples out as in, by stride.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Odd.
    stride : int
    relu : bool
    zero : bool
        Start with the norm's scale at zero.
    sync : bool
        Statistics over the batches of all ranks.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, relu: bool = True, zero: bool = False,
        sync: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.conv.weight)
        self.norm = ChannelsFirstBatchNorm(outputs, sync=sync)
        if zero:
            nn.init.zeros_(self.norm.weight)
        self.relu, self.stride, self.kernel = relu, stride, kernel

    def forward(self, x_bct: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Convolve and normalise.

        Parameters
        ----------
        x_bct : Tensor, shape (batch, inputs, t)
        mask_bt : Tensor of bool, shape (batch, t), optional

        Returns
        -------
        Tensor, shape (batch, outputs, ceil(t / stride))
        """
        if mask_bt is not None and self.kernel > 1:
            x_bct = x_bct.masked_fill(~mask_bt[:, None], 0.0)
        out = self.norm(self.conv(x_bct), strided(mask_bt, self.stride))
        return functional.relu(out) if self.relu else out


def strided(mask_bt: Tensor | None, stride: int) -> Tensor | None:
    """Mask of what a convolution or pooling of this stride makes: real where the sample in its middle is."""
    return mask_bt if mask_bt is None or stride == 1 else mask_bt[:, ::stride]
