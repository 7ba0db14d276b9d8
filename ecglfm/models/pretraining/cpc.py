"""Contrastive predictive coding (arXiv:1807.03748): from what was so far, know the frame that comes some frames later.

The context of a frame, which has seen nothing that comes after it, is projected once for each distance ahead; its
product with the front end's features of the frame that comes there has to stand out among those of other frames of the
recording. Each recording has as many predictions and counts as much as any other, so the mean over ranks is what one
process with the whole batch computes.

Shapes: b batch, t frames, d encoder width, c channels of the front end, m frames from which is predicted, h distances
ahead, k negatives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ecglfm import distributed
from ecglfm.config import CpcConfig, PretrainConfig, UserError
from ecglfm.models.encoders import ECGEncoder, Encoder, Features
from ecglfm.models.layers import at_least_float32, scores
from ecglfm.models.pretraining.objective import Objective
from ecglfm.models.pretraining.random import record_keys, substream, uniform

_ANCHORS, _NEGATIVES = 0, 1  # what a record's numbers are for
_COLLAPSED = 1e-3  # share of the features' mean square; new weights and trained ones have a hundred times more


class Places(NamedTuple):
    """Frames that take part in a step.

    Attributes
    ----------
    anchors_bm : Tensor of int64, shape (batch, anchors)
        From which is predicted.
    negatives_bhmk : Tensor of int64, shape (batch, distances, anchors, negatives)
        Frames of the same record that are not the one to be known.
    """

    anchors_bm: Tensor
    negatives_bhmk: Tensor


class Cpc(Objective[ECGEncoder]):
    """The encoder, and a projection for each distance ahead.

    Parameters
    ----------
    encoder : ECGEncoder
        Wrapped, not copied.
    config : PretrainConfig
        Of `objective: {kind: cpc}`.

    Raises
    ------
    UserError
        The encoder sees what it should predict, or crops are too short for it.
    """

    columns: ClassVar[tuple[str, ...]] = ("accuracy", "spread")

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__(encoder, config)
        assert isinstance(config.objective, CpcConfig)
        self.ahead, self.anchors, self.negatives = (
            config.objective.ahead, config.objective.anchors, config.objective.negatives,
        )  # fmt: skip
        shortest = config.crop_seconds if config.min_seconds is None else config.min_seconds
        frames = encoder.frames(round(shortest * encoder.sampling_rate))
        if frames <= max(self.ahead) + 1:
            raise UserError(
                f"pretrain.objective.ahead: {max(self.ahead)}: a crop of {shortest:g} s has {frames} frames; write"
                " less, or raise pretrain.crop_seconds (min_seconds)"
            )
        channels = self.encoder.frontend.channels
        self.projections = nn.ModuleList(nn.Linear(encoder.dim, channels, bias=False) for _ in self.ahead)

    def prepare(self, batches: Sequence[Mapping[str, Tensor]], seed: int) -> list[Places]:
        """Frames of each forward's records, each record's own, by its place in the update."""
        prepared = []
        for forward, batch in enumerate(batches):
            records, samples = batch["signal"].shape[:2]
            keys_b = record_keys(seed, (forward * distributed.world_size() + distributed.rank()) * records, records)
            lengths_b = torch.full((records,), self.encoder.frames(samples))
            if "valid" in batch:
                lengths_b = torch.tensor([self.encoder.frames(valid) for valid in batch["valid"].tolist()])
            places = self.places(keys_b, lengths_b)
            prepared.append(Places(*map(Tensor.pin_memory, places)) if self._device.type == "cuda" else places)
        return prepared

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: list[Places]) -> Iterator[Places]:
        """The same where the model lies; see `Objective.draw`."""
        for places in prepared:
            yield Places(*(part.to(self._device, non_blocking=True) for part in places))

    @property
    def _device(self) -> torch.device:
        return next(self.projections.parameters()).device

    def places(self, keys_b: Tensor, lengths_b: Tensor) -> Places:
        """Frames, uniformly and with replacement, of records with so many real ones."""
        batch, heads = len(keys_b), len(self.ahead)
        anchors_bm = _below(lengths_b - max(self.ahead), uniform(substream(keys_b, _ANCHORS), self.anchors))
        drawn = uniform(substream(keys_b, _NEGATIVES), heads * self.anchors * self.negatives)
        others_bhmk = _below(lengths_b - 1, drawn).view(batch, heads, self.anchors, self.negatives)
        return Places(anchors_bm, others_bhmk + (others_bhmk >= self._targets(anchors_bm)[..., None]))

    def _targets(self, anchors_bm: Tensor) -> Tensor:
        """Frames to be known, (batch, distances, anchors)."""
        return torch.stack([anchors_bm + ahead for ahead in self.ahead], 1)

    def forward(self, x: Tensor, *, step: int, noise: Places, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Loss of one batch.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts.
        step : int
            Has no part in it.
        noise : Places
        mask : Tensor of bool, shape (2 pairs, samples), optional

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss`, nats; `accuracy`, share of predictions that are nearer to their frame than to each negative;
            `spread`, see `feature_spread`.
        """
        del step
        features = self.encoder.features(x, mask)
        frames_btd = self.encoder.context(self.encoder.frontend.project(features.normed_btc), features.mask_bt)[-1]
        places_bmd = noise.anchors_bm[..., None].expand(-1, -1, frames_btd.shape[2])
        logits = contrast(
            torch.stack([project(frames_btd.gather(1, places_bmd)) for project in self.projections], 1),
            features.normed_btc,
            torch.cat([self._targets(noise.anchors_bm)[..., None], noise.negatives_bhmk], -1),
        )
        accuracy = (logits[..., :1] > logits[..., 1:]).all(-1).float().mean()
        loss = (logits.logsumexp(-1) - logits[..., 0]).mean()
        return {"loss": loss, "accuracy": accuracy, "spread": feature_spread(features).detach()}

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Features that are the same in every frame: nothing to predict."""
        collapse = None
        if math.isfinite(row["loss"]) and row["spread"] < _COLLAPSED:
            collapse = (
                f"the front end gives nearly every frame of a recording the same features (spread {row['spread']:.1e}):"
                " there is nothing to predict; lower `lr`"
            )
        return {"feature_collapse": collapse}


def _below(limits_b: Tensor, uniform_bn: Tensor) -> Tensor:
    """Integers from 0 to each record's limit, which is not reached."""
    limits_b1 = limits_b[:, None]
    return torch.minimum((uniform_bn * limits_b1).long(), limits_b1 - 1)  # float32 may round up to the limit


def contrast(predicted_bhmc: Tensor, features_btc: Tensor, candidates_bhmk: Tensor) -> Tensor:
    """Products of each prediction with its candidates' features (arXiv:1807.03748, eq. 3), in float32.

    Parameters
    ----------
    predicted_bhmc : Tensor, shape (batch, distances, anchors, channels)
    features_btc : Tensor, shape (batch, frames, channels)
    candidates_bhmk : Tensor of int64, shape (batch, distances, anchors, candidates)
        Frames.

    Returns
    -------
    Tensor, shape (batch, distances, anchors, candidates)
    """
    products_bhmt = scores(
        predicted_bhmc, features_btc.transpose(1, 2)[:, None]
    )  # every prediction with every frame, once
    return products_bhmt.gather(3, candidates_bhmk)


def feature_spread(features: Features) -> Tensor:
    """Share of the features' mean square that differs from frame to frame of a record, mean over records: 0 to 1."""
    x_btc = at_least_float32(features.normed_btc)
    real_bt1 = torch.ones_like(x_btc[..., :1]) if features.mask_bt is None else features.mask_bt[..., None].to(x_btc)
    count_b11 = real_bt1.sum(1, keepdim=True).clamp(min=1)
    centred = (x_btc - (x_btc * real_bt1).sum(1, keepdim=True) / count_b11) * real_bt1
    squares_b = (x_btc * real_bt1).square().sum((1, 2))
    return (centred.square().sum((1, 2)) / squares_b.clamp(min=1e-30)).mean()
