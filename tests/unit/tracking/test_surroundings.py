"""Tags that say where a run runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecglfm.tracking import surroundings as module
from ecglfm.tracking.surroundings import surroundings
from tests.unit.tracking.places import tracking


def test_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "NVIDIA H200")
    ranks = SimpleNamespace(is_initialized=lambda: True, get_world_size=lambda: 8)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, distributed=ranks))
    monkeypatch.setattr(module, "git_commit", lambda: "0123456789ab-dirty")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("LOGNAME", "ada")
    assert surroundings(tracking(tmp_path, project="ptbxl")) == {
        "git_commit": "0123456789ab", "git_dirty": "true", "project": "ptbxl", "user": "ada", "slurm_job": "17",
        "gpu": "8 x NVIDIA H200", "mlflow.user": "ada", "mlflow.source.git.commit": "0123456789ab-dirty",
    }  # fmt: skip


def test_what_does_not_apply_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(module, "git_commit", lambda: "unknown")
    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    assert surroundings(tracking(tmp_path)) == {"git_commit": "unknown", "project": tmp_path.name}
