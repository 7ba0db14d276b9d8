"""Hand-made numbers of the signal as what is learnt: of a recording's embedding, its statistics and its mean beat.

Of speech PASE (arXiv:1904.03416) does so, of pictures MaskFeat (arXiv:2112.09133): what an expert computes of a signal
costs no label. The targets are the numbers of `model.kind: statistics` and the mean beat of every lead, of the segment
as the encoder is shown it, so changes of segments (`augment`) give signals without end to learn them on: without, 1,500
updates of a small transformer on 220 recordings knew 0.88 of these recordings' variance, and half of that of new ones.
Each recording counts as much as any other, so the mean over ranks is what one process with the whole batch computes.

Shapes: b batch, l leads, d width of an embedding, s statistics, k samples of a beat, of all leads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecglfm.config import PretrainConfig, StatisticsConfig, UserError
from ecglfm.models.encoders import Encoder, StatisticsEncoder
from ecglfm.models.layers import at_least_float32
from ecglfm.models.pretraining.objective import Objective
from ecglfm.models.pretraining.patch_objective import embedding_spread, explained

_BEAT = 0.2  # mV, about the deviation of a sample of the mean beat in PTB-XL: errors are told in it
_COLLAPSED = 1e-6  # share of the embeddings' mean square; of new weights it may be 1e-4, of trained ones it is 0.5


class SignalStatistics(Objective):
    """The encoder, and linear maps of its embeddings to the statistics and to the mean beat.

    Parameters
    ----------
    encoder : ECGEncoder or PatchEncoder
        Wrapped, not copied.
    config : PretrainConfig
        Of `objective: {kind: statistics}`.

    Raises
    ------
    UserError
        What the encoder reads is not in mV, or at too low a rate; or crops may be too short for statistics.
    """

    columns: ClassVar[tuple[str, ...]] = ("explained", "explained_beat", "spread")

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__(encoder, config)
        if encoder.input is not None and not encoder.input.millivolts:
            raise UserError(
                "pretrain.objective.kind: statistics are of millivolts, and what the steps of `input` give this encoder"
                " is no longer in mV; leave out the step that scales, or take another objective"
            )
        self.statistics = StatisticsEncoder(
            StatisticsConfig(kind="statistics"), encoder.leads, encoder.sampling_rate, encoder.preprocess,
            encoder.crop_seconds,
        )  # fmt: skip
        key = "crop_seconds" if config.min_seconds is None else "min_seconds"
        shortest, least = getattr(config, key), self.statistics.window_seconds
        if self.statistics.too_short(round(shortest * encoder.sampling_rate)):
            raise UserError(f"pretrain.{key}: {shortest:g} s: statistics need {least:g} s; write more")
        self.tell = nn.Linear(encoder.embedding_dim, self.statistics.dim)
        self.tell_beat = nn.Linear(encoder.embedding_dim, len(encoder.leads) * self.statistics.beat_samples())

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: Any) -> Iterator[None]:
        """Nothing: there is nothing random."""
        yield from (None for _ in batches)

    def forward(self, x: Tensor, *, step: int, noise: None = None, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Loss of one batch.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts.
        step : int
            Has no part in it.
        noise : None
        mask : Tensor of bool, shape (2 pairs, samples), optional

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss`, that of the statistics and that of the beat: half the squared error of what is off by less than a
            deviation, and the absolute error, less a half, of what is off by more (Huber), means over numbers;
            `explained` and `explained_beat`, the share of their variances that is told, and `spread`, of embeddings,
            see `patch_objective`.
        """
        del step, noise
        with torch.no_grad():
            target_bs, beat_blk = self.statistics.describe(x, mask)
            beat_bk = beat_blk.flatten(1) / _BEAT
        vectors_bd = self.encoder.embed(x, mask)
        told_bs, beat_told_bk = at_least_float32(self.tell(vectors_bd)), at_least_float32(self.tell_beat(vectors_bd))
        return {
            "loss": functional.smooth_l1_loss(told_bs, target_bs) + functional.smooth_l1_loss(beat_told_bk, beat_bk),
            "explained": explained(told_bs[None], target_bs[None], None),
            "explained_beat": explained(beat_told_bk[None], beat_bk[None], None),
            "spread": embedding_spread(vectors_bd),
        }

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Embeddings that are the same for every record: what is told is the same for all."""
        collapse = None
        if math.isfinite(row["loss"]) and row["spread"] < _COLLAPSED:
            collapse = (
                f"the encoder gives nearly every recording the same embedding (spread {row['spread']:.1e}): what is"
                " told is the same for all; lower `lr`"
            )
        return {"embedding_collapse": collapse}
