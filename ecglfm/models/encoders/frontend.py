"""Convolutional front end: millivolts to frames, as in wav2vec 2.0 (arXiv:2006.11477, 2) with ECG-LFM's sizes.

Four convolutions of kernel 2 and stride 2 turn 500 Hz into frames of 32 ms. A frame is real when every
sample it sees is real: a padded record then has exactly the frames it has alone.

HuBERT-ECG's reads the leads one after the other, as one channel: a frame sees one lead, or the end of one and the
beginning of the next. Of a padded record the real samples are joined; the padding of all leads stands behind them.

Shapes: b batch, l leads, n samples, c channels, t frames, d encoder width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.models.layers import FrameConvolution, MaskedGroupNorm, SampleConvolution, first_stage


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


def join_leads(x_bln: Tensor, mask_bn: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Put the leads one after the other.

    Parameters
    ----------
    x_bln : Tensor, shape (batch, leads, samples)
    mask_bn : Tensor of bool, shape (batch, samples), optional
        True where a sample is real.

    Returns
    -------
    Tensor, shape (batch, 1, leads * samples)
        The real samples of the first lead, then those of the second, …; behind them all that is padding.
    Tensor of bool, shape (batch, leads * samples), or None
        True where a sample of it is real.
    """
    if mask_bn is None:
        return x_bln.flatten(1)[:, None], None
    whole_bn = mask_bn.repeat(1, x_bln.shape[1])
    place_n = torch.arange(whole_bn.shape[1], device=x_bln.device)
    order_bn = (place_n + 2**40 * ~whole_bn).argsort(1)  # no two alike: ONNX has no stable sort
    return x_bln.flatten(1).gather(1, order_bn)[:, None], whole_bn.gather(1, order_bn)


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
        Width of the encoder.
    joined : bool
        Read the leads one after the other, as one channel (`join_leads`).
    projected : bool, optional
        Whether there is a Linear; None: where `dim` is not `channels`.

    Notes
    -----
    Initialised as wav2vec 2.0: Kaiming normal for the kernels, PyTorch's default for biases and the Linear.
    """

    def __init__(
        self,
        leads: int,
        *,
        channels: int,
        conv_layers: list[tuple[int, int]],
        dim: int,
        joined: bool = False,
        projected: bool | None = None,
    ) -> None:
        super().__init__()
        (kernel, stride), *rest = conv_layers
        convs: list[nn.Conv1d] = [SampleConvolution(1 if joined else leads, channels, kernel, stride)]
        convs += [FrameConvolution(channels, channels, kernel, stride) for kernel, stride in rest]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
        self.convs = nn.ModuleList(convs)
        self.group_norm = MaskedGroupNorm(channels, channels)
        self.layer_norm = nn.LayerNorm(channels)
        projected = dim != channels if projected is None else projected
        self.project = nn.Linear(channels, dim) if projected else nn.Identity()
        self.channels, self.joined = channels, leads if joined else 1
        self.strides = list(conv_layers)

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples of each lead give."""
        samples = samples * self.joined
        for kernel, stride in self.strides:
            samples = max(0, (samples - kernel) // stride + 1)
        return samples

    def freeze(self) -> None:
        """Have the convolutions and their GroupNorm keep their weights.

        The LayerNorm and Linear behind them learn, as in the original.
        """
        self.convs.requires_grad_(False)
        self.group_norm.requires_grad_(False)

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
        x = x_bln.to(next(self.parameters()).dtype)
        if self.joined > 1:
            x, mask_bn = join_leads(x, mask_bn)
        if mask_bn is not None:
            x = x.masked_fill(~mask_bn[:, None, :], 0.0)
        mask = mask_bn
        for index, (conv, (kernel, stride)) in enumerate(zip(self.convs, self.strides, strict=True)):
            if mask is not None:
                # in two dimensions, because torch.export knows the one-dimensional form for one length only
                mask = functional.max_pool2d((~mask).float()[:, None], (1, kernel), (1, stride))[:, 0] == 0
            x = first_stage(x, conv, self.group_norm, mask) if index == 0 else functional.gelu(conv(x))
        return Features(x, self.layer_norm(x), mask)
