"""`ecglfm status`: where every stage stands, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ecglfm.app.follow.standing import Standing, State, Workings
from ecglfm.config.wording import counted

#: States that are told job by job, and how many of a stage at most.
SINGLY: tuple[State, ...] = ("failed", "stopped", "running", "stale")
MOST_LINES = 8


def show_status(results: Path, found: Sequence[Standing], known: Workings, more: str = "") -> str:
    """The table.

    Parameters
    ----------
    results : path
    found : sequence of Standing
    known : Workings
    more : str
        Something to be told at the end.
    """
    stages = list(dict.fromkeys(one.job.stage for one in found))
    width = max(map(len, stages), default=0)
    lines = [_head(results, found, known), ""]
    for stage in stages:
        label = stage
        for text in _stage([one for one in found if one.job.stage == stage]):
            lines.append(f"{label:{width}}  {text}")
            label = ""
    counts = Counter(one.state for one in found)
    hints = [*_hints(counts, known), *filter(None, [more])]
    return "\n".join([*lines, *([""] if hints else []), *hints])


def _head(results: Path, found: Sequence[Standing], known: Workings) -> str:
    done = sum(one.state in ("done", "removed") for one in found)
    if known.process is not None:
        who = f"Snakemake runs here, process {known.process}"
    elif known.locked:
        who = "Snakemake's lock is held, but not by a process of this machine"
    else:
        who = "Snakemake does not run here"
    return f"{results}: {done} of {counted(len(found), 'job')} done; {who}"


def _stage(found: list[Standing]) -> list[str]:
    """Lines of one stage."""
    lines = []
    for state in ("done", "removed", *SINGLY, "waiting"):
        those = [one for one in found if one.state == state]
        told = [one for one in those if state in SINGLY or one.detail]
        if those and not told:
            count = f"{len(those)} of {len(found)}" if len(found) > 1 else ""
            words = "not needed, its files are gone" if state == "removed" else ""
            lines.append(f"{state:8} {', '.join(filter(None, [count, words]))}".rstrip())
            continue
        for one, text in _told(state, told, len(found))[:MOST_LINES]:
            lines.append(f"{state:8} {text}".rstrip())
            if state in ("failed", "stopped", "running") and one.job.log:
                lines.append(f"{'':8}   log: {one.job.log}")
        if (left := len(_told(state, told, len(found))) - MOST_LINES) > 0:
            lines.append(f"{state:8} … and {left} more")
        if those and len(those) > len(told):
            lines.append(f"{state:8} {len(those) - len(told)} of {len(found)}")
    return lines


def _told(state: State, those: list[Standing], whole: int) -> list[tuple[Standing, str]]:
    """A line for each job; of those that are stale or wait, one for each reason."""
    if state not in ("stale", "waiting"):
        return [(one, ": ".join(filter(None, [one.job.item, one.detail]))) for one in those]
    reasons: dict[str, list[Standing]] = {}
    for one in those:
        reasons.setdefault(one.detail, []).append(one)
    lines = []
    for detail, alike in reasons.items():
        who = alike[0].job.item if len(alike) == 1 else f"{len(alike)} of {whole}"
        lines.append((alike[0], ": ".join(filter(None, [who, detail]))))
    return lines


def _hints(counts: Counter[State], known: Workings) -> list[str]:
    """What to do next."""
    hints = []
    if known.locked and known.process is None:
        hints.append(
            "If Snakemake was killed, or its machine went down, and none of its jobs runs any more: snakemake --unlock"
        )
    if counts["stale"]:
        hints.append("What is stale runs again with the next snakemake; ecglfm why TARGET says why")
    if counts["failed"] or counts["stopped"]:
        hints.append("The same snakemake command goes on where this ended")
    return hints
