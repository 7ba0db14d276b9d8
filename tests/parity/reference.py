"""The formulas of ECG-LFM once more, as plainly as they can be written: what the model must give, by another hand.

Float64, PyTorch's own operations, no module of the product. Weights have the names of the original's checkpoint.
Where the original's files are at hand, `tests/unit/models/test_parity_reference.py` holds this to them.

Front end: wav2vec 2.0 (arXiv:2006.11477, 2). Layers: Conformer (arXiv:2005.08100) with Transformer-XL's positions
(arXiv:1901.02860, 3.3). Objective: contrastive (arXiv:2006.11477, eq. 3), masked prediction of codes, their
diversity (eq. 4), a penalty of the features, CMSC (arXiv:2005.13249).

Shapes: b batch, t frames, d width, c channels, h heads, w width of a head, m hidden frames of a record, v codes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as f

Weights = dict[str, Tensor]
Numbers = dict[str, Tensor]


def double(weights: Weights, *, learn: bool = False) -> Weights:
    """A copy in float64, of which gradients may be asked."""
    return {name: value.double().requires_grad_(learn) for name, value in weights.items() if value.is_floating_point()}


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].squeeze(-1).T + w.get(f"{name}.bias", 0.0)


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    variance = x.var(-1, keepdim=True, correction=0)
    return (x - x.mean(-1, keepdim=True)) / (variance + 1e-5).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]


def swish(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def front_end(w: Weights, x_bln: Tensor) -> Tensor:
    """Four convolutions of stride 2; each channel of a record is normalised after the first: (b, c, t)."""
    x = x_bln
    for number in range(4):
        name = f"feature_extractor.conv_layers.{number}"
        x = f.conv1d(x, w[f"{name}.0.weight"], w[f"{name}.0.bias"], stride=2)
        if number == 0:
            x = (x - x.mean(2, keepdim=True)) / (x.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
            x = x * w[f"{name}.2.weight"][:, None] + w[f"{name}.2.bias"][:, None]
        x = 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    return x


def feed_forward(w: Weights, name: str, x_btd: Tensor) -> Tensor:
    return linear(w, f"{name}.w_2", swish(linear(w, f"{name}.w_1", layer_norm(w, f"{name}.layer_norm", x_btd))))


def attention(w: Weights, name: str, x_btd: Tensor) -> Tensor:
    u_hw, v_hw = w[f"{name}.pos_bias_u"], w[f"{name}.pos_bias_v"]
    heads, width = u_hw.shape
    batch, frames, dim = x_btd.shape
    query, key, value = (linear(w, f"{name}.linear_{part}", x_btd).view(batch, frames, heads, width) for part in "qkv")
    # The sinusoids of how far the key lies before the query, i - j.
    distance = (torch.arange(frames)[:, None] - torch.arange(frames)).double()
    angle = distance[..., None] * 10000.0 ** (-torch.arange(0, dim, 2).double() / dim)
    sinusoids = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(2)
    position_ijhw = linear(w, f"{name}.linear_pos", sinusoids).view(frames, frames, heads, width)
    by_content = torch.einsum("bihw,bjhw->bhij", query + u_hw, key)
    by_position = torch.einsum("bihw,ijhw->bhij", query + v_hw, position_ijhw)
    weights = ((by_content + by_position) / math.sqrt(width)).softmax(-1)
    return linear(w, f"{name}.linear_out", torch.einsum("bhij,bjhw->bihw", weights, value).flatten(2))


def convolution(w: Weights, name: str, x_btd: Tensor, *, train: bool) -> tuple[Tensor, Tensor]:
    """What the module adds, and the mean of each channel that enters the normalisation."""
    x = linear(w, f"{name}.pointwise_conv1", layer_norm(w, f"{name}.layer_norm", x_btd))
    half, gate = x.chunk(2, dim=-1)
    x_bdt = (half / (1 + torch.exp(-gate))).transpose(1, 2)
    kernel = w[f"{name}.depthwise_conv.weight"]
    x_bdt = f.conv1d(x_bdt, kernel, padding=kernel.shape[2] // 2, groups=len(kernel))
    mean = x_bdt.mean((0, 2))
    variance = x_bdt.var((0, 2), correction=0)
    if not train:
        mean, variance = w[f"{name}.batch_norm.running_mean"], w[f"{name}.batch_norm.running_var"]
    x = (x_bdt.transpose(1, 2) - mean) / (variance + 1e-5).sqrt()
    x = x * w[f"{name}.batch_norm.weight"] + w[f"{name}.batch_norm.bias"]
    return linear(w, f"{name}.pointwise_conv2", swish(x)), mean


def layers(w: Weights, x_btd: Tensor, *, train: bool) -> tuple[list[Tensor], Tensor]:
    """Output of each layer, and the first layer's running mean after this batch."""
    x, outputs, means = x_btd, [], []
    while (name := f"encoder.layers.{len(outputs)}") + ".ffn1.w_1.weight" in w:
        x = x + 0.5 * feed_forward(w, f"{name}.ffn1", x)
        x = x + attention(w, f"{name}.self_attn", layer_norm(w, f"{name}.self_attn_layer_norm", x))
        added, mean = convolution(w, f"{name}.conv_module", x, train=train)
        x = x + added
        x = x + 0.5 * feed_forward(w, f"{name}.ffn2", x)
        x = layer_norm(w, f"{name}.final_layer_norm", x)
        outputs.append(x)
        means.append(mean)
    before = w["encoder.layers.0.conv_module.batch_norm.running_mean"]
    return outputs, 0.9 * before + 0.1 * means[0]


def encoder(w: Weights, x_bln: Tensor) -> Numbers:
    """Every step of the encoder, nothing hidden, in evaluation."""
    conv = front_end(w, x_bln)
    normed = layer_norm(w, "layer_norm", conv.transpose(1, 2))
    projected = linear(w, "post_extract_proj", normed)
    outputs, _ = layers(w, projected, train=False)
    return {
        "conv_out": conv, "features_ln": normed, "post_proj": projected, "layers": torch.stack(outputs),
        "encoder_out": outputs[-1], "pooled": outputs[-1].mean(1), "w2v2_layer_out": outputs[1],
    }  # fmt: skip


def perplexity(probability_v: Tensor) -> Tensor:
    return torch.exp(-(probability_v * torch.log(probability_v + 1e-7)).sum())


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


def pretraining(w: Weights, given: Numbers, *, train: bool) -> Numbers:
    """Every term of the objective, as sums over the hidden frames of the batch; the tap is the second layer.

    `given` has `source`, `mask_indices` (b, t), `neg_randint` (b, m x negatives) and `gumbel` (b x m, v).
    """
    hidden_bt = given["mask_indices"]
    batch, masked = len(hidden_bt), int(hidden_bt[0].sum())
    size = batch * masked
    conv = front_end(w, given["source"].double())
    normed = layer_norm(w, "layer_norm", conv.transpose(1, 2))
    projected = linear(w, "post_extract_proj", normed)
    features = torch.where(hidden_bt[..., None], w["mask_emb"], projected)
    outputs, running_mean = layers(w, features, train=train)

    scores_sv = linear(w, "quantizer.weight_proj", normed[hidden_bt])
    choice_sv = f.one_hot(scores_sv.argmax(1), scores_sv.shape[1]).double()
    measures = {
        "prob_perplexity": perplexity(scores_sv.softmax(1).mean(0)),
        "code_perplexity": perplexity(choice_sv.mean(0)),
    }
    if train:  # drawn, and differentiable through the soft choice (arXiv:1611.01144) at the first temperature, 2
        soft_sv = ((scores_sv + given["gumbel"].double()) / 2.0).softmax(1)
        choice_sv = f.one_hot(soft_sv.argmax(1), soft_sv.shape[1]) + soft_sv - soft_sv.detach()
    codes_bm = choice_sv.argmax(1).view(batch, masked)
    y_bmf = linear(w, "project_q", choice_sv @ w["quantizer.vars"].squeeze(0)).view(batch, masked, -1)
    x_bmf = linear(w, "final_proj", outputs[1][hidden_bt]).view(batch, masked, -1)
    mlm_sv = linear(w, "mlm_proj", outputs[-1][hidden_bt])

    # A negative is drawn among the record's other hidden frames; one with the positive's code is the positive.
    own = torch.arange(masked)[None, :, None]
    drawn_bmk = given["neg_randint"].view(batch, masked, -1)
    drawn_bmk = drawn_bmk + (drawn_bmk >= own)
    record = torch.arange(batch)[:, None, None]
    negatives = cosine(x_bmf[:, :, None], y_bmf[record, drawn_bmk]) / 0.1
    negatives = negatives.masked_fill(codes_bm[record, drawn_bmk] == codes_bm[..., None], -torch.inf)
    logits = torch.cat([(cosine(x_bmf, y_bmf) / 0.1)[..., None], negatives], dim=2)
    wav2vec = -logits.log_softmax(2)[..., 0].sum()
    mlm = -mlm_sv.log_softmax(1).gather(1, codes_bm.view(-1, 1)).sum()

    # Pairs of one patient; the original lets no gradient through the vectors' lengths.
    pooled = features.mean(1)
    z = pooled / pooled.detach().norm(dim=1, keepdim=True)
    pairs = z[0::2] @ z[1::2].T / 0.1
    cmsc = -0.5 * (pairs.log_softmax(0) + pairs.log_softmax(1)).diagonal().mean()

    number = scores_sv.shape[1]
    penalty = conv.square().mean()
    diversity = (number - measures["prob_perplexity"]) / number
    terms = {"loss_1": 0.1 * size * diversity, "loss_2": 10 * size * penalty, "loss_3": size * cmsc}
    return measures | terms | {
        "loss_w2v2": wav2vec, "loss_mlm": mlm, "loss_total_sum": wav2vec + mlm + sum(terms.values()),
        "features_pen": penalty, "sample_size": torch.tensor(size),
        "correct": (logits.argmax(2) == 0).sum(), "count": torch.tensor(size),
        "x_w2v2_logits": logits.permute(2, 0, 1), "mlm_logits": mlm_sv.view(batch, masked, -1),
        "mlm_targets": codes_bm, "features_masked": features, "cmsc_embed": pooled,
        "bn0_running_mean_after": running_mean,
    }  # fmt: skip


def gradient_norms(w: Weights, given: Numbers) -> dict[str, float]:
    """Norm of the gradient of the loss of a training step, of each weight that has one."""
    numbers = pretraining(w, given, train=True)
    (numbers["loss_total_sum"] / numbers["sample_size"]).backward()
    return {name: float(value.grad.norm()) for name, value in w.items() if value.grad is not None}


def finetuned(w: Weights, x_bln: Tensor) -> Numbers:
    """Mean over time of the last layer, and a Linear."""
    inner = {name.removeprefix("encoder."): value for name, value in w.items() if not name.startswith("proj.")}
    out = encoder(inner, x_bln)
    return {"encoder_out": out["encoder_out"], "logits": linear(w, "proj", out["pooled"])}
