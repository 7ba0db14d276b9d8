"""Where each job of a project stands: done, stale, running, waiting, stopped or failed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from ecglfm import slurm
from ecglfm.app.follow import workings
from ecglfm.app.follow.causes import causes
from ecglfm.app.follow.plan import Job, Plan
from ecglfm.app.follow.trainings import holders
from ecglfm.app.follow.workings import Failure, Started
from ecglfm.lock import holder_of, is_running
from ecglfm.progress import duration, read_progress

State = Literal["done", "removed", "stale", "running", "waiting", "stopped", "failed"]
#: What a later job waits for is told of, the first of these before the next.
_TOLD_OF: tuple[State, ...] = ("failed", "stopped", "running")


class Standing(NamedTuple):
    """Where one job stands, and what there is to say of it: how far it is, or why."""

    job: Job
    state: State
    detail: str = ""


@dataclass(frozen=True)
class Workings:
    """What Snakemake and Slurm know, read once.

    Attributes
    ----------
    started, failed : dict
        By output, as `workings.started` and `workings.failures`.
    process : int or None
        A Snakemake that runs in this folder on this machine.
    locked : bool
        Somebody holds the lock of these results.
    queue : dict or None
        Jobs of Slurm that wait or run; None where Slurm cannot be asked.
    """

    started: Mapping[str, Started] = field(default_factory=dict)
    failed: Mapping[str, Failure] = field(default_factory=dict)
    process: int | None = None
    locked: bool = False
    queue: Mapping[str, slurm.Queued] | None = None


def read_workings(results: Path) -> Workings:
    """Look once at Snakemake's folder, the processes of this machine and, where jobs are there, Slurm's queue."""
    started = workings.started()
    # A job that runs has written its own start over that of its submission, without its number: its lock has that.
    numbers = [one.job for one in started.values()] + [holder["job"] for _, holder in holders(results)]
    jobs = sorted({str(number) for number in numbers if number is not None})
    return Workings(
        started=started,
        failed=workings.failures(),
        process=workings.running_here(),
        locked=any(Path(name).is_relative_to(results) for name in workings.locked()),
        queue=slurm.queue(jobs) if jobs else {},
    )


def standings(plan: Plan, known: Workings, now: float | None = None) -> list[Standing]:
    """Where each job stands, in the plan's order, without those that copy a slice of the config.

    Where targets were named, their jobs, and those before them that run, failed or were stopped.
    """
    now = time.time() if now is None else now
    found = {
        place: _standing(plan, place, known, now)
        for place, job in enumerate(plan.jobs)
        if job.rule != "config_slice"
    }  # fmt: skip
    for place, one in found.items():
        if one.state == "stale" or (one.state == "waiting" and not one.detail):
            before = _nearest(plan, place, found)
            if before is not None:
                ends = {"failed": ", which failed", "stopped": ", which was stopped"}.get(before.state, "")
                found[place] = one._replace(detail=f"after {before.job.name}{ends}")
    held_up = {place for place in _before(plan) if place in found and found[place].state in _TOLD_OF}
    return [found[place] for place in sorted((set(plan.asked) & set(found)) | held_up)]


def _before(plan: Plan) -> set[int]:
    """Places of what the jobs that were asked for need, near or far."""
    seen, waiting = set(plan.asked), list(plan.asked)
    while waiting:
        new = [at for at in plan.jobs[waiting.pop()].upstream if at not in seen]
        seen.update(new)
        waiting += new
    return seen


def _nearest(plan: Plan, place: int, found: Mapping[int, Standing]) -> Standing | None:
    """What a job waits for: the nearest job before it that failed, else was stopped, else runs."""
    seen, waiting, met = {place}, deque(plan.jobs[place].upstream), []
    while waiting:
        at = waiting.popleft()
        if at not in seen:
            seen.add(at)
            met += [found[at]] if at in found else []
            waiting.extend(plan.jobs[at].upstream)
    for state in _TOLD_OF:
        for one in met:
            if one.state == state:
                return one
    return None


def _standing(plan: Plan, place: int, known: Workings, now: float) -> Standing:
    job = plan.jobs[place]
    there = [Path(output).exists() for output in job.outputs]
    under_way = _under_way(job, known, now)
    if under_way is not None:
        return under_way
    if not job.reason:
        return Standing(job, "done" if all(there) else "removed")
    folder = Path(job.outputs[0]).parent
    progress = read_progress(folder)
    if progress is not None:
        saved = any(folder.glob("checkpoints/step-*"))
        then = "goes on from its newest checkpoint" if saved else "begins anew: it had saved no checkpoint yet"
        return Standing(job, "stopped", f"at {progress.text}; a rerun {then}")
    failure = next((known.failed[output] for output in job.outputs if output in known.failed), None)
    if failure is not None and not any(_newer(output, failure.at) for output in job.outputs):
        said = workings.last_words(Path(failure.log)) if failure.log else ""
        return Standing(job, "failed", said or "its log says nothing: it was killed, perhaps for want of memory")
    if all(there):
        roots = causes(plan, place)
        more = f" and {len(roots) - 1} more" if len(roots) > 1 else ""
        return Standing(job, "stale", roots[0].text + more if roots else "")
    return Standing(job, "waiting")


def _newer(output: str, at: float) -> bool:
    path = Path(output)
    return path.exists() and path.stat().st_mtime > at


def _under_way(job: Job, known: Workings, now: float) -> Standing | None:
    """Of a job that was started and has not ended."""
    started = next((known.started[output] for output in job.outputs if output in known.started), None)
    holder = holder_of(Path(job.outputs[0]).parent / "checkpoints.lock")
    alive = holder is not None and is_running(holder)
    if started is None:
        return _running(job, now, f"process {holder['pid']} on {holder['host']}") if alive and holder else None
    since = f"since {_clock(started.since, now)}"
    number = started.job
    if number is None and holder is not None and holder["job"] in (known.queue or {}):
        number = str(holder["job"])
    if number is not None:
        queued = (known.queue or {}).get(number)
        name = f"Slurm job {number}"
        if queued is not None and queued.state == "PENDING":
            return Standing(job, "waiting", f"{name} is in the queue" + (f": {queued.reason}" if queued.reason else ""))
        if queued is not None:
            return _running(job, now, f"{name} on {queued.nodes or '?'}, {since}")
        if known.queue is None:
            return _running(job, now, f"{name}, {since}; squeue does not answer")
        return Standing(job, "stopped", f"{name} is no longer in the queue; Snakemake has not noted its end")
    if known.process is not None:
        return _running(job, now, since)
    if alive and holder is not None:
        return _running(job, now, f"process {holder['pid']} on {holder['host']}, {since}")
    progress = read_progress(Path(job.outputs[0]).parent)
    at = f"at {progress.text}; " if progress else ""
    return Standing(job, "stopped", f"{at}begun {_clock(started.since, now)}; no Snakemake runs on this machine")


def _running(job: Job, now: float, where: str) -> Standing:
    """How far a job is, and when it should end."""
    progress = read_progress(Path(job.outputs[0]).parent)
    if progress is None:
        return Standing(job, "running", where)
    progress, old = progress.at(now), now - progress.written
    ends = "" if progress.seconds_left is None else f", until about {_clock(now + progress.seconds_left, now)}"
    silent = f"; no step for {duration(old)}" if old > _SILENT_SECONDS else ""
    return Standing(job, "running", f"{progress}{ends} ({where}{silent})")


_SILENT_SECONDS = 300.0


def _clock(at: float, now: float) -> str:
    """Time of day, with the date where it is another one."""
    same = time.localtime(at)[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if same else "%Y-%m-%d %H:%M", time.localtime(at))
