"""An objective of a stranger's: some frames are blanked, and the last layer says what the front end had there.

Two classes, as `ecglfm.models.pretraining.objective` asks for; and the line by which a config would know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ecglfm import distributed
from ecglfm.config import EncoderConfig, EncoderSlice, MaskedCodesConfig, ObjectiveKind, PretrainConfig
from ecglfm.config.base import usual_kind
from ecglfm.models.encoders import Encoder
from ecglfm.models.pretraining import Objective
from ecglfm.models.pretraining.random import record_keys, uniform


class ToyConfig(ObjectiveKind):
    """What a user may say about it."""

    computed_by: ClassVar[str] = "tests.unit.training.pretraining.toy_objective:Toy"

    kind: Literal["toy"] = Field(description="blanked frames are filled in")
    share: float = Field(0.5, description="frames that are blanked")


class Toy(Objective):
    """Mean squared error of the blanked frames; and a teacher that follows the head, as a state without gradients."""

    columns: ClassVar[tuple[str, ...]] = ("error", "blanked", "teacher")

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        super().__init__(encoder, config)
        assert isinstance(config.objective, ToyConfig)
        self.share = config.objective.share
        self.head = nn.Linear(encoder.dim, self.encoder.config.conv_channels)
        self.teacher: Tensor
        self.register_buffer("teacher", torch.zeros(encoder.dim))

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: None) -> Iterator[Tensor]:
        """Frames that are blanked, a tensor of bool, shape (2 pairs, frames)."""
        if self.training:
            self.teacher.lerp_(self.head.weight.detach().mean(dim=0), 0.1)
        for forward, batch in enumerate(batches):
            records, samples = batch["signal"].shape[:2]
            keys_b = record_keys(seed, (forward * distributed.world_size() + distributed.rank()) * records, records)
            yield (uniform(keys_b, self.encoder.frames(samples)) < self.share).to(self.head.weight.device)

    def forward(self, x: Tensor, *, step: int, noise: Any, mask: Tensor | None = None) -> dict[str, Tensor]:
        """See `Objective.forward`."""
        features = self.encoder.features(x, mask)
        x_btd = self.encoder.frontend.project(features.normed_btc).masked_fill(noise[..., None], 0.0)
        found_btc = self.head(self.encoder.context(x_btd, features.mask_bt)[-1])
        error = (found_btc - features.normed_btc.detach())[noise].square().mean()
        return {
            "loss": error, "error": error.detach(), "blanked": noise.float().mean(), "teacher": self.teacher.abs().sum()
        }  # fmt: skip

    def warnings(self, row: Mapping[str, float]) -> dict[str, str | None]:
        """Too much was blanked."""
        return {"all_blank": "nearly all is blank: lower `objective.share`" if row["blanked"] > 0.9 else None}


class KnowsToy(PretrainConfig):
    """As it would be with the toy's name in `ecglfm.config.encoders.objective.ObjectiveConfig`."""

    objective: Annotated[MaskedCodesConfig | ToyConfig, Field(discriminator="kind"), usual_kind("masked_codes")] = (
        Field(MaskedCodesConfig(), description="what is learnt")
    )  # type: ignore[assignment]


class KnowsToyEncoder(EncoderConfig):
    """An encoder whose pretraining knows it."""

    pretrain: KnowsToy | None = None


class KnowsToySlice(EncoderSlice):
    """What its job is told."""

    config: KnowsToyEncoder
