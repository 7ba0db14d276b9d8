"""Arithmetic of one pretraining step, counted by formula from the config alone.

A product of (a, b) and (b, c) matrices is 2abc operations; norms, activations, softmax and the optimizer are not
counted, nor is what is computed again in the backward pass. This is the "model FLOPs" of model-FLOPs utilisation
(arXiv:2204.02311, appendix B): what the mathematics needs, however it is carried out.
"""

from __future__ import annotations

from ecglfm.config import ModelConfig, PretrainConfig

#: Forward and backward together, in forwards: the backward pass makes two products of each one.
PASSES = 3


def forward_flops(
    model: ModelConfig, pretrain: PretrainConfig, *, segments: int, leads: int, samples: int, masked: float
) -> dict[str, float]:
    """Operations of one forward of the pretraining objective.

    Parameters
    ----------
    model : ModelConfig
    pretrain : PretrainConfig
        For the sizes of quantizer and heads.
    segments, leads, samples : int
        Shape of the batch.
    masked : float
        Masked frames of each segment (their mean over batches need not be whole).

    Returns
    -------
    dict of str to float
        `frontend`, `layers`, `objective` (quantizer, heads and terms, on masked frames only).
    """
    frontend, frames = _frontend(model, leads, samples)
    layer = _conformer_layer(model, frames) if model.kind == "conformer" else _transformer_layer(model, frames)
    layers = segments * model.layers * layer
    if model.kind == "conformer":
        layers += model.layers * 2 * (2 * frames - 1) * model.dim**2  # positions, once for all segments
    else:
        layers += segments * 2 * frames * model.dim**2 / model.positional_groups * model.positional_kernel
    return {
        "frontend": segments * frontend,
        "layers": layers,
        "objective": _objective(model, pretrain, segments, masked),
    }


def _frontend(model: ModelConfig, leads: int, samples: int) -> tuple[float, int]:
    """Operations of one segment, and its frames."""
    flops, inputs = 0, leads
    for kernel, stride in model.conv_layers:
        samples = (samples - kernel) // stride + 1
        flops += 2 * samples * kernel * inputs * model.conv_channels
        inputs = model.conv_channels
    if model.dim != model.conv_channels:
        flops += 2 * samples * model.conv_channels * model.dim
    return flops, samples


def _conformer_layer(model: ModelConfig, frames: int) -> float:
    """Operations of one segment in one layer, without the positions, which all segments share."""
    dim = model.dim
    feed_forward = 2 * (2 * dim * model.ffn_dim)
    attention = 4 * dim**2 + dim * (frames + frames + 2 * frames - 1)  # q, k, v, out; by content, values, by position
    convolution = 2 * dim**2 + dim * model.kernel + dim**2
    return 2 * frames * (feed_forward + attention + convolution)


def _transformer_layer(model: ModelConfig, frames: int) -> float:
    """Operations of one segment in one layer of wav2vec 2.0's transformer."""
    return 2 * frames * (4 * model.dim**2 + 2 * model.dim * frames + 2 * model.dim * model.ffn_dim)


def _objective(model: ModelConfig, pretrain: PretrainConfig, segments: int, masked: float) -> float:
    """Operations on the masked frames: codes, projections, every frame with every frame, and pairs with pairs."""
    sizes = pretrain.quantizer
    frame = (
        model.conv_channels * sizes.codes
        + sizes.codes * sizes.code_dim
        + sizes.code_dim * sizes.final_dim
        + model.dim * sizes.final_dim
        + masked * sizes.final_dim
        + model.dim * sizes.codes
    )
    return 2 * segments * masked * frame + 2 * (segments / 2) ** 2 * model.dim
