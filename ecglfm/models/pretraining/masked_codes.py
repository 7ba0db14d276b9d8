"""ECG-LFM's pretraining objective: hidden frames are recognised and coded, recordings of a patient agree.

Per masked frame, as the original divides its gradients (S, the number of masked frames, cancels):

    contrastive + mlm + 0.1 (V - perplexity)/V + 10 mean(conv_features^2) + CMSC

On several ranks every term is that of all their records together: its mean over ranks is what one process with the
whole batch computes, and so are the gradients' means. CMSC compares with the pairs of every rank, the diversity is
that of the codes on all ranks, and terms about frames are means over those of each record, and then over records: how
many frames a record hides is its own affair (`masking.hidden_frames`), whatever else is in the update.

Shapes: b batch, t frames, d encoder width, c channels of the front end, m places for the masked frames of a record (the
same in all), k negatives, v codes, s = b m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm import distributed
from ecglfm.config import MaskedCodesConfig, PretrainConfig, UserError
from ecglfm.models.encoders import ECGEncoder, Encoder, Features, mean_over_frames
from ecglfm.models.layers import at_least_float32
from ecglfm.models.pretraining.masking import (
    draw_negatives,
    draw_spans,
    hidden_frames,
    hidden_of,
    masked_positions,
    rounding_of,
    trim_spans,
)
from ecglfm.models.pretraining.objective import Objective
from ecglfm.models.pretraining.quantizer import GumbelQuantizer
from ecglfm.models.pretraining.random import gumbel, record_keys, substream
from ecglfm.models.pretraining.terms import (
    cmsc_loss,
    contrastive_loss,
    feature_penalty,
    hidden_weights,
    mean_of_hidden,
)

#: Terms of the loss, by their names in `MaskedCodesConfig`.
TERMS = ("contrastive", "mlm", "diversity", "feature_penalty", "cmsc")

_GUMBEL = 4  # what a record's numbers are for, beside those of `masking`


class Hidden(NamedTuple):
    """What the noise of a forward has that is drawn on the host.

    Attributes
    ----------
    keys_b : Tensor of int64, shape (batch,)
        Of which the rest is drawn, where the model lies.
    mask_bt : Tensor of bool, shape (batch, frames)
    hidden_b : Tensor of int64, shape (batch,), or None
    patients_p : Tensor of int64, shape (pairs,), or None
    """

    keys_b: Tensor
    mask_bt: Tensor
    hidden_b: Tensor | None
    patients_p: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Hidden:
        """The same with every tensor changed."""
        return Hidden(*(None if part is None else change(part) for part in self))  # type: ignore[arg-type]


class Noise(NamedTuple):
    """Everything random in one step of the objective.

    Attributes
    ----------
    mask_bt : Tensor of bool, shape (batch, frames)
        Hidden frames.
    negatives_bmk : Tensor of int64, shape (batch, masked, negatives)
        Places among the record's hidden frames, never the frame's own.
    gumbel_sv : Tensor of float32, shape (batch * masked, codes), or None
        Standard Gumbel noise; None in evaluation.
    hidden_b : Tensor of int64, shape (batch,), or None
        Hidden frames of each record, where some may be shorter than others; None: as many as there are places.
    patients_p : Tensor of int64, shape (pairs,), or None
        Whose each pair is, where somebody may have several; None: everybody has one.
    """

    mask_bt: Tensor
    negatives_bmk: Tensor
    gumbel_sv: Tensor | None
    hidden_b: Tensor | None = None
    patients_p: Tensor | None = None


class MaskedCodes(Objective[ECGEncoder]):
    """The encoder and what only pretraining needs: mask embedding, quantizer and prediction heads.

    Parameters
    ----------
    encoder : ECGEncoder
        Wrapped, not copied.
    config : PretrainConfig
        `mask`, `quantizer`, `perplexity_floor` and `objective` are read.

    Raises
    ------
    UserError
        The contrastive layer does not exist, or crops may be too short to be masked.
    """

    columns: ClassVar[tuple[str, ...]] = (
        *TERMS, "contrastive_accuracy", "mlm_accuracy", "cmsc_accuracy", "code_perplexity", "prob_perplexity",
        "masked_fraction", "temperature",
    )  # fmt: skip
    version: ClassVar[int] = 2  # 1: every record hid as many frames as the poorest of the update

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__(encoder, config)
        assert isinstance(config.objective, MaskedCodesConfig)
        self.mask_config, self.terms, self.perplexity_floor = config.mask, config.objective, config.perplexity_floor
        self._check_shortest(config)
        depth, dim, channels = self.encoder.config.layers, encoder.dim, self.encoder.frontend.channels
        self.tap = self.terms.contrastive.layer or max(1, depth // 4)
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

    def _check_shortest(self, config: PretrainConfig) -> None:
        """Refuse crops of which nothing could be hidden, compared and left to see."""
        shortest = config.crop_seconds if config.min_seconds is None else config.min_seconds
        frames = self.encoder.frames(round(shortest * self.encoder.sampling_rate))
        if frames < 3:
            raise UserError(f"pretrain.min_seconds (or crop_seconds): such a crop has {frames} frames; masking needs 3")

    def prepare(self, batches: Sequence[Mapping[str, Tensor]], seed: int) -> list[Hidden]:
        """Masks of each forward of an update: each record's own, by its place in the update."""
        prepared, rounding = [], rounding_of(seed)
        for forward, batch in enumerate(batches):
            records, samples = batch["signal"].shape[:2]
            keys_b = record_keys(seed, (forward * distributed.world_size() + distributed.rank()) * records, records)
            lengths_b = None
            if "valid" in batch:
                lengths_b = torch.tensor([self.encoder.frames(valid) for valid in batch["valid"].tolist()])
            hidden = self._hide(keys_b, lengths_b, self.encoder.frames(samples), rounding)
            hidden = hidden._replace(patients_p=batch.get("patient"))
            prepared.append(hidden.each(Tensor.pin_memory) if self.mask_emb.is_cuda else hidden)
        return prepared

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: list[Hidden]) -> Iterator[Noise]:
        """Masks and noise of each forward of an update, see `Objective.draw`."""
        yield from map(self._noise, prepared)  # that of the codes is large: drawn when it is asked for

    def _hide(self, keys_b: Tensor, lengths_b: Tensor | None, frames: int, rounding: float) -> Hidden:
        """Mask of one forward; `lengths_b` real frames of each record, None: all."""
        lengths = torch.full((len(keys_b),), frames) if lengths_b is None else lengths_b
        hidden_b = hidden_of(lengths, frames, self.mask_config)
        spans_bt = draw_spans(keys_b, lengths, frames, self.mask_config, rounding=rounding)
        return Hidden(keys_b, trim_spans(keys_b, spans_bt, lengths, hidden_b), None if lengths_b is None else hidden_b)

    def _noise(self, hidden: Hidden) -> Noise:
        """Noise of one forward in the module's mode and where it lies, each record's from its own key."""
        device = self.mask_emb.device
        keys_b, mask_bt, hidden_b, patients_p = hidden.each(lambda x: x.to(device, non_blocking=True))
        masked = hidden_frames(mask_bt.shape[1], self.mask_config)
        gumbel_sv = None
        if self.training:
            codes = self.mlm_proj.out_features
            gumbel_sv = gumbel(substream(keys_b, _GUMBEL), masked * codes).view(-1, codes)
        negatives_bmk = draw_negatives(keys_b, masked, self.terms.contrastive.negatives, hidden_b)
        return Noise(mask_bt, negatives_bmk, gumbel_sv, hidden_b, patients_p)

    def _noise_alone(self, seed: int, features: Features) -> Noise:
        """Noise of a batch that is an update by itself."""
        batch, frames = features.conv_btc.shape[:2]
        lengths_b = None if features.mask_bt is None else features.mask_bt.sum(dim=1).cpu()
        return self._noise(self._hide(record_keys(seed, 0, batch), lengths_b, frames, rounding_of(seed)))

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
            noise = self._noise_alone(generator_seed, features)
        x_btd = self.encoder.frontend.project(features.normed_btc)
        x_btd = torch.where(noise.mask_bt[..., None], self.mask_emb, x_btd)
        layers = self.encoder.context(x_btd, features.mask_bt)

        logged = self._predict(layers[self.tap - 1], layers[-1], features.normed_btc, noise, step)
        logged["feature_penalty"] = feature_penalty(features)
        as_original = self.terms.cmsc.pool == "frontend"
        pooled_bd = mean_over_frames(x_btd if as_original else layers[-1], features.mask_bt)
        logged["cmsc"], logged["cmsc_accuracy"] = cmsc_loss(
            pooled_bd, temperature=self.terms.cmsc.temperature, fixed_norms=as_original, patients_p=noise.patients_p
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
        hidden_s = masked_positions(noise.mask_bt, masked)
        weight_s = None if noise.hidden_b is None else hidden_weights(noise.hidden_b, masked)

        def hidden(x_btd: Tensor) -> Tensor:
            return x_btd.flatten(0, 1).index_select(0, hidden_s)

        quantized = self.quantizer(hidden(normed_btc), step=step, gumbel_sv=noise.gumbel_sv, weight_s=weight_s)
        contrastive, contrastive_accuracy = contrastive_loss(
            self.final_proj(hidden(tap_btd)).view(batch, masked, -1),
            self.project_q(quantized.vectors_se).view(batch, masked, -1),
            quantized.codes_s.view(batch, masked),
            noise.negatives_bmk,
            temperature=self.terms.contrastive.temperature,
            weight_s=weight_s,
        )
        scores_sv = at_least_float32(self.mlm_proj(hidden(last_btd)))
        codes = scores_sv.shape[1]
        return {
            "contrastive": contrastive,
            "contrastive_accuracy": contrastive_accuracy,
            "mlm": mean_of_hidden(functional.cross_entropy(scores_sv, quantized.codes_s, reduction="none"), weight_s),
            "mlm_accuracy": mean_of_hidden(
                (scores_sv.argmax(dim=1) == quantized.codes_s).to(scores_sv.dtype), weight_s
            ),
            "diversity": (codes - quantized.prob_perplexity) / codes,
            "code_perplexity": quantized.code_perplexity,
            "prob_perplexity": quantized.prob_perplexity,
        }

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """A collapsed codebook."""
        perplexity, floor = row["code_perplexity"], self.perplexity_floor
        collapse = None
        if math.isfinite(row["loss"]) and perplexity < floor:  # codes of a broken batch mean nothing
            collapse = (
                f"code perplexity {perplexity:.2f} is under {floor:g}: the codebook has collapsed; raise the weight of"
                " `objective.diversity` or the start of `quantizer.temperature`, or lower `lr`"
            )
        return {"codebook_collapse": collapse}
