"""Two ranks on one machine, disturbed: the rerun goes on from the last whole checkpoint, as if nothing had been."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.slurm.training import Training, check_resumed, check_whole, prepare

pytestmark = pytest.mark.slow

STEPS, EVERY = 60, 10


@pytest.fixture(scope="module")
def ready(with_manifest, tmp_path_factory):
    """A clone with its manifest, where two ranks train."""
    return prepare(with_manifest, tmp_path_factory.mktemp("faults") / "clone", STEPS, EVERY, processes=2)


@pytest.fixture
def training(ready):
    """A training that has not begun."""
    made = Training(ready, {})
    yield made
    made.close()


def start(training: Training):
    """Train, with our own launcher."""
    return training.start("bash", "-c", f"exec {training.command()}")


@pytest.fixture(scope="module")
def undisturbed(ready):
    """Weights and history of a training that nothing disturbed."""
    training = Training(ready, {})
    training.finish(start(training))
    return training.weights(), training.history()


def test_torchrun_starts_the_same_training(training, undisturbed):
    torchrun = "-m torch.distributed.run --standalone --nproc-per-node 2 -m -- ecglfm"
    started = training.start("bash", "-c", "exec " + training.command().replace("-m ecglfm", torchrun, 1))
    training.finish(started)
    check_whole(training, *undisturbed)


def test_killed_rank(training, undisturbed):
    process = start(training)
    training.reach(2 * EVERY)
    training.pause()
    victim = next(
        pid for pid in training.ranks() if b"RANK=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    )
    os.kill(victim, signal.SIGKILL)
    training.resume()
    training.finish(process, status=1)
    assert training.ranks() == []
    before, good = training.history(), training.whole()[-1]
    assert 2 * EVERY <= good < STEPS
    training.finish(start(training))
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)
