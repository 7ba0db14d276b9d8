"""Where each job stands, in folders made by hand."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ecglfm import slurm
from ecglfm.app.follow.standing import Workings, read_workings, standings
from ecglfm.app.follow.workings import Started
from ecglfm.lock import Lock
from tests.unit.app.follow.planted import (
    ENCODER,
    METRICS,
    NOW,
    OUTPUT,
    WAITING,
    half_way,
    plan,
)

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize(
    ("queue", "state", "detail"),
    [
        ({"47": slurm.Queued("RUNNING", "node[1-2]")}, "running", r"step 120 .* \(Slurm job 47 on node\[1-2\], since 15:00\)"),
        ({"47": slurm.Queued("PENDING", "", "Priority")}, "waiting", "Slurm job 47 is in the queue: Priority"),
        ({}, "stopped", "Slurm job 47 is no longer in the queue; Snakemake has not noted its end"),
        (None, "running", "step 120 .*Slurm job 47, since 15:00; squeue does not answer.*"),
    ],
)  # fmt: skip
def test_a_job_of_slurm_is_what_the_queue_says(queue: dict | None, state: str, detail: str) -> None:
    half_way()
    known = Workings(started={OUTPUT[ENCODER]: Started("47", NOW - 3600)}, locked=True, queue=queue)
    one = standings(plan(WAITING), known, NOW)[1]
    assert one.state == state
    assert re.fullmatch(detail, one.detail), one.detail


def test_a_training_without_a_step_for_long_is_said_to_be_silent() -> None:
    half_way(ago=720)
    known = Workings(started={OUTPUT[ENCODER]: Started(None, NOW - 3600)}, process=77)
    assert "; no step for 12 min)" in standings(plan(WAITING), known, NOW)[1].detail


def test_a_training_that_outlives_its_snakemake_runs() -> None:
    half_way()
    Lock(Path(OUTPUT[ENCODER]).parent / "checkpoints.lock")
    one = standings(plan(WAITING), Workings(), NOW)[1]
    assert one.state == "running"
    assert f"(process {os.getpid()} on " in one.detail
    lock = Path(OUTPUT[ENCODER]).parent / "checkpoints.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"started": "1"}))  # a later process of the same number
    assert standings(plan(WAITING), Workings(), NOW)[1].state == "stopped"


def test_a_training_on_a_node_is_known_by_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """There Snakemake writes the job's start again, without its number."""
    half_way()
    lock = Path(OUTPUT[ENCODER]).parent / "checkpoints.lock"
    lock.write_text(json.dumps({"pid": 1, "started": "1", "host": "node1", "job": "47"}))
    monkeypatch.setattr(slurm, "queue", lambda jobs: {job: slurm.Queued("RUNNING", "node[1-2]") for job in jobs})
    assert read_workings(Path("results")).queue == {"47": slurm.Queued("RUNNING", "node[1-2]")}
    known = Workings(
        started={OUTPUT[ENCODER]: Started(None, NOW - 3600)},
        process=77,
        queue={"47": slurm.Queued("RUNNING", "node[1-2]")},
    )
    monkeypatch.setattr(slurm, "is_alive", lambda job: True)
    assert standings(plan(WAITING), known, NOW)[1].detail.endswith("(Slurm job 47 on node[1-2], since 15:00)")


def test_what_a_target_waits_for_is_told_of() -> None:
    """Of the evaluation alone: that, and the training two jobs before it that was stopped; not the data, which are there."""
    half_way()
    found = standings(replace(plan(WAITING), asked=[METRICS]), Workings(), NOW)
    assert [(one.job.stage, one.state) for one in found] == [("pretrain", "stopped"), ("evaluate", "waiting")]
    assert found[1].detail == "after pretrain tiny, which was stopped"
