"""Why a job would run: what changed at the root, and the way from there to the job."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ecglfm.app.follow.plan import Job, Plan
from ecglfm.config.wording import counted

#: Of more jobs it is told by cause, not job by job.
MOST_SINGLY = 5


class Cause(NamedTuple):
    """One root of a rerun.

    Attributes
    ----------
    text : str
        What changed: `finetune.lr 0.001 -> 0.003`.
    way : tuple of int
        Places in the plan, from the job where it changed to the one that was asked about.
    """

    text: str
    way: tuple[int, ...]


def causes(plan: Plan, place: int) -> list[Cause]:
    """Roots of a job's rerun, those of the shortest ways first; empty where it would not run."""
    found: list[Cause] = []
    ways: dict[int, tuple[int, ...]] = {place: (place,)}
    waiting = deque([place])
    while waiting:
        at = waiting.popleft()
        job = plan.jobs[at]
        before = [other for other in job.upstream if plan.jobs[other].reason and _passes(job, plan.jobs[other])]
        found += [Cause(text, ways[at]) for text in own_causes(job, alone=not before)]
        for other in before:
            if other not in ways:
                ways[other] = (other, *ways[at])
                waiting.append(other)
    return found


def _passes(job: Job, before: Job) -> bool:
    """Whether a job runs because one before it does."""
    return bool(job.reason.missing) or any(output in job.reason.remade for output in before.outputs)


def own_causes(job: Job, *, alone: bool = True) -> Iterator[str]:
    """What a job's reason says beside the jobs before it; that it was never made only where it is `alone`."""
    reason = job.reason
    if reason.changes:
        yield ", ".join(map(str, reason.changes))
    for name in reason.updated:
        yield f"input {name} changed"
    yield from reason.others
    if alone and reason.missing and not reason.changes:
        whole = set(reason.missing) == set(job.outputs)
        if whole:
            yield f"{job.name} was never made, or is gone"
        else:
            yield f"{', '.join(reason.missing)} is missing"


def show_causes(plan: Plan) -> str:
    """What would run of that which was asked about, and why, for people."""
    asked = [place for place in plan.asked if plan.jobs[place].rule != "config_slice"] or plan.asked
    due = [place for place in asked if plan.jobs[place].reason]
    if not due:
        return "Nothing would run: all of it is up to date."
    if len(asked) <= MOST_SINGLY:
        return "\n\n".join(_explain_one(plan, place) for place in due)
    return _explain_many(plan, due)


def _explain_one(plan: Plan, place: int) -> str:
    job = plan.jobs[place]
    there = any(Path(output).exists() for output in job.outputs)
    lines = [f"{job.name} would run{' again' if there else ''}, because"]
    for cause in causes(plan, place):
        lines += [f"  {cause.text}", *_way(plan, cause)]
    return "\n".join(lines)


def _way(plan: Plan, cause: Cause) -> list[str]:
    """Where it changed, and what follows from it."""
    first, *rest = (plan.jobs[place] for place in cause.way)
    if not rest:
        return []
    where = f"in {first.outputs[0]}" if first.reason.changes else f"at {first.name}"
    then = ", ".join(job.name for job in rest[:-1])
    return [f"    {where}" + (f"; by way of {then}" if then else "")]


def _explain_many(plan: Plan, due: list[int]) -> str:
    """By root, how many jobs of which stage follow from it."""
    roots: dict[tuple[str, int], list[int]] = {}
    for place in due:
        for cause in causes(plan, place):
            roots.setdefault((cause.text, cause.way[0]), []).append(place)
    lines = [f"{counted(len(due), 'job')} would run, because"]
    for (text, root), places in roots.items():
        first, stages = plan.jobs[root], dict.fromkeys(plan.jobs[place].stage for place in places)
        where = f"in {first.outputs[0]}; " if first.reason.changes else ""
        counts = ", ".join(f"{stage} {sum(plan.jobs[place].stage == stage for place in places)}" for stage in stages)
        lines += [f"  {text}", f"    {where}reruns {counts}"]
    return "\n".join(lines)
