"""Several processes of one training on this machine, without Slurm or torchrun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ecglfm.distributed import STOP_SIGNALS, STOPPED, STORE


def launch(command: Sequence[str], processes: int) -> int:
    """Run one command as several ranks on this machine; they meet through a file, not a port.

    Parameters
    ----------
    command : sequence of str
        Arguments of `python -m ecglfm`.
    processes : int
        Ranks.

    Returns
    -------
    int
        0; or `STOPPED`; or the status of the first rank that failed (the others are then ended).
    """
    with tempfile.TemporaryDirectory(prefix="ecglfm-") as folder:
        ranks = [
            subprocess.Popen([sys.executable, "-m", "ecglfm", *command], env=environment)
            for environment in environments(processes, Path(folder) / "store")
        ]

        def forward(received: int, _frame: object) -> None:
            for one in ranks:
                one.send_signal(received)

        for number in STOP_SIGNALS:
            signal.signal(number, forward)
        try:
            return _wait(ranks)
        finally:
            for one in ranks:
                if one.poll() is None:
                    one.kill()
                    one.wait()


def environments(processes: int, store: Path) -> list[dict[str, str]]:
    """Environment of each rank of a training on this machine; they meet in the file `store`, which is not there yet."""
    common = os.environ | {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), STORE: str(store)}
    return [common | {"RANK": str(number), "LOCAL_RANK": str(number)} for number in range(processes)]


def _wait(ranks: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all ranks, or for the first that fails."""
    while True:
        codes = [one.poll() for one in ranks]
        failed = [code for code in codes if code not in (None, 0, STOPPED)]
        if failed:
            time.sleep(2)  # let the others say what they have to say
            return failed[0] if failed[0] and failed[0] > 0 else 1
        if None not in codes:
            return max(code or 0 for code in codes)
        time.sleep(0.1)
