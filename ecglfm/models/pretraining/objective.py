"""ECG-LFM's pretraining objective: hidden frames are recognised and coded, recordings of a patient agree.

Per masked frame, as the original divides its gradients (S, the number of masked frames, cancels):

    contrastive + mlm + 0.1 (V - perplexity)/V + 10 mean(conv_features^2) + CMSC

On several ranks every term is that of all their records together: its mean over ranks is what one process with the
whole batch computes, and so are the gradients' means. CMSC compares with the pairs of every rank, the diversity is
that of the codes on all ranks, and each record hides the same number of frames everywhere (`Noise`).

Shapes: b batch, t frames, d encoder width, m masked frames of a record (the same in all), k negatives,
f width of the contrastive space, v codes, s = b m.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import PretrainConfig, UserError
from ecglfm.models.encoders import ECGEncoder, Encoder, Features, mean_over_frames
from ecglfm.models.layers import at_least_float32, gather_rows, rank
from ecglfm.models.pretraining.masking import draw_negatives, draw_spans, most_hidden, places, rounding_of, trim_spans
from ecglfm.models.pretraining.quantizer import GumbelQuantizer
from ecglfm.models.pretraining.random import gumbel, record_keys, substream

#: Terms of the loss, by their names in `ObjectiveConfig`.
TERMS = ("contrastive", "mlm", "diversity", "feature_penalty", "cmsc")

_GUMBEL = 4  # what a record's numbers are for, beside those of `masking`


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
    real_frames : float or None
        Real frames in a forward, mean over the forwards and ranks of the update; None: those of this forward.
    """

    mask_bt: Tensor
    negatives_bmk: Tensor
    gumbel_sv: Tensor | None
    real_frames: float | None = None


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
    x, y = (functional.normalize(at_least_float32(z), dim=-1) for z in (x_bmf, y_bmf))
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
    return loss, (logits_bmk.argmax(dim=-1) == 0).to(logits_bmk.dtype).mean()


def cmsc_loss(z_bd: Tensor, *, temperature: float, fixed_norms: bool = False) -> tuple[Tensor, Tensor]:
    """Symmetric cross entropy over cosine similarities of pairs (CLOCS, arXiv:2005.13249).

    The pairs of all ranks are negatives; every rank must ask, with as many pairs.

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
        Mean over the pairs of this rank and directions.
    """
    z = at_least_float32(z_bd)
    norms = z.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    z = z / (norms.detach() if fixed_norms else norms)
    everything = gather_rows(z)
    pairs = z.shape[0] // 2
    truth = rank() * pairs + torch.arange(pairs, device=z.device)
    forth, back = z[0::2] @ everything[1::2].T / temperature, z[1::2] @ everything[0::2].T / temperature
    loss = 0.5 * (functional.cross_entropy(forth, truth) + functional.cross_entropy(back, truth))
    hits = (forth.argmax(dim=1) == truth).float() + (back.argmax(dim=1) == truth).float()
    return loss, 0.5 * hits.mean()


def feature_penalty(features: Features, real_frames: float | None = None) -> Tensor:
    """Mean square of the conv features at real frames.

    Parameters
    ----------
    features : Features
    real_frames : float, optional
        Divide by as many frames instead of this batch's: where batches have different numbers of them, the mean
        of their penalties is then the penalty of all.
    """
    square_bt = at_least_float32(features.conv_btc).square().mean(dim=-1)
    if features.mask_bt is None:
        return square_bt.mean() if real_frames is None else square_bt.sum() / real_frames
    total = square_bt.masked_fill(~features.mask_bt, 0.0).sum()
    return total / (features.mask_bt.sum() if real_frames is None else real_frames)


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

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__()
        assert isinstance(encoder, ECGEncoder)  # the config refuses to pretrain another kind
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

    def draw_noise(self, keys_b: Tensor, mask_bt: Tensor, real_frames: float | None = None) -> Noise:
        """Draw the noise of one forward in the module's mode, each record's from its own key.

        Parameters
        ----------
        keys_b : Tensor of int64, shape (batch,)
            From `ecglfm.models.pretraining.random.record_keys`.
        mask_bt : Tensor of bool, shape (batch, frames)
            On the CPU; hidden frames, from `ecglfm.models.pretraining.masking.trim_spans`.
        real_frames : float, optional
            As in `Noise`.

        Returns
        -------
        Noise
            Where the model lies.
        """
        device, masked = self.mask_emb.device, int(mask_bt[0].sum())
        keys_b = keys_b.to(device, non_blocking=True)
        gumbel_sv = None
        if self.training:
            codes = self.mlm_proj.out_features
            gumbel_sv = gumbel(substream(keys_b, _GUMBEL), masked * codes).view(-1, codes)
        negatives_bmk = draw_negatives(keys_b, masked, self.terms.contrastive.negatives)
        return Noise(mask_bt.to(device, non_blocking=True), negatives_bmk, gumbel_sv, real_frames)

    def _noise_of(self, seed: int, features: Features) -> Noise:
        """Noise of a batch that is an update by itself."""
        batch, frames = features.conv_btc.shape[:2]
        real_bt = features.mask_bt
        lengths_b = torch.full((batch,), frames) if real_bt is None else real_bt.sum(dim=1).cpu()
        keys_b = record_keys(seed, 0, batch)
        spans_bt = draw_spans(keys_b, lengths_b, frames, self.mask_config, rounding=rounding_of(seed))
        return self.draw_noise(keys_b, trim_spans(keys_b, spans_bt, most_hidden(spans_bt, lengths_b)))

    def forward(
        self, x: Tensor, *, step: int, generator_seed: int = 0, noise: Noise | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Loss of one batch of pairs.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts; rows 2i and 2i+1 are recordings of one patient.
        step : int
            Updates so far; sets the Gumbel temperature.
        generator_seed : int
            Seed of span masks, negatives and Gumbel noise, where the batch is an update by itself. Dropout uses
            PyTorch's global generator.
        noise : Noise, optional
            Noise that was drawn before, or is fixed.
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
            noise = self._noise_of(generator_seed, features)
        x_btd = self.encoder.frontend.project(features.normed_btc)
        x_btd = torch.where(noise.mask_bt[..., None], self.mask_emb, x_btd)
        layers = self.encoder.context(x_btd, features.mask_bt)

        logged = self._predict(layers[self.tap - 1], layers[-1], features.normed_btc, noise, step)
        logged["feature_penalty"] = feature_penalty(features, noise.real_frames)
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
        batch, masked = noise.negatives_bmk.shape[:2]
        hidden_s = places(noise.mask_bt, masked)

        def hidden(x_btd: Tensor) -> Tensor:
            return x_btd.flatten(0, 1).index_select(0, hidden_s)

        quantized = self.quantizer(hidden(normed_btc), step=step, gumbel_sv=noise.gumbel_sv)
        contrastive, contrastive_accuracy = contrastive_loss(
            self.final_proj(hidden(tap_btd)).view(batch, masked, -1),
            self.project_q(quantized.vectors_se).view(batch, masked, -1),
            quantized.codes_s.view(batch, masked),
            noise.negatives_bmk,
            temperature=self.terms.contrastive.temperature,
        )
        scores_sv = at_least_float32(self.mlm_proj(hidden(last_btd)))
        codes = scores_sv.shape[1]
        return {
            "contrastive": contrastive,
            "contrastive_accuracy": contrastive_accuracy,
            "mlm": functional.cross_entropy(scores_sv, quantized.codes_s),
            "mlm_accuracy": (scores_sv.argmax(dim=1) == quantized.codes_s).to(scores_sv.dtype).mean(),
            "diversity": (codes - quantized.prob_perplexity) / codes,
            "code_perplexity": quantized.code_perplexity,
            "prob_perplexity": quantized.prob_perplexity,
        }
