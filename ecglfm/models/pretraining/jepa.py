"""Joint-embedding prediction (I-JEPA, arXiv:2301.08243; on ECGs arXiv:2410.08559 and arXiv:2410.13867).

The encoder sees some patches, a predictor says of the others what the target makes of them: a moving average of the
encoder, which sees all. What is compared are the target's frames, each brought to mean 0 and deviation 1. The target is
the encoder that is written in the end, as I-JEPA and arXiv:2410.13867 evaluate it.

Shapes: b batch, t frames, v seen patches, h hidden ones, d width.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ecglfm.config import JepaConfig, PretrainConfig
from ecglfm.models.encoders import PatchEncoder
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
_DISTANCES = {"l1": functional.l1_loss, "smooth_l1": functional.smooth_l1_loss, "l2": functional.mse_loss}


class Jepa(PatchObjective):
    """The encoder, its moving average, and a predictor of what that makes of hidden patches.

    Parameters
    ----------
    encoder : PatchEncoder
        Wrapped, not copied.
    config : PretrainConfig
        Of `objective: {kind: jepa}`.

    Raises
    ------
    UserError
        As `PatchObjective`.
    """

    columns: ClassVar[tuple[str, ...]] = ("explained", "spread", "momentum")

    def __init__(self, encoder: PatchEncoder, config: PretrainConfig) -> None:
        assert isinstance(config.objective, JepaConfig)
        super().__init__(encoder, config, config.objective.hidden)
        self.objective = config.objective
        self.target = averaged(encoder)
        self.predictor = Predictor(encoder, config.objective.predictor, encoder.dim)
        self.updates: Tensor  # since the target was the encoder
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @property
    def exported(self) -> PatchEncoder:
        """The target."""
        return self.target

    def train(self, mode: bool = True) -> Jepa:
        """As `nn.Module.train`; the target is always in evaluation mode."""
        super().train(mode)
        self.target.eval()
        return self

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: list[Places]) -> Iterator[Places]:
        """Let the target follow the last update, and see `Objective.draw`."""
        if self.training:
            self._follow()
        yield from super().draw(batches, seed, prepared)

    @torch.no_grad()
    def _follow(self) -> None:
        share = (1 - self._momentum()).float()
        values = dict(self.encoder.named_parameters())
        for name, average in self.target.named_buffers():
            if name in values:
                average.lerp_(values[name].to(average.dtype), share.to(average.dtype))
        self.updates += 1

    def _momentum(self) -> Tensor:
        """Share of the target that an update leaves, where the model lies."""
        start, end, updates = self.objective.momentum
        return start + (end - start) * (self.updates.double() / updates).clamp(max=1)

    def forward(self, x: Tensor, *, step: int, noise: Places, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Loss of one batch.

        Parameters
        ----------
        x : Tensor of float, shape (2 pairs, leads, samples)
            Millivolts.
        step : int
            Has no part in it: the momentum goes by how often the target has followed.
        noise : Places
        mask : Tensor of bool, shape (2 pairs, samples), optional

        Returns
        -------
        dict of str to Tensor of shape ()
            `loss`, the distance; `explained` and `spread`, of the target's embeddings, see `patch_objective`;
            `momentum`, of the next update.
        """
        del step
        with torch.no_grad():
            frames_btd, mask_bt = self.target.encode(x, mask)
            frames_btd = at_least_float32(frames_btd)
            target_bhd = functional.layer_norm(at(frames_btd, noise.hidden_bh), frames_btd.shape[-1:])
            spread = embedding_spread(self.target.pool(frames_btd, mask_bt))
        seen_bvd = self.encoder.encode_some(x, noise.seen_bv, mask, noise.real_seen_bv)
        predicted_bhd = at_least_float32(self.predictor(seen_bvd, noise, self.encoder.grid(x.shape[2])))
        distance_bh = _DISTANCES[self.objective.distance](predicted_bhd, target_bhd, reduction="none").mean(dim=-1)
        return {
            "loss": mean_of_places(distance_bh, noise.real_hidden_bh),
            "explained": explained(predicted_bhd, target_bhd, noise.real_hidden_bh),
            "spread": spread,
            "momentum": self._momentum().float(),
        }

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Embeddings that are the same for every record: easy to predict, and good for nothing."""
        collapse = None
        if math.isfinite(row["loss"]) and row["spread"] < _COLLAPSED:
            collapse = (
                f"the target gives nearly every recording the same embedding (spread {row['spread']:.1e}): it has"
                " collapsed; raise `objective.momentum`, lower `lr` or hide more (`objective.hidden.share`)"
            )
        return {"embedding_collapse": collapse}


def averaged(encoder: PatchEncoder) -> PatchEncoder:
    """A copy whose weights are buffers, by the same names: they are saved, and no optimizer has them."""
    target = copy.deepcopy(encoder).eval()
    for module in target.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach())
    return target
