"""What a rank asks Slurm: where the first machine of its step is, whether a job lives, to run its own once more.

Slurm warns before it takes a machine back (end of the walltime, preemption), but a job that then ends by itself
has failed in its eyes, and is not put back into the queue. So the job asks for that itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

logger = logging.getLogger(__name__)

#: A job that was put back so often gets nowhere, and a person should look at it.
MOST_RESTARTS = 100


def port() -> int:
    """Port made from job and step, below the ephemeral ones; two steps of a machine rarely meet."""
    job, step = (int(os.environ.get(key) or 0) for key in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    return 12000 + (job * 31 + step) % 20000


def first_machine() -> str:
    """First machine of the step, by a name or address that resolves."""
    node = first_host(os.environ["SLURM_STEP_NODELIST"])
    with contextlib.suppress(OSError):
        socket.getaddrinfo(node, None)
        return node
    return _fields("node", node).get("NodeAddr", node)


def first_host(nodelist: str) -> str:
    """First name of a Slurm host list: `gpu[007-009,012],login` gives `gpu007`."""
    match = re.match(r"([^,\[]+)(?:\[(\w+)[^\]]*\])?([^,\[]*)", nodelist)
    if match is None:
        raise ValueError(f"SLURM_STEP_NODELIST={nodelist!r} is not a list of hosts")
    return match[1] + (match[2] or "") + match[3]


def requeue() -> bool:
    """Put the job of this process back into the queue, where Slurm, not a person, is about to end it.

    `scancel` makes a job CANCELLED at once, while one that is preempted or runs out of time is still RUNNING when it
    is warned. One process of a job must ask, after all of them have written what they had to.

    Returns
    -------
    bool
        Whether Slurm will run the job again; False also outside of Slurm.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return False
    found = _fields("job", job)
    state, restarts = found.get("JobState"), int(found.get("Restarts", 0))
    if state != "RUNNING":
        logger.warning("Slurm job %s is %s and not put back into the queue", job, state or "unknown to scontrol")
        return False
    if restarts >= MOST_RESTARTS:
        logger.warning("Slurm job %s was restarted %d times and is not put back into the queue", job, restarts)
        return False
    done = _run("scontrol", "requeue", job)
    if done is None or done.returncode != 0:
        said = done.stderr.strip() if done else "scontrol did not answer"
        logger.warning("Slurm job %s could not be put back into the queue: %s", job, said)
        return False
    logger.warning("Slurm job %s goes back into the queue (restart %d) and will resume", job, restarts + 1)
    return True


def is_alive(job: str) -> bool:
    """Whether a job waits or runs; True also where Slurm cannot be asked."""
    shown = _run("squeue", "--noheader", "--jobs", job)
    if shown is None:
        return True
    if shown.returncode != 0:
        return "Invalid job id" not in shown.stderr
    return bool(shown.stdout.strip())


class Queued(NamedTuple):
    """A job in the queue.

    Attributes
    ----------
    state : str
        `RUNNING`, `PENDING`, …
    nodes, reason, ends : str
        Where it runs, why it waits, and when its time is over; as Slurm says it, or empty.
    """

    state: str
    nodes: str = ""
    reason: str = ""
    ends: str = ""


def queue(jobs: Sequence[str]) -> dict[str, Queued] | None:
    """Those of some jobs that wait or run, by id; None where Slurm cannot be asked."""
    shown = _run("squeue", "--noheader", "--array", "--jobs", ",".join(jobs), "--format", "%i|%T|%N|%r|%e", seconds=20)
    if shown is None or (shown.returncode != 0 and "Invalid job id" not in shown.stderr):
        return None
    rows = (line.strip().split("|") for line in shown.stdout.splitlines())
    return {
        row[0]: Queued(*(text if text not in ("N/A", "None", "(null)") else "" for text in row[1:5]))
        for row in rows
        if len(row) == 5
    }


def _fields(kind: str, name: str) -> dict[str, str]:
    """What `scontrol show` says of a node or job; nothing where it cannot be asked."""
    shown = _run("scontrol", "show", kind, name)
    return dict(re.findall(r"(?:^|\s)(\w+)=(\S+)", shown.stdout)) if shown else {}


def _run(*command: str, seconds: float = 60) -> subprocess.CompletedProcess[str] | None:
    """Run one of Slurm's programs; None where it is missing or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
