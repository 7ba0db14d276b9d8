"""What is compared: fits of one encoder under one setting, over all seeds."""

from __future__ import annotations

from ecglfm.evaluation.comparison.contenders import setting_of


def test_names_without_seed() -> None:
    assert [setting_of(fit) for fit in ("full-s0", "linear-s12-10pct")] == ["full", "linear-10pct"]
