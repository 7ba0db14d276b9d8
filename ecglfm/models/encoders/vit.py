"""A vision transformer (arXiv:2010.11929) on patches of an ECG: what ECG-JEPA, ST-MEM and MERL's ViT have in common.

A patch is a stretch of one lead, or of all leads together; a Linear makes a token of it, to which positions are added,
and pre-norm transformer layers follow. What differs between the three, `VitConfig` says: positions that are computed or
learnt, added once or before every layer (ECG-JEPA, arXiv:2410.08559), attention to all tokens or to those of the same
lead or the same time (likewise), separators around each lead and a vector per lead (ST-MEM, arXiv:2402.09450), and the
closing LayerNorm before the mean over tokens or behind it (ST-MEM; MERL, arXiv:2403.06659). Written from these facts.

A patch that touches padding is padding: no token attends to it, so that a padded record has in its real tokens exactly
what it has alone. Positions are counted from the start of a record, so padding belongs behind it.

Shapes: b batch, l leads, n samples, p patches of a lead, t tokens, v some of them, s samples of a patch, d width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ecglfm.config import ModelConfig, PreprocessConfig, UserError, VitConfig
from ecglfm.models.encoders.encoder import mean_over_frames
from ecglfm.models.encoders.patched import PatchEncoder
from ecglfm.models.encoders.patches import PatchEmbedding, grid_positions, normalized
from ecglfm.models.encoders.wav2vec2 import TransformerLayer
from ecglfm.models.layers import never

_NEVER = -1e9  # below this attention has no part; in float16, which has no such number, it is `never`, twice if need be


class Vit(nn.Module):
    """Tokens of patches, and transformer layers on them: a `Stack`."""

    def __init__(self, leads: int, config: VitConfig) -> None:
        super().__init__()
        self.config, self.checkpointing = config, False
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
        return grid_positions(leads, patches, dim, joined=self.patches.joined, like=like)

    def forward(
        self,
        x_bln: Tensor,
        real_bp: Tensor | None = None,
        places_bv: Tensor | None = None,
        real_bv: Tensor | None = None,
    ) -> list[Tensor]:
        """Tokens after every layer, the first layer's first; where no gradients are taken, those of the last alone.

        Parameters
        ----------
        x_bln : Tensor, shape (batch, leads, samples)
        real_bp : Tensor of bool, shape (batch, patches), optional
            Which patches of a lead are real.
        places_bv : Tensor of int64, shape (batch, places), optional
            Patches that are read; missing: all.
        real_bv : Tensor of bool, shape (batch, places), optional
            Which of those are real.

        Returns
        -------
        list of Tensor, each of shape (batch, tokens, dim)
            Separators are among the tokens: around each lead, or where places are given behind them all.
        """
        x_blps = self.patches.cut(x_bln)
        x, bias, added = self._all(x_blps, real_bp) if places_bv is None else self._some(x_blps, places_bv, real_bv)
        outputs: list[Tensor] = []
        x = self.dropout(x)
        for layer in self.layers:
            if self.config.repeat_positions:
                x = x + added
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, bias, use_reentrant=False)
            else:
                x = layer(x, bias)
            outputs = [*outputs, x] if torch.is_grad_enabled() else [x]
        return outputs

    def tokens(self, x_bln: Tensor, real_bp: Tensor | None = None) -> Tensor:
        """Tokens of all patches after the last layer, (batch, leads, patches, dim); arguments as in `forward`."""
        x = self(x_bln, real_bp)[-1].unflatten(1, (1 if self.patches.joined else x_bln.shape[1], -1))
        return x[:, :, 1:-1] if self.config.separators else x

    def _all(self, x_blps: Tensor, real_bp: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """Tokens of all patches, what is added to scores of attention, and positions."""
        config, x = self.config, self.patches(x_blps)
        leads, patches = x.shape[1], x.shape[2]
        added = self.positions_of(leads, patches, x).expand(leads, -1, -1)
        if not config.repeat_positions:
            x = x + added
        if config.separators:
            edge_2d = self.separator + self.positions[[0, -1]]
            before, behind = (edge[None, None, None].expand(x.shape[0], leads, 1, -1) for edge in edge_2d)
            x = torch.cat([before, x, behind], dim=2)
        if config.lead_vectors:
            x = x + self.leads[None, :, None]
        return x.flatten(1, 2), self._bias(leads, patches, real_bp, x), added.flatten(0, 1)

    def _some(self, x_blps: Tensor, places_bv: Tensor, real_bv: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """The same of some patches, which alone are multiplied."""
        config, (leads, patches) = self.config, x_blps.shape[1:3]
        x = self.patches(x_blps.flatten(1, 2).gather(1, places_bv[..., None].expand(-1, -1, x_blps.shape[3])))
        line_bv, time_bv = places_bv // patches, places_bv % patches
        added = self.positions_of(leads, patches, x).expand(leads, -1, -1).flatten(0, 1)[places_bv]
        if not config.repeat_positions:
            x = x + added
        if config.lead_vectors:
            x = x + self.leads[line_bv]
        if config.separators:
            edges = self.separator + torch.stack([self.positions[0], self.positions[-1]])
            edges = edges + self.leads[:, None] if config.lead_vectors else edges.expand(leads, -1, -1)
            x = torch.cat([x, edges.flatten(0, 1).to(x.dtype).expand(len(x), -1, -1)], dim=1)
        bias = None
        if config.attention == "lead_or_time":
            same_line, same_time = (of_bv[:, :, None] == of_bv[:, None] for of_bv in (line_bv, time_bv))
            bias = attention_bias(same_line | same_time, x)[:, None]
        if real_bv is not None:
            real_bt = nn.functional.pad(real_bv, (0, x.shape[1] - real_bv.shape[1]), value=True)
            padding = attention_bias(real_bt, x)[:, None, None]
            bias = padding if bias is None else bias + padding
        return x, bias, added

    def _bias(self, leads: int, patches: int, real_bp: Tensor | None, like: Tensor) -> Tensor | None:
        """What is added to the scores of attention, (batch or 1, 1, tokens or 1, tokens); None where nothing is."""
        bias, edges = None, int(self.config.separators)
        if self.config.attention == "lead_or_time":
            line_l, time_p = torch.arange(leads, device=like.device), torch.arange(patches, device=like.device)
            same_line = line_l[:, None, None, None] == line_l[None, None, :, None]
            same_time = time_p[None, :, None, None] == time_p[None, None, None, :]
            allowed_tt = (same_line | same_time).flatten(2, 3).flatten(0, 1)
            bias = attention_bias(allowed_tt, like)[None, None]
        if real_bp is not None:
            real_bt = nn.functional.pad(real_bp, (edges, edges), value=True)[:, None].expand(-1, leads, -1).flatten(1)
            padding = attention_bias(real_bt, like)[:, None, None]
            bias = padding if bias is None else bias + padding
        return bias


def attention_bias(allowed: Tensor, like: Tensor) -> Tensor:
    """What is added to scores of attention, in the numbers of `like`: 0 where it is allowed."""
    return torch.zeros_like(allowed, dtype=like.dtype).masked_fill(~allowed, max(_NEVER, never(like)))


class VitEncoder(PatchEncoder):
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
    def context(self) -> Vit:
        """Its layers."""
        return self.vit

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

    def grid(self, samples: int) -> tuple[int, int]:
        """Lines, and patches of each, of so many samples."""
        return 1 if self.config.tokens == "leads" else len(self.leads), samples // self.config.patch

    def frames(self, samples: int) -> int:
        """Number of frames that `samples` samples give."""
        lines, patches = self.grid(samples)
        return patches * lines

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

    def _read(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """What `standardized` gave, as the layers read it: zeros in padding, in the numbers of the weights."""
        x = x if mask is None else x.masked_fill(~mask[:, None], 0.0)
        weights = itertools.chain(self.vit.patches.parameters(), self.vit.patches.buffers())  # a teacher's are buffers
        return x.to(next(weights).dtype)

    def patches(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The samples of each patch, see `PatchEncoder.patches`."""
        self.check_input(x, mask)
        return self.vit.patches.cut(self._read(self.standardized(x, mask), mask)).flatten(1, 2)

    def encode_some(
        self, x: Tensor, places_bv: Tensor, mask: Tensor | None = None, real_bv: Tensor | None = None
    ) -> Tensor:
        """Frames of some patches, see `PatchEncoder.encode_some`."""
        self.check_input(x, mask)
        read = self._read(self.standardized(x, mask), mask)
        return self.vit.norm(self.vit(read, places_bv=places_bv, real_bv=real_bv)[-1][:, : places_bv.shape[1]])

    def encode_standardized(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """`encode` of what `standardized` gave."""
        real_bp, patch = None, self.config.patch
        if mask is not None:
            real_bp = mask[:, : mask.shape[1] // patch * patch].unflatten(1, (-1, patch)).all(2)
        x_blpd = self.vit.tokens(self._read(x, mask), real_bp)
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
        """Operations of one forward, as `ecglfm.benchmark.training.flops` counts."""
        lines, patches = 1 if config.tokens == "leads" else leads, samples // config.patch
        size, tokens = config.patch * leads // lines, lines * (patches + 2 * config.separators)
        layers = config.layers * VitEncoder.layer_flops(config, tokens)
        return segments * (2 * lines * patches * size * config.dim + layers)

    @staticmethod
    def layer_flops(config: VitConfig, tokens: int) -> float:
        """Operations of one layer on so many tokens of a segment."""
        inner = config.heads * config.head_width
        return 2 * tokens * (4 * config.dim * inner + 2 * inner * tokens + 2 * config.dim * config.ffn_dim)
