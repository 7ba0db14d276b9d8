"""Where the time of a step goes, by a clock that is moved by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ecglfm import gpu
from ecglfm.benchmark.training import stopwatch
from ecglfm.benchmark.training.stopwatch import Clock, Products, TimedEngine
from tests.unit.architectures import small


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Seconds that pass only when they are added."""
    now = SimpleNamespace(wall=0.0, busy=0.0)
    clock = SimpleNamespace(perf_counter=lambda: now.wall, process_time=lambda: now.busy)
    monkeypatch.setattr(stopwatch, "time", clock)
    return now


def test_every_second_belongs_to_a_part(time: SimpleNamespace) -> None:
    def takes(seconds: float) -> None:
        time.wall += seconds
        time.busy += 2 * seconds

    engine = SimpleNamespace(backward=lambda: takes(4), step=lambda: takes(8), micro_batch=3)

    class Engine:
        backward, step, micro_batch = staticmethod(engine.backward), staticmethod(engine.step), 3

        def __call__(self) -> None:
            takes(2)

    clock = Clock(torch.device("cpu"))
    timed = TimedEngine(Engine(), clock)
    for _ in range(2):
        clock.start()
        takes(1)  # a batch is loaded
        timed()
        takes(0.5)  # the loss is checked
        timed.backward()
        timed.step()
        takes(0.25)  # the history is written
        clock.stop()
    assert clock.split() == {
        "load": [1, 1],
        "forward": [2, 2],
        "backward": [4, 4],
        "optimizer": [8, 8],
        "rest": [0.75, 0.75],
    }
    assert clock.seconds == [15.75, 15.75]
    assert clock.busy == [31.5, 31.5]
    assert timed.micro_batch == 3
    clock.forget()
    assert clock.split() == {part: [] for part in stopwatch.PARTS}


def test_what_comes_before_a_batch_is_rest_and_reading_it_is_load(time: SimpleNamespace) -> None:
    def batches():
        for _ in range(2):
            time.wall += 3
            yield "batch"

    clock = Clock(torch.device("cpu"))
    clock.start()
    time.wall += 1
    for _ in clock.load(batches()):
        clock.mark("load")
        time.wall += 5
        clock.mark("forward")
    clock.stop()
    assert clock.split() == {"load": [6], "forward": [10], "backward": [0], "optimizer": [0], "rest": [1]}


@pytest.mark.parametrize(("dtype", "tf32", "rates"), [
    (torch.float32, False, [2, 2, 2]), (torch.float32, True, [8, 2, 8]), (torch.bfloat16, False, [16, 2, 16]),
])  # fmt: skip
def test_rates_in_float32_are_no_tf32(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tf32: bool, rates: list):
    """On a GPU that multiplies float32 at 2, factors of TF32 at 8 and bf16 at 16."""

    def rate(_: Products, shape: object, dtype: torch.dtype) -> tuple[float, float]:
        speed = 16.0 if dtype == torch.bfloat16 else 8.0 if torch.backends.cuda.matmul.allow_tf32 else 2.0
        return speed, speed

    monkeypatch.setattr(Products, "_rate", rate)
    with gpu.tf32(tf32):
        assert Products(small("conformer"), 4, dtype, torch.device("cpu")).rates().tolist() == rates
        assert torch.backends.cuda.matmul.allow_tf32 == tf32
