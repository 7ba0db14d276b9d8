"""Loader processes that can deliver nothing end the training with one line, and none of them stays behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import Dataset

from ecglfm.config import UserError
from ecglfm.data.loading import loader

MB = 10**6


def hang() -> None:
    time.sleep(600)


def die() -> None:
    os.kill(os.getpid(), signal.SIGBUS)  # as a process does whose shared memory, or file, is too short


def refuse() -> None:
    raise UserError("shard 003 was cut")


class Faulty(Dataset[torch.Tensor]):
    """Batch 3 fails."""

    def __init__(self, fault) -> None:
        self.fault = fault

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 3:
            self.fault()
        return torch.full((2,), index)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "BATCH_SECONDS", 2.0)


def load(fault, num_workers: int = 2) -> Iterator[torch.Tensor]:
    return loader.load(Faulty(fault), range(6), num_workers=num_workers, batch_bytes=16)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (hang, r"no batch came from the 2 loader processes \(\d+ waits, \d+ waits\): DataLoader timed out after 2"),
        (die, r"ended with -7.*DataLoader worker \(pid.* /dev/shm, .* has [\d.]+ MB free: give it more"),
        (refuse, "^shard 003 was cut$"),
    ],
)
def test_a_process_that_delivers_nothing_ends_it_all(fault, message: str) -> None:
    batches = load(fault)
    with pytest.raises(UserError, match=message) as error:
        list(batches)
    assert "\n" not in str(error.value)
    for process in multiprocessing.active_children():
        process.join(10)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("free", "error"), [(0.064, True), (3, False), (17, None)])
def test_shared_memory_is_looked_at_before_it_is_needed(monkeypatch, caplog, tmp_path: Path, free, error) -> None:
    """Batches of 2 MB, 2 processes with 2 of them each: 8 MB."""
    monkeypatch.setattr(loader, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=int(free * MB), f_frsize=1))
    text = rf"num_workers: 2: loader processes hand over batches of 2.0 MB in {tmp_path}, which has {free:.1f} MB free"
    if error:
        with pytest.raises(UserError, match=rf"{text}: give it 8 MB or more"):
            loader.load(Faulty(hang), [0], num_workers=2, batch_bytes=2 * MB)
    else:
        assert next(loader.load(Faulty(hang), [0], num_workers=2, batch_bytes=2 * MB)).tolist() == [0, 0]
        assert ("ahead may take 8 MB" in caplog.text) is (error is False)
    assert next(loader.load(Faulty(hang), [0], num_workers=0, batch_bytes=2 * MB)).tolist() == [0, 0]
