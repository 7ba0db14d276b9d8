"""How every process of ours uses processor and memory. It changes speed, never a result."""

from __future__ import annotations

import ctypes
import os

KEPT = 64 << 20  # bytes


def tune_process() -> None:
    """Let idle threads sleep, and keep freed memory; for this process and those that it starts.

    OpenMP threads that spin while they wait slowed a training step twentyfold on a shared machine. And by default the
    C library hands a freed recording or batch back to the kernel, which then clears the same pages again for the next
    one: as dear as reading the file. It keeps up to `KEPT` bytes instead (mallopt(3)). What the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    for variable, parameter in (("MALLOC_TRIM_THRESHOLD_", -1), ("MALLOC_MMAP_THRESHOLD_", -3)):
        if variable not in os.environ:
            os.environ[variable] = str(KEPT)
            if mallopt is not None:
                mallopt(parameter, KEPT)
