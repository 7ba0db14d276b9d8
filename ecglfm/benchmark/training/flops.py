"""Arithmetic of one pretraining step, counted by formula from the config alone.

A product of (a, b) and (b, c) matrices is 2abc operations; norms, activations, softmax and the optimizer are not
counted, nor is what is computed again in the backward pass. This is the "model FLOPs" of model-FLOPs utilisation
(arXiv:2204.02311, appendix B): what the mathematics needs, however it is carried out.
"""

from __future__ import annotations

import torch

from ecglfm.config import (
    Architecture,
    ContextConfig,
    CpcConfig,
    FrontEndConfig,
    JepaConfig,
    MaeConfig,
    MaskedCodesConfig,
    Net1dConfig,
    ObjectiveKind,
    PretrainConfig,
    ResnetConfig,
    S4Config,
    StatisticsObjectiveConfig,
    VitConfig,
)
from ecglfm.models.encoders import CONTEXTS, Net1dEncoder, ResnetEncoder, StatisticsEncoder, VitEncoder
from ecglfm.models.pretraining import hidden_of

#: Forward and backward together, in forwards: the backward pass makes two products of each one.
PASSES = 3
#: Samples of a mean beat where prepared signals have a multiple of 100 Hz (`StatisticsEncoder.beat_samples`).
BEAT_SAMPLES = 67


def forward_flops(
    model: Architecture, pretrain: PretrainConfig, *, segments: int, leads: int, samples: int, masked: float
) -> dict[str, float]:
    """Operations of one forward of the pretraining objective.

    Parameters
    ----------
    model : Architecture
    pretrain : PretrainConfig
        For the sizes of quantizer and heads.
    segments, leads, samples : int
        Shape of the batch.
    masked : float
        Masked frames of each segment (their mean over batches need not be whole); of ECG-LFM's objective.

    Returns
    -------
    dict of str to float
        `frontend`, `layers`, `objective` (quantizer, heads and terms, on masked frames only; CPC: projections, and
        their products with every frame; JEPA and MAE: predictor or decoder;
        statistics: the map to them, whose own arithmetic is not counted), and `target` of JEPA: a third of its
        forward, which has no backward pass.

    Raises
    ------
    ValueError
        An encoder of this kind is not pretrained, or nobody counted what the objective needs.
    """
    objective: ObjectiveKind = pretrain.objective
    if isinstance(objective, JepaConfig | MaeConfig) and isinstance(model, VitConfig):
        return _patches(model, objective, segments, leads, samples)
    once = encoder_flops(model, segments=segments, leads=leads, samples=samples)
    if isinstance(objective, StatisticsObjectiveConfig) and once is not None:
        numbers = StatisticsEncoder.numbers(leads) + leads * BEAT_SAMPLES
        return {"layers": once, "objective": 2.0 * segments * model.dim * numbers}
    if not isinstance(objective, MaskedCodesConfig | CpcConfig):
        raise ValueError(f"objective {objective.kind!r}: nothing says what its step needs")
    if not isinstance(model, ContextConfig) or model.kind not in CONTEXTS:
        raise ValueError(f"kind {model.kind!r} has no context to pretrain: nothing says what its step needs")
    frontend, frames = _frontend(model, leads, samples)
    channels = model.conv_channels if isinstance(model, FrontEndConfig) else model.dim
    if isinstance(objective, CpcConfig):
        predictions = segments * len(objective.ahead) * objective.anchors
        terms = 2.0 * predictions * channels * (model.dim + frames)
    else:
        terms = _masked_codes(model.dim, channels, pretrain, segments, masked)
    return {
        "frontend": segments * frontend,
        "layers": CONTEXTS[model.kind].flops(model, segments=segments, frames=frames),
        "objective": terms,
    }


def encoder_flops(model: Architecture, *, segments: int, leads: int, samples: int) -> float | None:
    """Operations of one forward of an encoder; None where no formula is known.

    Parameters
    ----------
    model : Architecture
    segments, leads, samples : int
        Shape of the batch.
    """
    if isinstance(model, VitConfig):
        return VitEncoder.flops(model, segments=segments, leads=leads, samples=samples)
    if isinstance(model, ResnetConfig):
        return ResnetEncoder.flops(model, segments=segments, leads=leads, samples=samples)
    if isinstance(model, Net1dConfig):
        return Net1dEncoder.flops(model, segments=segments, leads=leads, samples=samples)
    if not isinstance(model, ContextConfig) or model.kind not in CONTEXTS:
        return None
    frontend, frames = _frontend(model, leads, samples)
    return segments * frontend + CONTEXTS[model.kind].flops(model, segments=segments, frames=frames)


def _frontend(model: ContextConfig, leads: int, samples: int) -> tuple[float, int]:
    """Operations of one segment, and its frames."""
    if isinstance(model, S4Config):
        return _normed_frontend(model, leads, samples // model.downsample)
    assert isinstance(model, FrontEndConfig)
    samples, inputs = (samples * leads, 1) if model.joined else (samples, leads)
    flops = 0
    for kernel, stride in model.conv_layers:
        samples = (samples - kernel) // stride + 1
        flops += 2 * samples * kernel * inputs * model.conv_channels
        inputs = model.conv_channels
    if model.projected:
        flops += 2 * samples * model.conv_channels * model.dim
    return flops, samples


def _normed_frontend(model: S4Config, leads: int, samples: int) -> tuple[float, int]:
    flops, inputs = 0, leads
    for kernel, stride in model.conv_layers or [(1, 1)]:
        samples = -(-samples // stride)
        flops += 2 * samples * kernel * inputs * model.dim
        inputs = model.dim
    return flops, samples


def _patches(
    model: VitConfig, objective: JepaConfig | MaeConfig, segments: int, leads: int, samples: int
) -> dict[str, float]:
    """Tokens of what is seen, layers on them, and a predictor on all; of JEPA the target besides."""
    lines, patches = 1 if model.tokens == "leads" else leads, samples // model.patch
    rows, size = 1 if objective.hidden.leads is None else lines, model.patch * leads // lines
    hidden = lines // rows * int(hidden_of(torch.tensor(rows * patches), objective.hidden.share))
    seen, jepa = lines * patches - hidden, isinstance(objective, JepaConfig)
    sizes = objective.predictor if isinstance(objective, JepaConfig) else objective.decoder
    dim = sizes.dim or model.dim // 2
    predictor = VitEncoder.layer_flops(
        VitConfig(kind="vit", dim=dim, layers=1, heads=sizes.heads, ffn_dim=4 * dim), seen + hidden
    )
    ends = 2 * seen * model.dim * dim + 2 * hidden * dim * (model.dim if jepa else size)
    tokens = seen + 2 * lines * model.separators
    target = VitEncoder.flops(model, segments=segments, leads=leads, samples=samples) if jepa else 0.0
    return {
        "frontend": segments * 2.0 * seen * size * model.dim,
        "layers": segments * model.layers * VitEncoder.layer_flops(model, tokens),
        "objective": segments * (sizes.layers * predictor + ends),
        "target": target / PASSES,
    }


def _masked_codes(dim: int, channels: int, pretrain: PretrainConfig, segments: int, masked: float) -> float:
    """Operations on the masked frames: codes, projections, every frame with every frame, and pairs with pairs."""
    sizes = pretrain.quantizer
    frame = (
        channels * sizes.codes
        + sizes.codes * sizes.code_dim
        + sizes.code_dim * sizes.final_dim
        + dim * sizes.final_dim
        + masked * sizes.final_dim
        + dim * sizes.codes
    )
    return 2 * segments * masked * frame + 2 * (segments / 2) ** 2 * dim
