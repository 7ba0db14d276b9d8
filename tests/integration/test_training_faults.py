"""Two ranks on one machine, disturbed: the rerun goes on from the last whole checkpoint, as if nothing had been."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.integration.slurm_training import Training, check_resumed, check_whole, prepare

pytestmark = pytest.mark.slow

STEPS, EVERY = 60, 10


@pytest.fixture(scope="module")
def ready(repository: Path, tmp_path_factory):
    """A clone with its manifest, where two ranks train."""
    return prepare(repository, tmp_path_factory.mktemp("faults") / "clone", STEPS, EVERY, processes=2)


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
    started = training.start("bash", "-c", "exec " + training.command(threads=1).replace("-m ecglfm", torchrun, 1))
    training.finish(started)
    check_whole(training, *undisturbed)


@pytest.fixture
def interrupted(training, undisturbed):
    """A training that ended when one of its ranks was killed, after two checkpoints."""
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
    return training


def test_killed_rank(interrupted, undisturbed):
    before, good = interrupted.history(), interrupted.whole()[-1]
    assert 2 * EVERY <= good < STEPS
    interrupted.finish(start(interrupted))
    check_resumed(interrupted, before, good)
    check_whole(interrupted, *undisturbed)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_damaged_newest_checkpoint_is_named_and_skipped(interrupted, undisturbed, damage):
    before = interrupted.history()
    *_, good, newest = interrupted.whole()
    folder = interrupted.checkpoints / f"step-{newest:08d}"
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    damage(largest)
    interrupted.finish(start(interrupted))
    check_resumed(interrupted, before, good)
    said = re.search(rf"{folder} is skipped: (.*)", interrupted.log.read_text()).group(1)
    assert largest.name in said
    check_whole(interrupted, *undisturbed)
