"""What a pretraining's objective of every kind says of itself.

The kinds themselves are in `ecglfm.config.encoders.objective`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from ecglfm.config.base import Section
from ecglfm.config.encoders.encoder_kind import Architecture, ContextConfig

Pairs = Literal["patient", "recording"]


class ObjectiveKind(Section):
    """What objectives of every kind have."""

    #: Who computes it, an `ecglfm.models.pretraining.Objective`: `module:class`.
    computed_by: ClassVar[str]
    #: Which of `PretrainConfig.OBJECTIVES` it reads.
    reads: ClassVar[frozenset[str]] = frozenset()
    #: Whether it keeps a moving average of the encoder, which then is the encoder that is written.
    averages: ClassVar[bool] = False
    #: Whether it reads the recordings' reports, and brings recordings and texts into one space: then zero-shot works.
    aligns: ClassVar[bool] = False

    kind: str

    @property
    def pairs(self) -> Pairs:
        """What the two crops of a pair are taken from; see `CmscConfig.pairs`."""
        return "patient"

    def misfit(self, model: Architecture) -> str | None:
        """Why an encoder of this architecture cannot be trained so, with the key that says so; None: it can."""
        if isinstance(model, ContextConfig):
            return None
        return (
            f"pretrain.objective.kind: {self.kind} is about frames of a front end, and `model.kind: {model.kind}` has"
            " none; for patches there are `jepa` and `mae`"
        )
