"""Which of several configs a mistake is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config.origin import Origin

OVER = Origin(
    Path("config.yaml"),
    [
        ("more.yaml", {"finetune": {"lr": 1e-3}, "tasks": ["a"]}),
        ("--config", {"finetune": {"lr": "high"}, "tasks": []}),
    ],
)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        (("finetune", "lr"), "--config"),  # of two the later one won
        (("finetune", "epochs"), "--config"),  # as deep in both
        (("tasks", 0), "--config"),
        (("sources",), "config.yaml"),
        ((), "config.yaml with more.yaml with --config"),
    ],
)
def test_the_file_that_won_is_named(location: tuple[str | int, ...], named: str) -> None:
    assert OVER.of(*location) == named


def test_the_deeper_key_wins_over_the_later_file() -> None:
    origin = Origin(Path("config.yaml"), [("deep", {"a": {"b": {"c": 1}}}), ("late", {"a": {}})])
    assert origin.of("a", "b", "c") == "deep"
    assert Origin(Path("config.yaml")).of("a") == "config.yaml"
