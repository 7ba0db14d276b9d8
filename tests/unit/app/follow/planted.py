"""A project made by hand: a manifest, an encoder, a model of it and its evaluation."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ecglfm.app.follow.plan import Job, Plan, Reason
from ecglfm.config.difference import difference
from ecglfm.progress import Progress, write_progress

SLICE, MANIFEST, ENCODER, FIT, METRICS = range(5)
LR = tuple(difference({"finetune": {"lr": 0.001}}, {"finetune": {"lr": 0.003}}))


def plan(reasons: dict[int, Reason] | None = None) -> Plan:
    """The plan where these jobs would run for these reasons, others not."""
    jobs = [
        Job("config_slice", "config", "finetune/tiny", ("results/config/finetune/tiny.yaml",)),
        Job("manifest", "manifest", "", ("results/manifest/records.parquet",), log="results/logs/manifest.log"),
        Job(
            "pretrain_encoder", "pretrain", "tiny", ("results/pretrain/tiny/encoder.safetensors",),
            log="results/logs/pretrain/tiny.log", upstream=(MANIFEST,),
        ),
        Job(
            "finetune_model", "finetune", "tiny/af/full-s0", ("results/finetune/tiny/af/full-s0/model.safetensors",),
            log="results/logs/finetune/tiny/af/full-s0.log", upstream=(SLICE, MANIFEST, ENCODER),
        ),
        Job(
            "evaluate_model", "evaluate", "tiny/af/full-s0", ("results/evaluate/tiny/af/full-s0/metrics.json",),
            log="results/logs/evaluate/tiny/af/full-s0.log", upstream=(MANIFEST, FIT),
        ),
    ]  # fmt: skip
    jobs = [replace(job, reason=(reasons or {}).get(place, Reason())) for place, job in enumerate(jobs)]
    return Plan(Path("results"), jobs, list(range(len(jobs))))


def missing(place: int) -> Reason:
    """Its outputs are not there."""
    return Reason(missing=plan().jobs[place].outputs)


def remade(*places: int) -> Reason:
    """These are made anew before it."""
    return Reason(remade=tuple(plan().jobs[place].outputs[0] for place in places))


def make(*places: int) -> None:
    """Outputs of these jobs, in this folder."""
    for place in places:
        for output in plan().jobs[place].outputs:
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            Path(output).write_text("made")


#: A moment, and a project whose encoder is the first thing that lacks.
NOW = time.mktime((2026, 11, 29, 16, 0, 0, 0, 0, -1))
OUTPUT = {place: job.outputs[0] for place, job in enumerate(plan().jobs)}
WAITING = {place: missing(place) for place in (ENCODER, FIT, METRICS)}


def half_way(ago: float = 0) -> None:
    """The encoder's training was there, so many seconds ago."""
    folder = Path(OUTPUT[ENCODER]).parent
    folder.mkdir(parents=True, exist_ok=True)
    write_progress(
        folder, Progress("step 120 of 200, loss 4.310, 85 segments/s", 600.0, at_most=False, written=NOW - ago)
    )
