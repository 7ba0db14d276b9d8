"""Tasks on several processes: order, places in a file, and failures that end the work instead of hanging it."""

from __future__ import annotations

import os
import time

import pytest

from ecglfm.config import UserError
from ecglfm.sources.parallel import Places, ordered_map


class Task:
    """Takes one place and `number` more, later tasks faster than earlier ones; fails or dies where it is told to."""

    def __init__(self, places: Places, *, failing: int = -1, dying: int = -1) -> None:
        self.places, self.failing, self.dying = places, failing, dying

    def __call__(self, number: int) -> int:
        time.sleep(0.02 * (number % 3 == 0))
        if number == self.dying:
            os._exit(1)
        if number == self.failing:
            self.places.take(number, 0)
            raise OSError(28, "No space left on device", "shard")
        first = self.places.take(number, 1, more=True)
        assert self.places.take(number, number) == first + 1
        return first


@pytest.mark.parametrize("workers", [1, 3])
def test_places_follow_the_order_of_the_tasks(workers: int):
    found = list(ordered_map(Task(Places(workers)), range(30), workers))
    assert found == [number * (number + 1) // 2 for number in range(30)]  # 1 + 2 + ... + number


@pytest.mark.timeout(60)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_failing_task_ends_the_work(workers: int):
    found = []
    with pytest.raises(OSError, match="No space left") as error:
        found.extend(ordered_map(Task(Places(workers), failing=11), range(1000), workers))
    assert error.value.filename == "shard"


@pytest.mark.timeout(60)
def test_a_killed_worker_is_one_clear_line():
    with pytest.raises(UserError, match="a worker process was killed"):
        list(ordered_map(Task(Places(3), dying=11), range(1000), 3))


@pytest.mark.timeout(60)
def test_a_caller_that_stops_early_does_not_wait():
    results = ordered_map(Task(Places(3)), range(10**9), 3)
    assert [next(results) for _ in range(4)] == [0, 1, 3, 6]
    results.close()


def test_no_workers():
    with pytest.raises(UserError, match="--workers 0"):
        list(ordered_map(str, [1], 0))
