"""The switch to AI4Health's protocol: whose input it changes, and to what."""

from __future__ import annotations

import pytest

from ecglfm.config import EncoderConfig, LeaderboardConfig, UserError, parse
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
    with pytest.raises(UserError, match="windows of 0.1234 s: .* are no whole number"):
        config.given("e", own("ecg-cpc"))
