"""Processes that we start ourselves."""

from __future__ import annotations

import pytest

from ecglfm.training.launcher import launch


def test_the_status_is_that_of_a_failing_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert launch(["pretrain", "--no-such-option"], 2) == 2  # argparse's, from both
