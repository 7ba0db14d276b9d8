"""A vision transformer (arXiv:2010.11929) on patches of an ECG: what ECG-JEPA, ST-MEM and MERL's ViT have in common.

A patch is a stretch of one lead, or of all leads together; a Linear makes a token of it, to which positions are added,
and pre-norm transformer layers follow. What differs between the three, `VitConfig` says: positions that are computed or
learnt, added once or before every layer (ECG-JEPA, arXiv:2410.08559), attention to all tokens or to those of the same
lead or the same time (likewise), separators around each lead and a vector per lead (ST-MEM, arXiv:2402.09450), and the
closing LayerNorm before the mean over tokens or behind it (ST-MEM; MERL, arXiv:2403.06659). Written from these facts.

A patch that touches padding is padding: no token attends to it, so that a padded record has in its real tokens exactly
what it has alone. Positions are counted from the start of a record, so padding belongs behind it.

Shapes: b batch, l leads, n samples, p patches of a lead, t tokens, d width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecglfm.config import ModelConfig, PreprocessConfig, UserError, VitConfig
from ecglfm.models.encoders.encoder import Encoder, mean_over_frames
from ecglfm.models.encoders.wav2vec2 import TransformerLayer
from ecglfm.models.layers import at_least_float32, in_float32

#: Below this attention has no part; finite, because a record without one real token must not give NaN.
_NEVER = -1e9


def fixed_positions(places: Tensor, dim: int) -> Tensor:
    """Sines, then cosines, of places (arXiv:1706.03762, 3.5), (places, dim); `dim` is even."""
    rate_k = torch.exp(torch.arange(dim // 2, device=places.device) * (-math.log(10000.0) / (dim // 2)))
    angle_pk = places[:, None] * rate_k
    return torch.cat([angle_pk.sin(), angle_pk.cos()], dim=1)


class PatchEmbedding(nn.Module):
    """A Linear on each patch; with `patch_norm` between two LayerNorms."""

    def __init__(self, leads: int, config: VitConfig) -> None:
        super().__init__()
        self.patch, self.joined = config.patch, config.tokens == "leads"
        size = config.patch * (leads if self.joined else 1)
        self.norm_in = nn.LayerNorm(size) if config.patch_norm else nn.Identity()
        self.linear = nn.Linear(size, config.dim, bias=config.patch_bias)
        self.norm_out = nn.LayerNorm(config.dim) if config.patch_norm else nn.Identity()

    def forward(self, x_bln: Tensor) -> Tensor:
        """Tokens (batch, leads, patches, dim), of one lead where patches are of all of them."""
        patches = x_bln.shape[2] // self.patch
        x_blpn = x_bln[..., : patches * self.patch].unflatten(2, (-1, self.patch))
        if self.joined:
            x_blpn = x_blpn.transpose(1, 2).flatten(2)[:, None]
        return self.norm_out(in_float32(lambda x: self.linear(self.norm_in(x)), x_blpn))


class Vit(nn.Module):
    """Tokens of patches, and transformer layers on them."""

    def __init__(self, leads: int, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.patches = PatchEmbedding(leads, config)
        if config.positions == "learnt":
            rows = config.max_patches + 2 * config.separators
            self.positions = nn.Parameter(0.02 * torch.randn(rows, config.dim))
        if config.lead_vectors:
            self.leads = nn.Parameter(0.02 * torch.randn(leads, config.dim))
        if config.separators:
            self.separator = nn.Parameter(0.02 * torch.randn(config.dim))
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(config, head_width=config.head_width, bias=config.qkv_bias) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.dim)

    def positions_of(self, leads: int, patches: int, like: Tensor) -> Tensor:
        """What is added to the tokens of patches, (leads or 1, patches, dim)."""
        config, dim = self.config, self.config.dim
        if config.positions == "learnt":
            first = int(config.separators)
            return self.positions[None, first : first + patches]
        times = torch.arange(patches, device=like.device, dtype=torch.float32)
        if config.tokens == "leads":
            return fixed_positions(times, dim)[None].to(like.dtype)
        lines = torch.arange(leads, device=like.device, dtype=torch.float32)
        of_time, of_lead = fixed_positions(times, dim // 2)[None], fixed_positions(lines, dim // 2)[:, None]
        both = [of_time.expand(leads, -1, -1), of_lead.expand(-1, patches, -1)]
        return torch.cat(both, dim=2).to(like.dtype)

    def forward(self, x_bln: Tensor, real_bp: Tensor | None = None) -> Tensor:
        """Tokens after the last layer, (batch, leads, patches, dim).

        Parameters
        ----------
        x_bln : Tensor, shape (batch, leads, samples)
        real_bp : Tensor of bool, shape (batch, patches), optional
            Which patches of a lead are real.
        """
        config, x = self.config, self.patches(x_bln)
        leads, patches = x.shape[1], x.shape[2]
        added = self.positions_of(leads, patches, x)
        if not config.repeat_positions:
            x, added = x + added, torch.zeros_like(added)
        if config.separators:
            edge_2d = self.separator + self.positions[[0, -1]]
            before, behind = (edge[None, None, None].expand(x.shape[0], leads, 1, -1) for edge in edge_2d)
            x = torch.cat([before, x, behind], dim=2)
        if config.lead_vectors:
            x = x + self.leads[None, :, None]
        bias = self._bias(leads, patches, real_bp, x)
        shape, x = x.shape[1:3], self.dropout(x.flatten(1, 2))
        for layer in self.layers:
            if config.repeat_positions:  # never with separators
                x = x + added.flatten(0, 1)
            x = layer(x, bias)
        x = x.unflatten(1, shape)
        return x[:, :, 1:-1] if config.separators else x

    def _bias(self, leads: int, patches: int, real_bp: Tensor | None, like: Tensor) -> Tensor | None:
        """What is added to the scores of attention, (batch or 1, 1, tokens or 1, tokens); None where nothing is."""
        bias, edges = None, int(self.config.separators)
        if self.config.attention == "lead_or_time":
            line_l, time_p = torch.arange(leads, device=like.device), torch.arange(patches, device=like.device)
            same_line = line_l[:, None, None, None] == line_l[None, None, :, None]
            same_time = time_p[None, :, None, None] == time_p[None, None, None, :]
            allowed_tt = (same_line | same_time).flatten(2, 3).flatten(0, 1)
            bias = torch.zeros_like(allowed_tt, dtype=like.dtype).masked_fill(~allowed_tt, _NEVER)[None, None]
        if real_bp is not None:
            real_bt = nn.functional.pad(real_bp, (edges, edges), value=True)[:, None].expand(-1, leads, -1).flatten(1)
            padding = torch.zeros_like(real_bt, dtype=like.dtype).masked_fill(~real_bt, _NEVER)[:, None, None]
            bias = padding if bias is None else bias + padding
        return bias


class VitEncoder(Encoder):
    """`Vit` as an encoder; parameters are those of `Encoder`. Frames are its tokens, all of the first lead's first.

    Raises
    ------
    UserError
        A segment of `crop_seconds` has no patch, or more than there are positions for.
    """

    config: VitConfig

    def __init__(
        self,
        model: ModelConfig,
        leads: Sequence[str],
        sampling_rate: int,
        preprocess: PreprocessConfig,
        crop_seconds: float,
    ) -> None:
        super().__init__(model, leads, sampling_rate, preprocess, crop_seconds)
        assert isinstance(model, VitConfig)
        samples, patch = self.crop_samples, model.patch
        segment = f"a segment of {crop_seconds:g} s has {samples} samples"
        if self.too_short(samples):
            raise UserError(f"model.patch: {segment}, fewer than one patch of {patch}; give a shorter patch")
        if self.longest is not None and samples > self.longest:
            raise UserError(
                f"model.max_patches: {segment}, {samples // patch} patches of {patch}, and there are positions for"
                f" {model.max_patches}; raise max_patches, or give a longer patch"
            )
        self.vit = Vit(len(self.leads), model)

    @property
    def closing(self) -> tuple[str, ...]:
        """The closing LayerNorm."""
        return ("vit.norm",)

    @property
    def adapted(self) -> tuple[str, ...]:
        """Names of the Linears of queries and values."""
        return ("q_proj", "v_proj")

    @property
    def longest(self) -> int | None:
        """Samples for which it has learnt positions; None: those that are computed go on for ever."""
        learnt = self.config.positions == "learnt"
        return (self.config.max_patches + 1) * self.config.patch - 1 if learnt else None

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        return samples // self.config.patch * (1 if self.config.tokens == "leads" else len(self.leads))

    def too_short(self, samples: int) -> bool:
        """Whether there is no patch; told without `frames`, whose product torch.export cannot bound."""
        return samples < self.config.patch

    def standardized(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The input as `model.normalize` wants it; arguments as in `forward`."""
        return normalized(x, mask, self.config.normalize)

    def encode(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames and the mask of the real ones; arguments as in `forward`."""
        self.check_input(x, mask)
        return self.encode_standardized(self.standardized(x, mask), mask)

    def encode_standardized(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """`encode` of what `standardized` gave."""
        real_bp, patch = None, self.config.patch
        if mask is not None:
            x = x.masked_fill(~mask[:, None], 0.0)
            real_bp = mask[:, : mask.shape[1] // patch * patch].unflatten(1, (-1, patch)).all(2)
        x_blpd = self.vit(x.to(next(self.parameters()).dtype), real_bp)
        frames_btd = x_blpd.flatten(1, 2)
        if self.config.norm == "frames":
            frames_btd = self.vit.norm(frames_btd)
        if real_bp is None:
            return frames_btd, None
        mask_bt = real_bp[:, None].expand(-1, x_blpd.shape[1], -1).flatten(1)
        return frames_btd.masked_fill(~mask_bt[..., None], 0.0), mask_bt

    def pool(self, x_btd: Tensor, mask_bt: Tensor | None = None) -> Tensor:
        """Mean over real frames; with `model.norm: mean` the LayerNorm of that."""
        mean_bd = mean_over_frames(x_btd, mask_bt)
        return self.vit.norm(mean_bd) if self.config.norm == "mean" else mean_bd

    @staticmethod
    def flops(config: VitConfig, *, segments: int, leads: int, samples: int) -> float:
        """Operations of one forward, as `ecglfm.benchmark.flops` counts."""
        lines, inner = 1 if config.tokens == "leads" else leads, config.heads * config.head_width
        patches, size = samples // config.patch, config.patch * leads // lines
        tokens = lines * (patches + 2 * config.separators)
        layer = 2 * tokens * (4 * config.dim * inner + 2 * inner * tokens + 2 * config.dim * config.ffn_dim)
        return segments * (2 * lines * patches * size * config.dim + config.layers * layer)


def normalized(x_bln: Tensor, mask_bn: Tensor | None, how: str) -> Tensor:
    """A record at mean 0 and deviation 1 (`record`) or from 0 to 1 (`range`), over real samples of all its leads."""
    if how == "none":
        return x_bln
    x = at_least_float32(x_bln)
    real = torch.ones_like(x[:, :1], dtype=torch.bool) if mask_bn is None else mask_bn[:, None]
    if how == "range":
        low = x.masked_fill(~real, math.inf).amin((1, 2), keepdim=True)
        high = x.masked_fill(~real, -math.inf).amax((1, 2), keepdim=True)
        known = real.any(2, keepdim=True)
        low, high = low.masked_fill(~known, 0.0), high.masked_fill(~known, 0.0)
        return ((x - low) / (high - low + 1e-8)).masked_fill(~real, 0.0)
    count = (real.sum(2, keepdim=True) * x.shape[1]).clamp(min=1)
    mean = x.masked_fill(~real, 0.0).sum((1, 2), keepdim=True) / count
    centred = (x - mean).masked_fill(~real, 0.0)
    deviation = (centred.square().sum((1, 2), keepdim=True) / count).sqrt()
    return torch.where(deviation > 1e-4, centred / deviation.clamp(min=1e-4), 0.0)
