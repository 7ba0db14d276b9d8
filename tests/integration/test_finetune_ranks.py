"""A fine-tuning on two ranks, of which one is sent a signal within an epoch, goes on to the bits of an undisturbed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.ranks import run_one_and_two
from tests.unit.training.finetuning.test_finetune import make_data, make_encoder

pytestmark = pytest.mark.slow


def test_both_stop_and_go_on(tmp_path: Path) -> None:
    make_data(tmp_path)
    make_encoder(tmp_path / "encoder")
    # Six batches an epoch and 16 of validation, a look at the flag after or before each: batch 3 of epoch 2.
    plan = [("calm", 0), ("stopped", 6 + 16 + 2), ("stopped", 0)]
    run_one_and_two("finetune_ranks.py", [[], plan], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("stopped-*")) == ["stopped-0", "stopped-1"]
    log = (tmp_path / "ranks/log-2-0.txt").read_text()
    for name in ("model.safetensors", "model.json", "seen.safetensors", "history.csv"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), log[-2000:]
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == [
        "history.csv", "model.json", "model.safetensors", "seen.safetensors",
    ]  # fmt: skip
