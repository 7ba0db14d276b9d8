"""What a user may say about the leaderboard."""

from __future__ import annotations

from pydantic import Field

from ecglfm.config.base import Name, Section

#: Encoders of this project by the names that AI4Health's benchmark has for the same weights.
_PUBLISHED = {
    "ecgfounder": "ECGFounder",
    "ecg-jepa": "ECG-JEPA",
    "st-mem": "ST-MEM",
    "merl-resnet": "MERL",
    "hubert-ecg-base": "HuBERT-ECG",
    "ecg-fm": "ECG-FM",
    "ecg-cpc-released": "ECG-CPC",
    "s4": "S4",
}


class LeaderboardConfig(Section):
    """Encoders, tasks and modes of the project on one page."""

    published: dict[Name, str] = Field(
        _PUBLISHED, description="encoder: model of that benchmark whose published numbers stand beside its own"
    )


class LeaderboardSlice(Section):
    """`config/leaderboard.yaml`."""

    leaderboard: LeaderboardConfig = Field(description="the section")
    weights: dict[str, str] = Field(description="encoder: where its weights come from")
