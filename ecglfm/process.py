"""How every process of ours uses processor and memory, and how it ends. It changes no result."""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import os
import sys
import threading
from typing import NoReturn

#: Environment variable that leaves the memory to the C library when it is "0".
KEEP_SWITCH = "ECGLFM_KEEP_MEMORY"
#: Environment variable, parameter of mallopt(3) and value of each setting of the C library.
KEEP = (("MALLOC_TRIM_THRESHOLD_", -1, -1), ("MALLOC_MMAP_THRESHOLD_", -3, 2**31 - 1))


def tune_process() -> None:
    """Let idle threads sleep, and keep freed memory; for this process and those that it starts.

    OpenMP threads that spin while they wait slowed a training step twentyfold on a shared machine. And by default the
    C library hands what was freed (a recording, the activations of a step) back to the kernel, which then clears the
    same pages again for the next one: as dear as reading the file, and a tenth of a step. It keeps them instead,
    at the price of some fragmentation. What the user has set stays, and with `ECGLFM_KEEP_MEMORY=0` the C library does
    as it likes.
    """
    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)  # a bus error (a file cut while it is read) tells where it was
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if os.environ.get(KEEP_SWITCH) == "0":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    for variable, parameter, value in KEEP:
        if variable not in os.environ:
            os.environ[variable] = str(value % 2**64)
            if mallopt is not None:
                mallopt(parameter, value)


def give_back_memory() -> None:
    """Hand what was freed back to the kernel, once, where `tune_process` keeps it: weights that have moved to a GPU."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def end_process(status: int) -> NoReturn:
    """End this process; last act of a program.

    A thread of a process group may let a tensor go a moment after its result is there. If Python is being taken down at
    that moment, the process aborts, though all its work is done (pytorch/pytorch#190489), and Slurm calls the job
    failed. So a process that has joined a group does everything that Python does at its end but that. Commands end so;
    a script of your own that trains, or calls `ecglfm.distributed.init`, needs it as its last line, because nothing
    tells what is registered with `atexit` the status.

    Parameters
    ----------
    status : int
        For whoever waits for the process.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not (distributed.is_available() and distributed.is_initialized()):
        sys.exit(status)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(status)
