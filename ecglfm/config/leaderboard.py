"""What a user may say about the leaderboard."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ecglfm.config.base import Name, Section
from ecglfm.config.encoders import EncoderConfig

#: Models of AI4Health's benchmark.
Published = Literal[
    "ECG-CPC", "ECG-FM", "ECG-JEPA", "ECGFM-KED", "ECGFounder", "HuBERT-ECG", "MERL", "Net1D", "S4", "ST-MEM"
]

#: Encoders of this project by the names that AI4Health's benchmark has for the same weights.
_PUBLISHED: dict[str, Published | None] = {
    "ecgfounder": "ECGFounder",
    "ecg-jepa": "ECG-JEPA",
    "st-mem": "ST-MEM",
    "merl-resnet": "MERL",
    "hubert-ecg-base": "HuBERT-ECG",
    "ecg-fm": "ECG-FM",
    "ecg-cpc-released": "ECG-CPC",
    "s4": "S4",
}

_WINDOWS: dict[str, float | None] = {
    "st-mem": 2.4,
    "ecg-fm": 5.0,
    "ecg-jepa": 10.0,
    "hubert-ecg-small": None,
    "hubert-ecg-base": None,
    "hubert-ecg-large": None,
}
#: Length of its windows, s.
_SECONDS = 2.5


class LeaderboardConfig(Section):
    """Encoders, tasks and modes of the project on one page."""

    protocol: Literal["contract", "ai4health"] = Field(
        "contract",
        description="how input is made for encoders that say it (`input`): as they say; or, in all fits of the "
        "project, as AI4Health's benchmark (arXiv:2509.25095) made it: their leads and rate, raw millivolts, "
        "short windows. Give it a `results` folder of its own",
    )
    windows: dict[Name, Annotated[float, Field(gt=0)] | None] = Field(
        _WINDOWS,
        description="`ai4health`: length of an encoder's windows, s; null: all as its `input` says, as HuBERT-ECG had "
        f"it there; {_SECONDS:g} of an encoder that is not named. What is given is laid over these",
    )
    published: dict[Name, Published | None] = Field(
        _PUBLISHED,
        description="encoder: model of that benchmark whose published numbers stand beside its own; null: none. What "
        "is given is laid over these",
    )

    @field_validator("windows", "published", mode="before")
    @classmethod
    def _over_the_benchmarks(cls, value: Any, info: ValidationInfo) -> Any:
        """Naming one encoder more leaves the others what they are."""
        return cls.model_fields[str(info.field_name)].default | value if isinstance(value, dict) else value

    def given(self, name: str, encoder: EncoderConfig) -> EncoderConfig:
        """An encoder with its input as `protocol` has it made; one that is trained further keeps its own.

        Raises as `InputConfig.raw`.
        """
        seconds = self.windows.get(name, _SECONDS)
        if self.protocol == "contract" or encoder.input is None or encoder.pretrain is not None or seconds is None:
            return encoder
        raw = encoder.input.raw(seconds, f"leaderboard.windows.{name}: windows of {seconds:g} s")
        return encoder.model_copy(update={"input": raw})


class LeaderboardSlice(Section):
    """`config/leaderboard.yaml`."""

    leaderboard: LeaderboardConfig = Field(description="the section")
    weights: dict[str, str] = Field(description="encoder: where its weights come from")
