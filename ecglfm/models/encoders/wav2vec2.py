"""The transformer of wav2vec 2.0 (arXiv:2006.11477, 2) with ECG-FM's sizes (arXiv:2408.05178), beside the Conformer.

A grouped convolution over time tells the positions; then come plain transformer layers, with the LayerNorm after
each sum (post-norm, as ECG-FM) or before each module (pre-norm). Written from the published layout of
fairseq-signals, and compared with PyTorch's own layers. No released checkpoint was at hand: unverified against one.

Shapes: b batch, t frames, d width, h heads, k width of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ecglfm.config import VitConfig, Wav2Vec2Config
from ecglfm.models.layers import cast_once, never


class PositionalConvolution(nn.Module):
    """Grouped convolution over time and GELU; as many frames out as in.

    Output frame i sees the input frames i - kernel // 2 to i + (kernel - 1) // 2. The original keeps the kernel as
    a direction and a length per tap (weight normalisation, arXiv:1602.07868); here it is the plain product.

    Parameters
    ----------
    dim : int
        Width.
    kernel : int
        Frames.
    groups : int
        Divides `dim`.
    """

    def __init__(self, dim: int, *, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups)
        nn.init.normal_(self.conv.weight, std=math.sqrt(4 / (kernel * dim)))
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x_btd: Tensor) -> Tensor:
        """Convolve; shapes (batch, frames, dim) in and out."""
        out_bdt = self.conv(x_btd.transpose(1, 2))[:, :, : x_btd.shape[1]]  # an even kernel gives one frame too many
        return functional.gelu(out_bdt).transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention (arXiv:1706.03762, 3.2).

    Parameters
    ----------
    dim : int
        Width.
    heads : int
    dropout : float
        Of the attention weights.
    head_width : int, optional
        Width of a head; None: `dim` / `heads`.
    bias : bool
        Of the Linears of queries, keys and values.
    """

    def __init__(
        self, dim: int, *, heads: int, dropout: float, head_width: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        inner = dim if head_width is None else heads * head_width
        self.q_proj = nn.Linear(dim, inner, bias=bias)
        self.k_proj = nn.Linear(dim, inner, bias=bias)
        self.v_proj = nn.Linear(dim, inner, bias=bias)
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, x_btd: Tensor, bias_b1tt: Tensor | None = None) -> Tensor:
        """Attend.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        bias_b1tt : Tensor, shape (batch or 1, 1, frames or 1, frames), optional
            Added to the score of each frame (or of all) for each key.

        Returns
        -------
        Tensor, shape (batch, frames, dim)
        """
        batch, frames, _ = x_btd.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, frames, self.heads, -1).transpose(1, 2)

        x = cast_once(x_btd)
        query, key, value = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        dropout = self.dropout if self.training else 0.0
        out = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias_b1tt, dropout_p=dropout)
        return self.out_proj(out.transpose(1, 2).reshape(batch, frames, -1))


class TransformerLayer(nn.Module):
    """Attention, then two Linears with GELU between; LayerNorm before or after each, by `config.norm_first`.

    `head_width` and `bias` are those of `SelfAttention`.
    """

    def __init__(self, config: Wav2Vec2Config | VitConfig, *, head_width: int | None = None, bias: bool = True) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.self_attn = SelfAttention(
            config.dim, heads=config.heads, dropout=config.dropout, head_width=head_width, bias=bias
        )
        self.self_attn_layer_norm = nn.LayerNorm(config.dim)
        self.fc1 = nn.Linear(config.dim, config.ffn_dim)
        self.fc2 = nn.Linear(config.ffn_dim, config.dim)
        self.final_layer_norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def feed_forward(self, x_btd: Tensor) -> Tensor:
        """Transform each frame alone; shapes (batch, frames, dim) in and out."""
        return self.fc2(self.dropout(functional.gelu(self.fc1(x_btd))))

    def forward(self, x_btd: Tensor, bias_b1tt: Tensor | None = None) -> Tensor:
        """Transform frames; arguments and shapes as in `SelfAttention.forward`."""
        if self.norm_first:
            x = x_btd + self.dropout(self.self_attn(self.self_attn_layer_norm(x_btd), bias_b1tt))
            return x + self.dropout(self.feed_forward(self.final_layer_norm(x)))
        x = self.self_attn_layer_norm(x_btd + self.dropout(self.self_attn(x_btd, bias_b1tt)))
        return self.final_layer_norm(x + self.dropout(self.feed_forward(x)))


class Wav2Vec2(nn.Module):
    """Positional convolution and a stack of `TransformerLayer`; one more LayerNorm before it (post-norm) or after.

    Attributes are those of `ecglfm.models.encoders.context.Context`.
    """

    adapted = ("q_proj", "v_proj")

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.checkpointing = False
        self.norm_first = config.norm_first
        self.closing = ("layer_norm",) if config.norm_first else ()
        self.positional = PositionalConvolution(
            config.dim, kernel=config.positional_kernel, groups=config.positional_groups
        )
        self.layer_norm = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> list[Tensor]:
        """Outputs of every layer, the first layer's first; pre-norm: the last one after the closing LayerNorm.

        Parameters
        ----------
        x_btd : Tensor, shape (batch, frames, dim)
        mask_bt : Tensor of bool, shape (batch, frames), optional
            True where a frame is real. Padding enters the convolution as zeros, which is what it sees past the ends
            of a record alone, and no frame attends to it.

        Returns
        -------
        list of Tensor, each of shape (batch, frames, dim)
        """
        bias_b11t = None
        if mask_bt is not None:
            x_btd = x_btd.masked_fill(~mask_bt[..., None], 0.0)
            bias_b11t = torch.zeros_like(mask_bt, dtype=x_btd.dtype)
            bias_b11t = bias_b11t.masked_fill(~mask_bt, never(x_btd))[:, None, None, :]
        x = x_btd + self.positional(x_btd)
        x, outputs = self.dropout(x if self.norm_first else self.layer_norm(x)), []
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, bias_b11t, use_reentrant=False)
            else:
                x = layer(x, bias_b11t)
            outputs.append(x)
        if self.norm_first:
            outputs[-1] = self.layer_norm(x)
        return outputs

    @staticmethod
    def flops(config: Wav2Vec2Config, *, segments: int, frames: int) -> float:
        """Operations of one forward."""
        dim = config.dim
        layer = 2 * frames * (4 * dim**2 + 2 * dim * frames + 2 * dim * config.ffn_dim)
        positional = 2 * frames * dim**2 / config.positional_groups * config.positional_kernel
        return segments * (config.layers * layer + positional)
