"""What the commands that train do when they are asked to end."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm import distributed
from ecglfm.cli import training


@pytest.fixture
def handlers() -> Iterator[None]:
    """Handlers of the signals are pytest's again afterwards."""
    known = {number: signal.getsignal(number) for number in distributed.STOP_SIGNALS}
    yield
    for number, handler in known.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_finetuning_that_is_asked_to_end_asks_slurm_for_another_turn(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    asked = []

    def run(*_: object, stop: distributed.StopFlag, **__: object) -> None:
        distributed.end_if(stop)
        os.kill(os.getpid(), number)
        distributed.end_if(stop)
        raise AssertionError("nobody was told")

    monkeypatch.setattr("ecglfm.config.load", lambda *_: None)
    monkeypatch.setattr("ecglfm.training.finetuning.run_finetune", run)
    monkeypatch.setattr(distributed.slurm, "requeue", lambda: asked.append(1))
    names = ("config", "prompts", "fit", "encoder", "labels", "manifest", "signals", "output", "vectors", "tracking")
    assert (
        training._finetune(argparse.Namespace(threads=1, rule=None, task=Path("t.yaml"), **dict.fromkeys(names))) == 75
    )
    assert asked == [1]
