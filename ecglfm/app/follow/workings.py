"""What Snakemake's own folder tells: which jobs it has started, which failed, whether it still runs. It is only read.

`.snakemake/incomplete` has a file for each output of a job that was started and has not ended; its name is that of the
output, in base64, and it says the job's id of Slurm. `.snakemake/locks` names the files of the run that holds the lock.
`.snakemake/log` has a log of each run, which tells the jobs that failed.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(".snakemake")
#: Newest logs of runs that are looked at.
MOST_LOGS = 20


class Started(NamedTuple):
    """A job that Snakemake has started and not seen the end of.

    Attributes
    ----------
    job : str or None
        Its id of Slurm; None where it runs beside Snakemake.
    since : float
        When, seconds since the epoch.
    """

    job: str | None
    since: float


def started(folder: Path = FOLDER) -> dict[str, Started]:
    """Jobs under way, or of a run that was killed, by output."""
    found = {}
    incomplete = folder / "incomplete"
    for path in incomplete.rglob("*") if incomplete.is_dir() else ():
        with contextlib.suppress(OSError, ValueError, binascii.Error):  # it ended meanwhile, or is none of Snakemake's
            if not path.is_file():
                continue
            said = json.loads(path.read_text(encoding="utf-8"))
            name = "".join(part.removeprefix("@") for part in path.relative_to(incomplete).parts)
            job = said.get("external_jobid") if isinstance(said, dict) else None
            since = path.stat().st_mtime
            found[urlsafe_b64decode(name).decode()] = Started(None if job is None else str(job), since)
    return found


def locked(folder: Path = FOLDER) -> list[str]:
    """Files of the run that holds the lock; it may have been killed."""
    files = []
    for path in sorted((folder / "locks").glob("*.lock")):
        with contextlib.suppress(OSError):
            files += path.read_text(encoding="utf-8").split("\n")
    return list(filter(None, files))


def running_here(root: Path | None = None) -> int | None:
    """Process of a Snakemake that runs in a folder on this machine; None where there is none."""
    root = (Path.cwd() if root is None else root).resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() != root:
                continue
            words = (process / "cmdline").read_bytes().split(b"\0")
            if (
                any(Path(word.decode(errors="replace")).name == "snakemake" for word in words[:3])
                and b"-n" not in words
            ):
                return int(process.name)
    return None


class Failure(NamedTuple):
    """A job that ended with an error.

    Attributes
    ----------
    at : float
        When the log was written, seconds since the epoch.
    log : str or None
        File of what it said.
    """

    at: float
    log: str | None


_ERROR = re.compile(r"^Error in (?:rule|group job|group) [^\n]*:\n((?:    [^\n]*\n)+)", re.MULTILINE)
_FIELD = re.compile(r"^ {4,8}(output|log): ([^\n]*)$", re.MULTILINE)


def failures(folder: Path = FOLDER) -> dict[str, Failure]:
    """Newest failure of each output, as the logs of the newest runs tell it."""
    found: dict[str, Failure] = {}
    logs = sorted((folder / "log").glob("*.snakemake.log"), reverse=True)[:MOST_LOGS]
    for path in logs:
        with contextlib.suppress(OSError):
            at, text = path.stat().st_mtime, path.read_text(encoding="utf-8", errors="replace")
            for output, log in _failed(text):
                found.setdefault(output, Failure(at, log))
    return found


def _failed(text: str) -> Iterator[tuple[str, str | None]]:
    """Outputs that a run's log says could not be made, and where the job's own log is."""
    for match in _ERROR.finditer(text):
        fields = dict(_FIELD.findall(match[1]))
        log = fields.get("log", "").partition(" (check log file")[0].partition(", ")[0] or None
        for output in fields.get("output", "").split(", "):
            if output:
                yield output, log


def last_words(path: Path, *, most: int = 65536) -> str:
    """Last line of a log that says something of the job: not what `srun` says when the job is over; empty for none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            lines = file.read().decode("utf-8", errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    own = [line for line in said if not re.match(r"(srun|slurmstepd|\[rank\d+\]:W|Command )", line)]
    errors = [line for line in own if re.match(r"ecglfm \S+: error: ", line)]
    return (errors or own or said or [""])[-1]
