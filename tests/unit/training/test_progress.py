"""What a training shows of itself: lines and a file, never at the price of the training."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ecglfm import distributed
from ecglfm.progress import FILE, read_progress
from ecglfm.training import progress as module
from ecglfm.training.progress import TrainingProgress


class Clock:
    """Stands for `time`: a second passes with each step."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 5000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _steps(shown: TrainingProgress, clock: Clock, first: int, last: int) -> None:
    for step in range(first, last + 1):
        clock.now += 1
        shown.describe(loss=4.31, segments_per_second=84.6)
        shown.update(step)


def test_steps_loss_speed_and_time_left(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with TrainingProgress(tmp_path, start=50, total=200) as shown:
        clock.now += 20  # the first step takes long, which tells nothing of the others
        _steps(shown, clock, 51, 120)
        found = read_progress(tmp_path)
        assert found is not None
        # Every 5 s: the last version is of step 116; 65 steps after the first took 65 s, and 84 are left.
        assert str(found) == "step 116 of 200, loss 4.310, 85 segments/s, 1 min 24 s left"
        assert found.written == 6086
        _steps(shown, clock, 121, 200)
    assert caplog.messages == [
        "step 61 of 200, loss 4.310, 85 segments/s, 2 min 19 s left",
        "step 92 of 200, loss 4.310, 85 segments/s, 1 min 48 s left",
        "step 123 of 200, loss 4.310, 85 segments/s, 1 min 17 s left",
        "step 154 of 200, loss 4.310, 85 segments/s, 46 s left",
        "step 185 of 200, loss 4.310, 85 segments/s, 15 s left",
        "step 200 of 200, loss 4.310, 85 segments/s, 0 s left",
    ]
    assert not (tmp_path / FILE).exists()


def test_what_was_stopped_leaves_its_last_step(tmp_path: Path, clock: Clock) -> None:
    with (  # noqa: PT012
        pytest.raises(distributed.Stopped),
        TrainingProgress(tmp_path, start=0, total=120, unit="batch", at_most=True) as shown,
    ):
        shown.part = "epoch 1 of 3"
        _steps(shown, clock, 1, 13)
        raise distributed.Stopped
    assert str(read_progress(tmp_path)) == (
        "batch 13 of 120 (epoch 1 of 3), loss 4.310, 85 segments/s, at most 1 min 47 s left"
    )


def test_a_full_disk_is_said_once_and_stops_nothing(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_progress", full)
    with TrainingProgress(tmp_path, start=0, total=20) as shown:
        _steps(shown, clock, 1, 20)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [f"{tmp_path}/progress.json cannot be written (ENOSPC), the training goes on"]


def test_other_ranks_show_nothing(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    with TrainingProgress(tmp_path, start=0, total=100) as shown:
        _steps(shown, clock, 1, 100)
    assert (caplog.messages, list(tmp_path.iterdir())) == ([], [])
