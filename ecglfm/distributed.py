"""Ranks: who this process is, how the processes find each other, and how they agree to stop.

The launcher may be `srun`, `torchrun`, our own (`training.launcher`, for `pretrain.processes` without Slurm) or none at
all. Everything else asks `is_main`. torch is imported late, so that a stop signal is heard while the slow
imports still run.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ecglfm import gpu, slurm
from ecglfm.config import UserError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

STOPPED = 75  # EX_TEMPFAIL: stopped by a signal, resumable
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_SAME = 1.0  # s within which two signals are one: a process group and our own launcher both pass it on
STORE = "ECGLFM_STORE"  # file through which the ranks that `launch` started find each other
_PATIENCE = timedelta(minutes=30)  # rank 0 alone hashes and writes checkpoints while the others wait


def _from_environment(torchrun: str, slurm: str, default: int) -> int:
    """What the launcher says: torchrun (or `launch`), which always gives WORLD_SIZE, else srun, else nobody."""
    return int(os.environ.get(torchrun if os.environ.get("WORLD_SIZE") else slurm) or default)


def world_size() -> int:
    """Number of processes: WORLD_SIZE, else the tasks of the Slurm step, else 1."""
    return _from_environment("WORLD_SIZE", "SLURM_STEP_NUM_TASKS", 1)


def rank() -> int:
    """Number of this process among all."""
    return _from_environment("RANK", "SLURM_PROCID", 0) if world_size() > 1 else 0


def local_rank() -> int:
    """Number of this process on its machine."""
    return _from_environment("LOCAL_RANK", "SLURM_LOCALID", 0) if world_size() > 1 else 0


def is_main() -> bool:
    """Whether this is rank 0, the one that writes outputs and tracks."""
    return rank() == 0


def is_launched() -> bool:
    """Whether a launcher started this process as one of several."""
    return world_size() > 1


class StopFlag:
    """Notes TERM, USR1 (Slurm's warning before the end of the walltime) and INT (Ctrl-C); the loop asks for it.

    Installed before the slow imports: a signal during them is not lost. A second one of the same kind ends the process
    at once, whatever it waits for; so does INT after another.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._noted: dict[int, float] = {}  # time of the first of each kind
        for number in STOP_SIGNALS:
            signal.signal(number, self._note)

    def __bool__(self) -> bool:
        return self.signal is not None

    def _note(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        first = self._noted.setdefault(number, now)
        if now - first >= _SAME or (number == signal.SIGINT and set(self._noted) != {number}):
            for child in multiprocessing.active_children():  # loader processes hear none of them
                child.kill()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number


class Stopped(SystemExit):
    """A signal asked a training to end, and every rank knows; the process then ends with `STOPPED`."""

    def __init__(self) -> None:
        super().__init__(STOPPED)


def ignore_signals(_worker: int = 0) -> None:
    """Let only the main process react; Slurm, and a terminal at Ctrl-C, signal the loader processes, too."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def choose_device() -> torch.device:
    """`cuda:{local rank modulo devices}`, or `cpu` without a GPU; float32 is no TF32 there unless asked for.

    Raises
    ------
    UserError
        This process was given a GPU that torch cannot use; it would otherwise crawl on the processor for days.
    """
    import torch

    if torch.cuda.is_available():
        gpu.use_tf32(False)
        return torch.device("cuda", local_rank() % torch.cuda.device_count())
    if (given := gpu.given()) is not None:
        raise UserError(f"{given} gives a GPU, but torch sees none: {gpu.why_none()}; or ask for none, to use the CPU")
    return torch.device("cpu")


def init(threads: int | None = None) -> torch.device:
    """Join the process group and choose the device.

    Parameters
    ----------
    threads : int or None
        Threads of torch on the CPU; None leaves torch's own choice.

    Returns
    -------
    torch.device
        As `choose_device`.
    """
    import torch
    import torch.distributed as dist

    if threads is not None:
        torch.set_num_threads(threads)
    device = choose_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not is_main():
        logging.getLogger("ecglfm").setLevel(logging.ERROR)  # rank 0 says it once for all
    if dist.is_initialized():
        return device
    # DeepSpeed takes it for the number of the device, which it is not where each task sees one GPU, number 0.
    # Nothing more: processes that this one starts, Slurm jobs even, are no ranks of ours.
    os.environ["LOCAL_RANK"] = str(local_rank() if device.index is None else device.index)
    if _nodes() == 1:
        # Nothing that other machines could reach: gloo and NCCL would otherwise listen on the network.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, store=_store(), rank=rank(), world_size=world_size(), timeout=_PATIENCE)
    except RuntimeError as error:
        interface = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
        if f"address for: {interface}" not in str(error):
            raise
        raise UserError(
            f"the processes of a training speak to each other over the network interface {interface}, which is missing"
            f" or down: bring it up (`ip link set {interface} up`), or name another one in GLOO_SOCKET_IFNAME"
        ) from None
    # Not earlier: DeepSpeed keeps the groups it made, and a second training of this process needs them.
    atexit.register(_leave)
    return device


def _leave() -> None:
    """Leave the process group."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _nodes() -> int:
    """Number of machines."""
    if world_size() == 1:
        return 1
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun and `launch`
        return world_size() // int(os.environ["LOCAL_WORLD_SIZE"])
    return int(os.environ.get("SLURM_STEP_NUM_NODES") or 1)


def _store() -> torch.distributed.Store | None:
    """Where the ranks meet; None means torch's own `env://`."""
    import torch.distributed as dist

    if world_size() == 1:
        return dist.HashStore()
    if STORE in os.environ:
        return dist.FileStore(os.environ[STORE], world_size())
    if "MASTER_ADDR" in os.environ and "MASTER_PORT" in os.environ:  # torchrun
        return None
    port = slurm.port()
    os.environ["MASTER_PORT"] = str(port)
    if _nodes() > 1:
        os.environ["MASTER_ADDR"] = slurm.first_machine()
        return None
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    listener = None
    if rank() == 0:  # torch would listen on every interface
        server = socket.create_server(("127.0.0.1", port), backlog=2048)
        listener = server.detach()
    return dist.TCPStore("127.0.0.1", port, world_size(), rank() == 0, _PATIENCE, master_listen_fd=listener)


def any_rank(flag: bool) -> bool:
    """Whether `flag` is true on at least one rank; every rank must ask."""
    return bool(reduce_values([float(flag)], "max")[0])


def end_if(stop: StopFlag | None) -> None:
    """Raise `Stopped` where a signal came to any rank; every rank must ask, and None asks nobody."""
    if stop is not None and any_rank(bool(stop)):
        raise Stopped


def reduce_values(values: Sequence[float], how: str = "mean") -> list[float]:
    """Mean, minimum (`min`) or maximum (`max`) of each value over the ranks; every rank must ask."""
    if world_size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, {"mean": dist.ReduceOp.SUM, "min": dist.ReduceOp.MIN, "max": dist.ReduceOp.MAX}[how])
    return [float(value) for value in (tensor / world_size() if how == "mean" else tensor)]


def gather(text: str) -> list[str]:
    """What every rank says, in their order; every rank must ask."""
    if world_size() == 1:
        return [text]
    import torch.distributed as dist

    said = [""] * world_size()
    dist.all_gather_object(said, text)
    return said


def from_main(make: Callable[[], int]) -> int:
    """Let rank 0 find out a number and tell everybody; where it fails, the others leave quietly.

    Raises
    ------
    Exception
        On rank 0, what `make` raised.
    SystemExit
        On the other ranks, when `make` raised.
    """
    failed = -(2**31)
    if world_size() == 1:
        return make()
    value = failed
    try:
        if is_main():
            value = make()
    finally:
        # The others contribute the smallest number, so the maximum is what rank 0 says.
        value = int(reduce_values([value], "max")[0])
    if value == failed:
        raise SystemExit(1)
    return value


def barrier() -> None:
    """Wait for every rank."""
    if world_size() > 1:
        import torch.distributed as dist

        dist.barrier()


def hand_back(status: int) -> int:
    """Last act of each rank of a training: one that a signal stopped asks Slurm for another turn.

    Parameters
    ----------
    status : int
        `STOPPED` where the training raised `Stopped`, which it does on all ranks or none.

    Returns
    -------
    int
        The same, for the exit of the process.
    """
    if status == STOPPED:
        if is_main() and STORE not in os.environ:  # not in a rank of `launch`, whose parent asks
            slurm.requeue()
        barrier()  # `srun --kill-on-bad-exit` ends the others once one has left
    return status
