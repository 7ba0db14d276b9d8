"""ECG-LFM's pretraining objective: hidden frames are recognised and coded, recordings of a patient agree.

Per masked frame, as the original divides its gradients (S, the number of masked frames, cancels):

    contrastive + mlm + 0.1 (V - perplexity)/V + 10 mean(conv_features^2) + CMSC

Shapes: b batch, t frames, d encoder width, m masked frames of a record (the same in all), k negatives,
f width of the contrastive space, v codes, s = b m.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import PretrainConfig, UserError
from ecglfm.models.encoder import ECGEncoder, mean_over_frames
from ecglfm.models.masking import draw_negatives, draw_span_mask
from ecglfm.models.quantizer import GumbelQuantizer

#: Terms of the loss, by their names in `ObjectiveConfig`.
TERMS = ("contrastive", "mlm", "diversity", "feature_penalty", "cmsc")


class Noise(NamedTuple):
    """Everything random in one step of the objective.

    Attributes
    ----------
    mask_bt : Tensor of bool, shape (batch, frames)
        Hidden frames, the same number in every record.
    negatives_bmk : Tensor of int64, shape (batch, masked, negatives)
        Places among the record's hidden frames, never the frame's own.
    gumbel_sv : Tensor of float32, shape (batch * masked, codes), or None
        Standard Gumbel noise; None in evaluation.
    """

    mask_bt: Tensor
    negatives_bmk: Tensor
    gumbel_sv: Tensor | None


def contrastive_logits(
    x_bmf: Tensor, y_bmf: Tensor, codes_bm: Tensor, negatives_bmk: Tensor, *, temperature: float
) -> Tensor:
    """Cosine of each context vector with its own quantized frame and with negatives of its record, over temperature.

    A negative with the code of the positive is the positive itself, and is left out (-inf).

    Parameters
    ----------
    x_bmf, y_bmf : Tensor, shape (batch, masked, final_dim)
        Context vectors and quantized targets.
    codes_bm : Tensor of int64, shape (batch, masked)
        Codes of the targets.
    negatives_bmk : Tensor of int64, shape (batch, masked, negatives)
        Places along `masked`.
    temperature : float
        Cosine similarities are divided by it.

    Returns
    -------
    Tensor of float32, shape (batch, masked, 1 + negatives)
        The positive first.
    """
    x, y = functional.normalize(x_bmf.float(), dim=-1), functional.normalize(y_bmf.float(), dim=-1)
    scores_bmm = x @ y.transpose(1, 2) / temperature  # every frame with every frame, once
    same_bmm = codes_bm[:, :, None] == codes_bm[:, None, :]
    negative_bmk = scores_bmm.masked_fill(same_bmm, -torch.inf).gather(2, negatives_bmk)
    return torch.cat([scores_bmm.diagonal(dim1=1, dim2=2)[..., None], negative_bmk], dim=-1)


def contrastive_loss(
    x_bmf: Tensor, y_bmf: Tensor, codes_bm: Tensor, negatives_bmk: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the true quantized frame among negatives of its record (arXiv:2006.11477, eq. 3).

    Parameters are those of `contrastive_logits`.

    Returns
    -------
    loss, accuracy : Tensor, shape ()
        Mean over masked frames.
    """
    logits_bmk = contrastive_logits(x_bmf, y_bmf, codes_bm, negatives_bmk, temperature=temperature)
    loss = (logits_bmk.logsumexp(dim=-1) - logits_bmk[..., 0]).mean()
    return loss, (logits_bmk.argmax(dim=-1) == 0).float().mean()


def cmsc_loss(z_bd: Tensor, *, temperature: float, fixed_norms: bool = False) -> tuple[Tensor, Tensor]:
    """Symmetric cross entropy over cosine similarities of pairs (CLOCS, arXiv:2005.13249).

    Parameters
    ----------
    z_bd : Tensor, shape (2 pairs, dim)
        Rows 2i and 2i+1 are recordings of one patient.
    temperature : float
        Cosine similarities are divided by it.
    fixed_norms : bool
        Let no gradient through the vectors' lengths, as the original (measured: its gradients agree to 1e-5
        only so). The value is the same.

    Returns
    -------
    loss, accuracy : Tensor, shape ()
        Mean over pairs and directions.
    """
    z = z_bd.float()
    norms = z.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    z = z / (norms.detach() if fixed_norms else norms)
    scores = z[0::2] @ z[1::2].T / temperature
    truth = torch.arange(scores.shape[0], device=z.device)
    loss = 0.5 * (functional.cross_entropy(scores, truth) + functional.cross_entropy(scores.T, truth))
    hits = (scores.argmax(dim=1) == truth).float() + (scores.argmax(dim=0) == truth).float()
    return loss, 0.5 * hits.mean()


class PretrainingObjective(nn.Module):
    """The encoder and what only pretraining needs: mask embedding, quantizer and prediction heads.

    Parameters
    ----------
    encoder : ECGEncoder
        Wrapped, not copied.
    config : PretrainConfig
        `mask`, `quantizer` and `objective` are read.

    Raises
    ------
    UserError
        The contrastive layer does not exist.
    """

    def __init__(self, encoder: ECGEncoder, config: PretrainConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.mask_config, self.terms = config.mask, config.objective
        depth, dim, channels = encoder.config.layers, encoder.dim, encoder.config.conv_channels
        self.tap = config.objective.contrastive.layer or max(1, depth // 4)
        if self.tap > depth:
            raise UserError(
                f"pretrain.objective.contrastive.layer: {self.tap} is beyond the encoder's {depth} layers; "
                "give 1 to model.layers, or null for a quarter of them"
            )
        final_dim = config.quantizer.final_dim
        self.mask_emb = nn.Parameter(torch.empty(dim).uniform_())
        self.quantizer = GumbelQuantizer(channels, config.quantizer)
        self.project_q = nn.Linear(config.quantizer.code_dim, final_dim)
        self.final_proj = nn.Linear(dim, final_dim)
        self.mlm_proj = nn.Linear(dim, config.quantizer.codes)

    def draw_noise(self, x: Tensor, generator_seed: int, real_bt: Tensor | None = None) -> Noise:
        """Draw what one forward needs, from `generator_seed` alone.

        Parameters
        ----------
        x : Tensor, shape (batch, leads, samples)
            For its shape and device.
        generator_seed : int
            Seed of the masks; that of the negatives and of the Gumbel noise is drawn from it.
        real_bt : Tensor of bool, shape (batch, frames), optional
            True at real frames.

        Returns
        -------
        Noise
        """
        generator = torch.Generator().manual_seed(generator_seed)
        batch, frames = x.shape[0], self.encoder.frontend.frames(x.shape[2])
        mask_bt = draw_span_mask(batch, frames, self.mask_config, generator, real_bt=real_bt)
        masked = int(mask_bt[0].sum())
        # The big draws happen where the model lies.
        seed = int(torch.randint(2**62, (), generator=generator))
        generator = torch.Generator(device=x.device).manual_seed(seed)
        negatives_bmk = draw_negatives(batch, masked, self.terms.contrastive.negatives, generator)
        gumbel_sv = None
        if self.training:
            gumbel_sv = torch.empty((batch * masked, self.mlm_proj.out_features), device=x.device)
            gumbel_sv = -gumbel_sv.exponential_(generator=generator).log()
        return Noise(mask_bt.to(x.device), negatives_bmk, gumbel_sv)

    def forward(
        self, x: Tensor, *, generator_seed: int, step: int, noise: Noise | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Loss of one batch of pairs.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts; rows 2i and 2i+1 are recordings of one patient.
        generator_seed : int
            Seed of span masks, negatives and Gumbel noise. Dropout uses PyTorch's global generator.
        step : int
            Updates so far; sets the Gumbel temperature.
        noise : Noise, optional
            Fixed noise instead of the drawn one.
        mask : Tensor of bool, shape (2 pairs, samples), optional
            True where a sample is real; real samples come first.

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss` to differentiate, already per masked frame; and detached: `contrastive`, `mlm` (nats),
            `diversity`, `feature_penalty`, `cmsc` without their weights, `contrastive_accuracy`,
            `mlm_accuracy`, `cmsc_accuracy`, `code_perplexity`, `prob_perplexity` (codes),
            `masked_fraction`, `temperature`.

        Raises
        ------
        ValueError
            An odd number of rows, or a segment too short to be masked.
        """
        if x.shape[0] % 2:
            raise ValueError(f"{x.shape[0]} rows: recordings come in pairs, 2i and 2i+1 of one patient")
        features = self.encoder.features(x, mask)
        if noise is None:
            noise = self.draw_noise(x, generator_seed, features.mask_bt)
        x_btd = self.encoder.frontend.project(features.normed_btc)
        x_btd = torch.where(noise.mask_bt[..., None], self.mask_emb, x_btd)
        layers = self.encoder.context(x_btd, features.mask_bt)

        logged = self._predict(layers[self.tap - 1], layers[-1], features.normed_btc, noise, step)
        real_rc = features.conv_btc if features.mask_bt is None else features.conv_btc[features.mask_bt]
        logged["feature_penalty"] = real_rc.float().square().mean()
        as_original = self.terms.cmsc.pool == "frontend"
        pooled_bd = mean_over_frames(x_btd if as_original else layers[-1], features.mask_bt)
        logged["cmsc"], logged["cmsc_accuracy"] = cmsc_loss(
            pooled_bd, temperature=self.terms.cmsc.temperature, fixed_norms=as_original
        )
        loss = torch.stack([getattr(self.terms, name).weight * logged[name] for name in TERMS]).sum()
        logged["masked_fraction"] = noise.mask_bt.float().mean()
        logged["temperature"] = torch.tensor(self.quantizer.temperature(step))
        return {"loss": loss} | {name: value.detach() for name, value in logged.items()}

    def _predict(
        self, tap_btd: Tensor, last_btd: Tensor, normed_btc: Tensor, noise: Noise, step: int
    ) -> dict[str, Tensor]:
        """Terms and measures about the hidden frames: contrastive, mlm, diversity."""
        hidden_bt = noise.mask_bt
        batch, masked = noise.negatives_bmk.shape[:2]
        quantized = self.quantizer(normed_btc[hidden_bt], step=step, gumbel_sv=noise.gumbel_sv)
        contrastive, contrastive_accuracy = contrastive_loss(
            self.final_proj(tap_btd[hidden_bt]).view(batch, masked, -1),
            self.project_q(quantized.vectors_se).view(batch, masked, -1),
            quantized.codes_s.view(batch, masked),
            noise.negatives_bmk,
            temperature=self.terms.contrastive.temperature,
        )
        scores_sv = self.mlm_proj(last_btd[hidden_bt]).float()
        codes = scores_sv.shape[1]
        return {
            "contrastive": contrastive,
            "contrastive_accuracy": contrastive_accuracy,
            "mlm": functional.cross_entropy(scores_sv, quantized.codes_s),
            "mlm_accuracy": (scores_sv.argmax(dim=1) == quantized.codes_s).float().mean(),
            "diversity": (codes - quantized.prob_perplexity) / codes,
            "code_perplexity": quantized.code_perplexity,
            "prob_perplexity": quantized.prob_perplexity,
        }
