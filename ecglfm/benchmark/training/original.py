"""The pretraining step computed operation by operation as ECG-LFM's public code does: what ours is measured against.

Same parameters and same numbers as `ecglfm.models.pretraining` with `cmsc.pool: frontend`, in more time and memory; it
is for `ecglfm benchmark train --compare way` alone. Left out, in the original's favour: its parameters that never
learn, its collator, its optimizer, and how it draws masks and negatives.

Shapes: b batch, t frames, d width, h heads, w width of a head, m masked frames of a record, k negatives.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import ConformerConfig, PretrainConfig, UserError
from ecglfm.models.encoders import ConformerLayer, ConvolutionModule, Encoder, FeedForward, FrontEnd
from ecglfm.models.layers import RelativeAttention, sinusoids
from ecglfm.models.pretraining import MaskedCodes, Noise, Quantized, perplexity

POSITIONS = 100_000  # on each side, whatever the records' length


class OriginalObjective(MaskedCodes):
    """`MaskedCodes` whose forward pass is the original's.

    Raises
    ------
    UserError
        Another objective, no Conformer with batch normalisation, or layers are to be compiled or computed twice.
    """

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        if not isinstance(encoder.config, ConformerConfig) or encoder.config.norm != "batch":
            raise UserError("ECG-LFM's code has Conformers with `norm: batch` and without `standardize` only")
        if config.activation_checkpointing or config.compile:
            raise UserError("ECG-LFM's way is measured without activation checkpointing and compilation")
        if config.objective.kind != "masked_codes":
            raise UserError(f"ECG-LFM's code has no `objective.kind: {config.objective.kind}`")
        super().__init__(encoder, config)
        self.table_1pd = sinusoids(POSITIONS, encoder.dim)[None]

    def forward(
        self, x: Tensor, *, step: int, generator_seed: int = 0, noise: Noise | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `MaskedCodes.forward`, for whole records and noise that was drawn."""
        assert noise is not None
        assert mask is None
        hidden_bt = noise.mask_bt
        features_btc = self._convolve(x).transpose(1, 2)
        penalty = features_btc.float().pow(2).mean()
        features = cast(FrontEnd, self.encoder.frontend).layer_norm(features_btc)
        unmasked = features.clone()
        features = self._drop(self.encoder.frontend.project(features))
        features[hidden_bt] = self.mask_emb.to(features.dtype)
        layers_tbd = self._encode(features.transpose(0, 1))

        batch = len(x)
        quantized = self._quantize(unmasked[hidden_bt].view(batch, -1, unmasked.shape[-1]), noise.gumbel_sv, step)
        y_bmf = self.project_q(quantized.vectors_se).view(batch, -1, self.project_q.out_features)
        tap_btd, last_btd = layers_tbd[self.tap - 1].transpose(0, 1), layers_tbd[-1].transpose(0, 1)
        x_bmf = self.final_proj(tap_btd[hidden_bt].view(batch, -1, tap_btd.shape[-1]))
        logits_kbm = self._compare(x_bmf, y_bmf, noise.negatives_bmk)
        logits_sk = logits_kbm.transpose(0, 2).reshape(-1, len(logits_kbm)).float()
        scores_sv = self.mlm_proj(last_btd[hidden_bt].view(batch, -1, last_btd.shape[-1])).flatten(0, 1).float()

        size, codes = len(logits_sk), scores_sv.shape[1]
        truth = logits_sk.new_zeros(size, dtype=torch.long)
        cmsc, cmsc_accuracy = self._pairs(features)
        sums = {
            "contrastive": functional.cross_entropy(logits_sk, truth, reduction="sum"),
            "mlm": functional.cross_entropy(scores_sv, quantized.codes_s, reduction="sum"),
            "diversity": (codes - quantized.prob_perplexity) / codes * size,
            "feature_penalty": penalty * size,
            "cmsc": cmsc * size,
        }
        loss = sum(getattr(self.terms, name).weight * value for name, value in sums.items()) / size
        logged = {name: value / size for name, value in sums.items()} | {
            "contrastive_accuracy": (logits_sk.argmax(-1) == 0).float().mean(),
            "mlm_accuracy": (scores_sv.argmax(-1) == quantized.codes_s).float().mean(),
            "cmsc_accuracy": cmsc_accuracy,
            "code_perplexity": quantized.code_perplexity,
            "prob_perplexity": quantized.prob_perplexity,
            "masked_fraction": hidden_bt.float().mean(),
            "temperature": torch.tensor(self.quantizer.temperature(step)),
        }
        return {"loss": cast(Tensor, loss)} | {name: value.detach() for name, value in logged.items()}

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.encoder.config.dropout, self.training)

    def _convolve(self, x_bln: Tensor) -> Tensor:
        """Front end with channels first, (b, c, t)."""
        frontend = cast(FrontEnd, self.encoder.frontend)
        x = x_bln
        for number, module in enumerate(frontend.convs):
            conv = cast(nn.Conv1d, module)
            x = functional.conv1d(x, conv.weight, conv.bias, conv.stride)
            if number == 0:
                norm = frontend.group_norm
                x = functional.group_norm(x.float(), norm.num_groups, norm.weight, norm.bias, norm.eps).type_as(x)
            x = functional.gelu(x)
        return x

    def _encode(self, x_tbd: Tensor) -> list[Tensor]:
        """Output of every layer, time first."""
        frames, middle = len(x_tbd), POSITIONS - 1
        positions_1pd = self.table_1pd[:, middle - frames + 1 : middle + frames].to(x_tbd.device, x_tbd.dtype)
        x, layers = self._drop(x_tbd), []
        for module in self.encoder.context.layers:
            layer = cast(ConformerLayer, module)
            x = self._feed_forward(x, layer.ffn1) * 0.5 + x
            x = self._drop(self._attend(layer.self_attn_layer_norm(x), positions_1pd, layer.self_attn)) + x
            x = x + self._convolution(x.transpose(0, 1), layer.conv_module).transpose(0, 1)
            x = layer.final_layer_norm(self._feed_forward(x, layer.ffn2) * 0.5 + x)
            layers.append(x)
        return layers

    def _feed_forward(self, x: Tensor, module: FeedForward) -> Tensor:
        inner = self._drop(functional.silu(module.w_1(module.layer_norm(x))))
        return self._drop(functional.linear(inner, module.w_2.weight, module.w_2.bias))

    def _attend(self, x_tbd: Tensor, positions_1pd: Tensor, attention: RelativeAttention) -> Tensor:
        heads = attention.heads
        x_btd = x_tbd.transpose(0, 1)
        batch, frames, dim = x_btd.shape
        layers = attention.linear_q, attention.linear_k, attention.linear_v
        query, key, value = (layer(x_btd).view(batch, frames, heads, -1) for layer in layers)
        position_1hpw = attention.linear_pos(positions_1pd).view(1, -1, heads, dim // heads).transpose(1, 2)
        by_content = (query + attention.pos_bias_u).transpose(1, 2) @ key.transpose(1, 2).transpose(2, 3)
        by_position = (query + attention.pos_bias_v).transpose(1, 2) @ position_1hpw.transpose(2, 3)
        scores = (by_content + _shifted(by_position)) / math.sqrt(dim // heads)
        attended = self._drop(torch.softmax(scores, dim=-1)) @ value.transpose(1, 2)
        return attention.linear_out(attended.transpose(1, 2).contiguous().view(batch, frames, dim)).transpose(0, 1)

    def _convolution(self, x_btd: Tensor, module: ConvolutionModule) -> Tensor:
        norm = cast(nn.BatchNorm1d, module.norm)
        x_bct = module.layer_norm(x_btd).transpose(1, 2)
        x_bct = functional.glu(functional.conv1d(x_bct, module.pointwise_conv1.weight), dim=1)
        kernel = module.depthwise_conv.weight
        x_bct = functional.conv1d(x_bct, kernel, padding=kernel.shape[2] // 2, groups=len(kernel))
        x_bct = functional.batch_norm(
            x_bct, norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training, 0.1, norm.eps
        )
        x_bct = functional.conv1d(functional.silu(x_bct), module.pointwise_conv2.weight)
        return self._drop(x_bct).transpose(1, 2)

    def _quantize(self, features_bmc: Tensor, gumbel_sv: Tensor | None, step: int) -> Quantized:
        scores = self.quantizer.weight_proj(features_bmc.flatten(0, 1))
        hard = scores.new_zeros(scores.shape).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0)
        used_v, mean_v = hard.float().mean(0), torch.softmax(scores.float(), dim=-1).mean(0)
        weights = hard
        if gumbel_sv is not None:
            soft = ((scores.float() + gumbel_sv) / self.quantizer.temperature(step)).softmax(-1)
            hard = torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0)
            weights = (hard - soft.detach() + soft).type_as(scores)
        vectors = (weights.unsqueeze(-1) * self.quantizer.vars).sum(-2)
        return Quantized(vectors, weights.argmax(-1), perplexity(mean_v), perplexity(used_v))

    def _compare(self, x_bmf: Tensor, y_bmf: Tensor, negatives_bmk: Tensor) -> Tensor:
        """Logits of the true frame and of every negative, each a vector of its own, (1 + k, b, m)."""
        batch, masked, width = y_bmf.shape
        places = negatives_bmk.view(batch, -1) + torch.arange(batch, device=y_bmf.device)[:, None] * masked
        negatives = y_bmf.view(-1, width)[places.view(-1)].view(batch, masked, -1, width).permute(2, 0, 1, 3)
        same = (y_bmf == negatives).all(-1)
        targets = torch.cat([y_bmf.unsqueeze(0), negatives], dim=0)
        logits = torch.cosine_similarity(x_bmf.float(), targets.float(), dim=-1) / self.terms.contrastive.temperature
        if same.any():
            logits[1:][same] = -torch.inf
        return logits

    def _pairs(self, features_btd: Tensor) -> tuple[Tensor, Tensor]:
        """CMSC and its accuracy."""
        z = features_btd.sum(dim=1) / (features_btd != 0).sum(dim=1)
        z = z / torch.max(z.detach().norm(dim=-1, keepdim=True), 1e-8 * torch.ones_like(z))
        forth = (z[0::2] @ z[1::2].T).float() / self.terms.cmsc.temperature
        truth = torch.arange(len(forth), device=z.device)
        loss = 0.5 * (functional.cross_entropy(forth, truth) + functional.cross_entropy(forth.T, truth))
        return loss, 0.5 * ((forth.argmax(1) == truth).float() + (forth.argmax(0) == truth).float()).mean()


def _shifted(scores_bhtp: Tensor) -> Tensor:
    """Scores by relative position to scores by key, through a padded copy."""
    batch, heads, frames, positions = scores_bhtp.shape
    padded = torch.cat([scores_bhtp.new_zeros(batch, heads, frames, 1), scores_bhtp], dim=-1)
    padded = padded.view(batch, heads, positions + 1, frames)
    return padded[:, :, 1:].view_as(scores_bhtp)[..., : positions // 2 + 1]
