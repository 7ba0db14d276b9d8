"""Masked autoencoder (arXiv:2111.06377) on ECGs, as ST-MEM (arXiv:2402.09450): the samples of hidden patches.

The encoder sees some patches; a light decoder, which is thrown away, fills in the samples of the others.

Shapes: b batch, v seen patches, h hidden ones, s samples of a patch, d width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.config import MaeConfig, PretrainConfig
from ecglfm.models.encoders import PatchEncoder, mean_over_frames
from ecglfm.models.layers import at_least_float32
from ecglfm.models.pretraining.blocks import Places
from ecglfm.models.pretraining.patch_objective import (
    PatchObjective,
    Predictor,
    at,
    embedding_spread,
    explained,
    mean_of_places,
)

_COLLAPSED = (
    1e-4  # share of the embeddings' mean square; of new weights it is 2e-3 in millivolts, 5e-2 of normalised records
)
_FLAT = 1e-6  # mV^2, or what the encoder makes of mV: of less a patch has no form


class Mae(PatchObjective):
    """The encoder, and a decoder of the samples of hidden patches.

    Parameters
    ----------
    encoder : PatchEncoder
        Wrapped, not copied.
    config : PretrainConfig
        Of `objective: {kind: mae}`.

    Raises
    ------
    UserError
        As `PatchObjective`.
    """

    columns: ClassVar[tuple[str, ...]] = ("explained", "spread")

    def __init__(self, encoder: PatchEncoder, config: PretrainConfig) -> None:
        assert isinstance(config.objective, MaeConfig)
        super().__init__(encoder, config, config.objective.hidden)
        self.normalize = config.objective.normalize
        samples = encoder.patches(torch.zeros(1, len(encoder.leads), encoder.crop_samples)).shape[2]
        self.decoder = Predictor(encoder, config.objective.decoder, samples)

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
            `loss`, mean squared error, mV^2 unless the encoder or `normalize` scales them; `explained` and `spread`, of
            embeddings of what is seen, see `patch_objective`.
        """
        del step
        target_bhs = at_least_float32(at(self.encoder.patches(x, mask), noise.hidden_bh))
        if self.normalize:
            target_bhs = functional.layer_norm(target_bhs, target_bhs.shape[-1:], eps=_FLAT)
        seen_bvd = self.encoder.encode_some(x, noise.seen_bv, mask, noise.real_seen_bv)
        filled_bhs = at_least_float32(self.decoder(seen_bvd, noise, self.encoder.grid(x.shape[2])))
        return {
            "loss": mean_of_places((filled_bhs - target_bhs).square().mean(dim=-1), noise.real_hidden_bh),
            "explained": explained(filled_bhs, target_bhs, noise.real_hidden_bh),
            "spread": embedding_spread(mean_over_frames(at_least_float32(seen_bvd), noise.real_seen_bv)),
        }

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Embeddings that are the same for every record: what is filled in is the same for all."""
        collapse = None
        if math.isfinite(row["loss"]) and row["spread"] < _COLLAPSED:
            collapse = (
                f"the encoder gives nearly every recording the same embedding (spread {row['spread']:.1e}): what is"
                " filled in is the same for all; lower `lr`, or hide less (`objective.hidden.share`)"
            )
        return {"embedding_collapse": collapse}
