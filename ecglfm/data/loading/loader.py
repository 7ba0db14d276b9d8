"""Batches from loader processes: what these cannot deliver ends the training with one line instead of a wait for good.

Loader processes hand batches over in shared memory, `/dev/shm`, of which a container has 64 MB or less by default.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from ecglfm.config import UserError
from ecglfm.distributed import ignore_signals

logger = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - not a place for our files, but what PyTorch's processes share
BATCH_SECONDS = 600.0  # that one batch may take; a slow file system takes seconds
_AHEAD = 2  # batches that PyTorch has each process make in advance
BatchT = TypeVar("BatchT")


def load(
    batches: Dataset[BatchT], order: Sequence[int], *, num_workers: int, batch_bytes: int, pin: bool = False
) -> Iterator[BatchT]:
    """The batches of `order`, made ahead by `num_workers` processes; by this one where that is 0.

    Parameters
    ----------
    batches : Dataset
        Item `n` is batch `n`.
    order : sequence of int
    num_workers : int
    batch_bytes : int
        Size of one batch.
    pin : bool
        Have batches in memory that a GPU copies from at once.

    Raises
    ------
    UserError
        Shared memory does not hold a batch; or, while iterating, a process has died or delivered nothing for
        `BATCH_SECONDS`, or what it raised itself.
    """
    if num_workers:
        _check_shared_memory(num_workers, batch_bytes)
    loader: DataLoader[BatchT] = DataLoader(
        batches,
        batch_size=None,
        sampler=order,
        num_workers=num_workers,
        worker_init_fn=ignore_signals,
        pin_memory=pin,
        timeout=BATCH_SECONDS if num_workers else 0,
    )
    return _watched(iter(loader), num_workers) if num_workers else iter(loader)


def _watched(loaded: Any, num_workers: int) -> Iterator[Any]:
    """The same batches; where that fails, no loader process stays behind: they hear no TERM, and are waited for."""
    try:
        yield from loaded
    except GeneratorExit:  # nobody wants the rest: PyTorch ends its processes
        raise
    except BaseException as error:
        states = _states(loaded)
        signal_handling._remove_worker_pids(id(loaded))  # else PyTorch takes their end for another failure
        loaded._worker_pids_set = False
        for process in loaded._workers:
            process.kill()
        if (told := _explained(error, states, num_workers)) is None:
            raise
        raise told from None


def _explained(error: BaseException, states: str, num_workers: int) -> UserError | None:
    """What failed in one line, where it is not our own fault."""
    if isinstance(error, UserError):  # PyTorch raises what a process raised with its whole traceback as the message
        return UserError(str(error).rpartition("UserError: ")[2].strip())
    if re.match(r"DataLoader (timed out|worker \(pid)", str(error)) is None:
        return None
    reason = str(error).splitlines()[0].rstrip(".")
    return UserError(
        f"no batch came from the {num_workers} loader processes ({states}): {reason}."
        f" {SHARED_MEMORY}, through which they hand batches over, has {_free() / 1e6:.1f} MB free: give it more"
        " (Docker: --shm-size=1g) or write `num_workers: 0`; where it has enough, look at the files of the signals"
    )


def _states(loaded: Any) -> str:
    """Each loader process by its number, and how it ended."""
    ends = {process.pid: process.exitcode for process in loaded._workers}
    return ", ".join(f"{pid} {'waits' if code is None else f'ended with {code}'}" for pid, code in ends.items())


def _free() -> int:
    """Free bytes of shared memory."""
    room = os.statvfs(SHARED_MEMORY)
    return room.f_bavail * room.f_frsize


def _check_shared_memory(num_workers: int, batch_bytes: int) -> None:
    """Refuse what could deliver no batch, and warn of what may not be enough; macOS has no such folder."""
    if not SHARED_MEMORY.is_dir() or torch.multiprocessing.get_sharing_strategy() == "file_system":
        return
    free, wanted = _free(), num_workers * _AHEAD * batch_bytes
    text = (
        f"num_workers: {num_workers}: loader processes hand over batches of {batch_bytes / 1e6:.1f} MB in"
        f" {SHARED_MEMORY}, which has {free / 1e6:.1f} MB free"
    )
    cure = f"give it {wanted / 1e6:.0f} MB or more (Docker: --shm-size) or write `num_workers: 0`"
    if free < batch_bytes:
        raise UserError(f"{text}: {cure}")
    if free < wanted:
        logger.warning("%s, and the batches made ahead may take %.0f MB; %s", text, wanted / 1e6, cure)
