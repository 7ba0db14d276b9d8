"""What happens when in a training: the learning rate (`schedule:`), and when its state is saved."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Section


class ScheduleConfig(Section):
    """Learning rate of each update, as a share of `lr`; after a linear warm-up it follows `kind`."""

    kind: Literal["constant", "cosine", "tri_stage"] = Field(
        "constant",
        description="constant; cosine: half a cosine down to `final`; tri_stage: `hold`, then `decay` to `final`",
    )
    warmup: float = Field(0.0, ge=0, description="updates of linear warm-up; below 1 a share of all updates")
    start: float = Field(0.0, ge=0, le=1, description="share of `lr` at which the warm-up begins")
    hold: float = Field(
        0.0, ge=0, description="`tri_stage` only: updates at `lr` after the warm-up; below 1 a share of all updates"
    )
    decay: Literal["exponential", "linear"] = Field("exponential", description="`tri_stage` only: form of the decay")
    final: float = Field(0.01, ge=0, le=1, description="`cosine` and `tri_stage`: share of `lr` in the last update")

    @field_validator("warmup", "hold")
    @classmethod
    def _updates_or_share(cls, value: float) -> float:
        if value >= 1 and not value.is_integer():
            raise ValueError(f"{value} is neither a whole number of updates nor a share below 1")
        return value

    @model_validator(mode="after")
    def _keys_fit_kind(self) -> ScheduleConfig:
        if self.kind != "tri_stage" and self.hold:
            raise ValueError(f"hold belongs to `kind: tri_stage`, not to {self.kind!r}")
        if self.kind == "tri_stage" and self.decay == "exponential" and self.final == 0:
            raise ValueError("an exponential decay never reaches `final: 0`; give say 0.01, or `decay: linear`")
        return self

    @property
    def needs_length(self) -> bool:
        """Whether the rate of an update depends on how many there are in all."""
        return self.kind != "constant" or 0 < self.warmup < 1


class CheckpointEvery(Section):
    """How often training state is saved: one of the two."""

    steps: int | None = Field(None, ge=1, description="every N updates")
    epochs: int | None = Field(None, ge=1, description="every N epochs")

    @model_validator(mode="after")
    def _exactly_one(self) -> CheckpointEvery:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("write one of `steps: N` and `epochs: N`")
        return self
