"""Trainings of one process and of two, side by side on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.integration import warm


def run_one_and_two(script: str, plans: Sequence[object], folder: Path, *arguments: str) -> None:
    """Run a script of this folder in one process with the first plan and, as two ranks, with the second.

    It gets the path of its plan (JSON), `folder` and `arguments`.
    """
    work = folder / "-".join(["ranks", *arguments])  # for plans, logs, and where the ranks meet
    work.mkdir()
    processes = []
    for plan, world in zip(plans, (1, 2), strict=True):
        path = work / f"plan-{world}.json"
        path.write_text(json.dumps(plan))
        environment = os.environ | {
            "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "ECGLFM_STORE": str(work / "store"),
            "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]),
        }  # fmt: skip
        for rank in range(world):
            with (work / f"log-{world}-{rank}.txt").open("w") as log:
                command = [warm.script(), str(Path(__file__).with_name(script)), str(path), str(folder), *arguments]
                ranked = environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                process = subprocess.Popen(command, env=ranked, stdout=log, stderr=subprocess.STDOUT)
            processes.append((process, Path(log.name)))
    try:
        for process, log_path in processes:
            assert process.wait(timeout=600) == 0, log_path.read_text()[-3000:]
    finally:
        for process, _ in processes:
            process.kill()
            process.wait()
