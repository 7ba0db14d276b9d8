"""Multi-head self-attention with relative positions, in Transformer-XL's form (arXiv:1901.02860, 3.3).

With scores by key and scores by relative position, of which row i wants 2T-1 shifted by i,

    softmax((q + u) k' / sqrt(w) + shift((q + v) r') / sqrt(w)) values

Shapes: b batch, t frames, d width, p = 2t-1 relative positions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ecglfm.models.layers.fast import Dropout, attend, normed_linear
from ecglfm.models.layers.initialization import Linear


def sinusoids(frames: int, dim: int) -> Tensor:
    """Sinusoids of the relative positions T-1, …, 0, …, -(T-1) (arXiv:1901.02860, 3.3).

    Parameters
    ----------
    frames : int
        T.
    dim : int
        Even width; sines at even, cosines at odd places.

    Returns
    -------
    Tensor of float32, shape (2T-1, dim)
    """
    position = torch.arange(frames - 1, -frames, -1, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * -(math.log(10000.0) / dim))
    return torch.stack([torch.sin(position * rate), torch.cos(position * rate)], dim=-1).flatten(1)


class RelativeAttention(nn.Module):
    """Multi-head self-attention with content and position terms and their learned biases u and v.

    Parameters
    ----------
    dim : int
        Width.
    heads : int
        Number of heads; divides `dim`.
    dropout : float
        Dropout of the attention weights.

    Notes
    -----
    Initialised as the original: Linear weights N(0, 0.02) with zero bias, u and v Xavier uniform.
    """

    def __init__(self, dim: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = Linear(dim, dim)
        self.linear_k = Linear(dim, dim)
        self.linear_v = Linear(dim, dim)
        self.linear_out = Linear(dim, dim)
        self.linear_pos = Linear(dim, dim, bias=False)
        self.dropout = Dropout(dropout)
        self.pos_bias_u = nn.Parameter(torch.empty(heads, dim // heads))
        self.pos_bias_v = nn.Parameter(torch.empty(heads, dim // heads))
        nn.init.xavier_uniform_(self.pos_bias_u)
        nn.init.xavier_uniform_(self.pos_bias_v)

    def forward(
        self, x_btd: Tensor, positions_pd: Tensor, mask_bt: Tensor | None = None, *, norm: nn.LayerNorm
    ) -> Tensor:
        """Attend to the real frames of the normalised input.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        positions_pd : Tensor, shape (2 frames - 1, dim)
            From `sinusoids`.
        mask_bt : Tensor of bool, shape (batch, frames), optional
            True where a frame is real.
        norm : nn.LayerNorm
            Of the input, which is not kept then.

        Returns
        -------
        Tensor, shape (batch, frames, dim)
        """
        query, key, value = normed_linear(x_btd, norm, self.linear_q, self.linear_k, self.linear_v)
        position, biases = self.linear_pos(positions_pd), (self.pos_bias_u, self.pos_bias_v)
        attended = attend(query, key, value, position, *biases, mask_bt, dropout=self.dropout.probability)
        return self.linear_out(attended)
