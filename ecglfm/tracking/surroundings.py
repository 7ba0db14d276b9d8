"""Where a run runs, as tags: the code, the project, the person, the Slurm job, the GPU."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ecglfm.config import TrackingSlice
from ecglfm.provenance import git_commit


def surroundings(tracking: TrackingSlice) -> dict[str, str]:
    """Tags of every run, beside those of its stage; what does not apply is left out.

    Returns
    -------
    dict
        `git_commit, git_dirty, project, user, slurm_job, gpu`; `mlflow.user` and `mlflow.source.git.commit` are columns
        of MLflow's table.
    """
    commit, user = git_commit(), _user()
    known = commit != "unknown"
    tags = {
        "git_commit": commit.removesuffix("-dirty"),
        "git_dirty": str(commit.endswith("-dirty")).lower() if known else None,
        "project": tracking.project or Path.cwd().name,
        "user": user,
        "mlflow.user": user,
        "mlflow.source.git.commit": commit if known else None,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "gpu": _gpu(),
    }
    return {name: text for name, text in tags.items() if text}


def _user() -> str | None:
    """Who runs this; None where the system does not know, as in a container with a number alone."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _gpu() -> str | None:
    """`8 x NVIDIA H200` of all ranks; a stage that has not imported PyTorch has none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    ranks = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    return f"{ranks} x {torch.cuda.get_device_name()}"
