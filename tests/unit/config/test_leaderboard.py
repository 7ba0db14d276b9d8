"""The switch to AI4Health's protocol: whose input it changes, and to what."""

from __future__ import annotations

from typing import get_args

import pytest

from ecglfm.config import EncoderConfig, LeaderboardConfig, UserError, parse
from ecglfm.config.leaderboard import Published
from ecglfm.evaluation.leaderboard.published import published
from ecglfm.models.importers.contracts import CONTRACTS
from tests.unit.architectures import small


def own(method: str, **more: object) -> EncoderConfig:
    content = {"model": small("conformer").model_dump(), "weights": "import", "path": "e", "input": CONTRACTS[method]}
    return parse(EncoderConfig, content | more, method)


def test_windows_are_those_of_the_benchmark() -> None:
    config = LeaderboardConfig(protocol="ai4health")
    found = {name: config.given(name, own(method)).input for name, method in (
        ("ecgfounder", "ecg-founder"), ("st-mem", "st-mem"), ("ecg-fm", "ecg-fm"), ("ecg-jepa", "ecg-jepa"),
        ("merl-resnet", "merl-resnet"), ("ecg-cpc-released", "ecg-cpc"),
    )}  # fmt: skip
    assert {name: one.window_seconds for name, one in found.items()} == {
        "ecgfounder": 2.5, "st-mem": 2.4, "ecg-fm": 5.0, "ecg-jepa": 10.0, "merl-resnet": 2.5, "ecg-cpc-released": 2.5
    }  # fmt: skip
    assert all(one.millivolts and not one.window for one in found.values())
    assert all([step.step for step in one.record] == ["resample"] for one in found.values())
    hubert = own("hubert-ecg")
    assert config.given("hubert-ecg-base", hubert) == hubert  # whose filters that benchmark kept
    without = own("ecg-fm", input=None)
    assert config.given("s4", without) == without
    further = own("ecg-fm", pretrain={"steps": 1, "crop_seconds": 5.0})
    assert config.given("ecg-fm", further) == further


def test_by_contract_nothing_changes() -> None:
    assert LeaderboardConfig().given("ecgfounder", own("ecg-founder")) == own("ecg-founder")


def test_windows_of_no_whole_number_of_samples_are_refused() -> None:
    config = LeaderboardConfig(protocol="ai4health", windows={"e": 0.1234})
    with pytest.raises(UserError, match="leaderboard.windows.e: windows of 0.1234 s: .* are no whole number"):
        config.given("e", own("ecg-cpc"))


def test_one_encoder_more_leaves_the_others_what_they_are() -> None:
    content = {
        "protocol": "ai4health",
        "windows": {"mine": 5.0, "st-mem": 3.0},
        "published": {"mine": "S4", "s4": None},
    }
    config = parse(LeaderboardConfig, content, "c")
    hubert = own("hubert-ecg")
    assert config.given("hubert-ecg-base", hubert) == hubert
    assert {name: config.windows[name] for name in ("mine", "st-mem", "ecg-fm")} == {
        "mine": 5.0, "st-mem": 3.0, "ecg-fm": 5.0
    }  # fmt: skip
    assert [config.published[name] for name in ("mine", "s4", "ecg-fm")] == ["S4", None, "ECG-FM"]
    assert "mine" not in LeaderboardConfig().windows


def test_the_models_of_the_benchmark_are_known() -> None:
    assert set(get_args(Published)) == {model for _, model, _ in published()}
    with pytest.raises(UserError, match="published.e: .*'ECGFonder'"):
        parse(LeaderboardConfig, {"published": {"e": "ECGFonder"}}, "c")
