"""What the commands that train do when they are asked to end."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.cli import training
from ecglfm.training.checkpoints.lock import Lock


@pytest.fixture
def handler() -> Iterator[None]:
    """SIGTERM's handler is pytest's again afterwards."""
    known = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, known)


@pytest.mark.usefixtures("handler")
def test_a_finetuning_that_is_asked_to_end_gives_its_lock_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoints.lock"

    def run(*_: object, **__: object) -> None:
        lock = Lock(path)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            lock.release()

    monkeypatch.setattr("ecglfm.config.load", lambda *_: None)
    monkeypatch.setattr("ecglfm.training.finetuning.run_finetune", run)
    names = (
        "config",
        "task",
        "fit",
        "encoder",
        "labels",
        "manifest",
        "signals",
        "output",
        "features",
        "tracking",
        "rule",
    )
    with pytest.raises(SystemExit) as ended:
        training._finetune(argparse.Namespace(threads=1, **dict.fromkeys(names)))
    assert ended.value.code == 143
    assert path.read_text() == ""
