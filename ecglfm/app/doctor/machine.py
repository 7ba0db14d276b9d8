"""What training needs of a machine: GPUs and their driver, NCCL, DeepSpeed, a compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from ecglfm import gpu
from ecglfm.app.doctor.finding import Finding, fail, ok, warn

TRIAL_SECONDS = 300  # importing DeepSpeed and one update; seconds on a healthy machine


def check_cuda() -> Iterator[Finding]:
    """GPUs: those that the driver has, and those that torch can calculate on."""
    import torch

    driver = gpu.driver()
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            name = f"CUDA device {number}: {properties.name}, {properties.total_memory / 1e9:.0f} GB"
            try:
                assert float(torch.ones(2, device=f"cuda:{number}").sum()) == 2
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                yield fail(f"{name} cannot calculate: {reason}; look at `nvidia-smi`, or leave it out with "
                           "CUDA_VISIBLE_DEVICES")  # fmt: skip
            else:
                yield ok(f"{name}, driver {driver or 'unknown'}, CUDA {torch.version.cuda}")
    elif driver is None and (given := gpu.given()) is None:
        yield warn("CUDA: no GPU here, so training is on the processor: enough for the demo, not for a pretraining")
    else:
        yield fail(f"CUDA: {gpu.why_none()}" + ("" if driver else f"; {given} says that there is one"))


def check_engine() -> Iterator[Finding]:
    """Collectives (NCCL on GPUs, else gloo) and an update with DeepSpeed, in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "RANK", "WORLD", "LOCAL_RANK"))}
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "ecglfm.app.doctor.trial"],
            env=environment, capture_output=True, text=True, timeout=TRIAL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        yield fail(f"DeepSpeed: no update within {TRIAL_SECONDS} s: run `python -m ecglfm.app.doctor.trial` and see "
                   "where it hangs; NCCL_DEBUG=INFO tells of NCCL")  # fmt: skip
        return
    steps = [json.loads(line) for line in trial.stdout.splitlines() if line.startswith("{")]
    for step in steps:
        yield ok(step["done"])
    if trial.returncode != 0:
        doing = ("NCCL or gloo", "DeepSpeed")[min(len(steps), 1)]
        reason = next(iter(reversed(trial.stderr.strip().splitlines())), f"exit status {trial.returncode}")
        yield fail(f"{doing}: {reason}; see it all with `python -m ecglfm.app.doctor.trial`")


def check_compiler() -> Iterator[Finding]:
    """What `pretrain.compile` and DeepSpeed's own operators are built with."""
    for program, package in ((os.environ.get("CXX", "g++"), "g++ (or set CXX)"), ("ninja", "ninja-build")):
        found = shutil.which(program)
        if found is None:
            yield warn(f"{program} is not there: `pretrain.compile` and DeepSpeed's own operators need it; "
                       f"install {package}")  # fmt: skip
        else:
            yield ok(f"{program}: {found}")
