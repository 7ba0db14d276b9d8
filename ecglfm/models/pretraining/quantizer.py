"""Gumbel-softmax codebook: what the model has to find behind a masked frame (wav2vec 2.0, arXiv:2006.11477, 2).

Shapes: s frames, c feature channels, v codes, e width of a code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ecglfm.config import QuantizerConfig
from ecglfm.models.layers import at_least_float32, mean_over_ranks, without_autocast
from ecglfm.models.pretraining.terms import mean_of_hidden


class Quantized(NamedTuple):
    """Result of `GumbelQuantizer`.

    Attributes
    ----------
    vectors_se : Tensor, shape (frames, code_dim)
        The chosen entries; in training differentiable through the soft choice.
    codes_s : Tensor of int64, shape (frames,)
        Index of each chosen entry.
    prob_perplexity, code_perplexity : Tensor of float32, shape ()
        exp(entropy) of the mean soft and hard choice in the batches of all ranks, without noise; at most the
        number of codes.
    """

    vectors_se: Tensor
    codes_s: Tensor
    prob_perplexity: Tensor
    code_perplexity: Tensor


def perplexity(probability_v: Tensor) -> Tensor:
    """Exponential of the entropy of one distribution over codes."""
    return torch.exp(-torch.sum(probability_v * torch.log(probability_v + 1e-7)))


class _StraightThrough(torch.autograd.Function):
    """The chosen entries (s, e), as if `soft_sv @ vars_ve` had been taken with all weight on them (arXiv:1308.3432).

    A product with one-hot rows would give the same and cost two matrix products more.
    """

    @staticmethod
    def forward(ctx: Any, soft_sv: Tensor, chosen_s: Tensor, vars_ve: Tensor) -> Tensor:
        ctx.save_for_backward(chosen_s, vars_ve)
        ctx.soft_type = soft_sv.dtype
        return vars_ve[chosen_s]

    @staticmethod
    def backward(ctx: Any, grad_se: Tensor) -> tuple[Tensor, None, Tensor]:
        chosen_s, vars_ve = ctx.saved_tensors
        grad_vars = torch.ops.aten.embedding_dense_backward(grad_se, chosen_s, len(vars_ve), -1, False)
        return (grad_se @ vars_ve.t()).to(ctx.soft_type), None, grad_vars


class GumbelQuantizer(nn.Module):
    """One group of codes, chosen by a Linear with Gumbel noise in training and by its largest score otherwise.

    Notes
    -----
    Initialised as wav2vec 2.0: entries uniform in [0, 1), `weight_proj` N(0, 1) with zero bias.
    """

    def __init__(self, channels: int, config: QuantizerConfig) -> None:
        super().__init__()
        self.start, self.floor, self.factor = config.temperature
        self.weight_proj = nn.Linear(channels, config.codes)
        self.vars = nn.Parameter(torch.empty(config.codes, config.code_dim))
        nn.init.uniform_(self.vars)
        nn.init.normal_(self.weight_proj.weight)
        nn.init.zeros_(self.weight_proj.bias)

    def temperature(self, step: int) -> float:
        """Gumbel temperature after `step` updates: start x factor^step, at least the floor."""
        return max(self.floor, self.start * self.factor**step)

    def forward(
        self, features_sc: Tensor, *, step: int, gumbel_sv: Tensor | None, weight_s: Tensor | None = None
    ) -> Quantized:
        """Choose a code per frame.

        Parameters
        ----------
        features_sc : Tensor, shape (frames, channels)
            LayerNormed conv features at the masked frames.
        step : int
            Updates so far; sets the temperature.
        gumbel_sv : Tensor of float, shape (frames, codes), or None
            Standard Gumbel noise; None (evaluation) takes the largest score.
        weight_s : Tensor of float32, shape (frames,), optional
            What each counts in the means over frames, from `hidden_weights`; None: all the same.

        Returns
        -------
        Quantized
        """
        with without_autocast(features_sc):  # scores of some 16: of bfloat16's the largest is often two codes'
            scores_sv = at_least_float32(self.weight_proj(features_sc.to(self.vars.dtype)))  # half where all is fp16
        codes = scores_sv.shape[1]
        best_s = scores_sv.argmax(dim=1)
        # not bincount: on a GPU it reads the smallest and the largest code, and the host would wait for them
        usage_v, ones_s = scores_sv.new_zeros(codes), scores_sv.new_ones(()).expand(best_s.numel())
        if weight_s is None:
            usage_v = usage_v.index_add_(0, best_s, ones_s) / best_s.numel()
        else:
            usage_v.index_add_(0, best_s, weight_s.to(usage_v.dtype))
        mean_v = mean_of_hidden(scores_sv.softmax(dim=1), weight_s)
        usage_v, mean_v = mean_over_ranks(torch.stack([usage_v, mean_v]))
        if gumbel_sv is None:
            chosen_s = best_s
            vectors_se = self.vars[chosen_s]
        else:
            soft_sv = ((scores_sv + gumbel_sv) / self.temperature(step)).softmax(dim=1)
            chosen_s = soft_sv.argmax(dim=1)
            vectors_se = _StraightThrough.apply(soft_sv, chosen_s, self.vars)
        return Quantized(vectors_se, chosen_s, perplexity(mean_v), perplexity(usage_v))
