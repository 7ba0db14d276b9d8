"""Pretraining through kills and edits: it resumes exactly, and never from another config's checkpoint."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.provenance import read_json, sha256_file
from tests.integration.conftest import Clone, copy_clone

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(with_manifest: Clone, tmp_path: Path) -> Clone:
    """A copy whose data are ready."""
    return copy_clone(with_manifest, tmp_path / "clone")


def _weights(clone) -> str:
    return sha256_file(clone.results / "pretrain/tiny/encoder.safetensors")


def _history(clone) -> pd.DataFrame:
    """Without what differs from run to run."""
    table = pd.read_csv(clone.results / "pretrain/tiny/history.csv")
    return table.drop(columns=["memory_mb", "segments_per_second"])


def _kill_after(clone, checkpoint: str) -> None:
    """Start `snakemake pretrain`, SIGKILL the training process once a checkpoint is whole."""
    started = subprocess.Popen(
        ["snakemake", "pretrain"],
        cwd=clone.root,
        env=Clone(clone.root, warm=False).environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = clone.results / "pretrain/tiny/checkpoints" / checkpoint
    deadline = time.monotonic() + 300
    while not (folder / "manifest.json").exists():
        assert time.monotonic() < deadline, "no checkpoint within five minutes"
        assert started.poll() is None, "training ended before it could be killed"
        time.sleep(0.02)
    found = subprocess.run(["pgrep", "-f", "ecglfm .*pretrain --config"], capture_output=True, text=True).stdout.split()
    ours = [pid for pid in found if os.path.realpath(f"/proc/{pid}/cwd") == str(clone.root)]
    for pid in ours:
        os.kill(int(pid), signal.SIGKILL)
    assert started.wait(120) != 0
    while any(Path(f"/proc/{pid}").exists() for pid in ours):  # its memory takes a moment to be given back
        assert time.monotonic() < deadline, "a killed process is there after five minutes"
        time.sleep(0.02)


def _started_at(clone) -> int:
    """Step from which the last run of pretraining went on, from its log."""
    found = re.search(r"resumed from step (\d+) of", (clone.results / "logs/pretrain/tiny.log").read_text())
    return int(found.group(1)) if found else 0


def _mlflow_losses(clone) -> list[list[tuple[int, float]]]:
    """Training loss by step of every run of pretraining."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{clone.results}/mlflow.db")
    experiment = client.get_experiment_by_name("pretrain")
    runs = client.search_runs([experiment.experiment_id])
    return [[(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "train/loss")] for run in runs]


def test_killed_run_ends_with_the_same_weights(clone) -> None:
    clone.edit("config/config.yaml", tracking={"enabled": True})
    clone.edit("config/encoders/tiny.yaml", pretrain={"steps": 60, "checkpoint_every": {"steps": 10}})
    clone.snakemake("pretrain")
    undisturbed = _weights(clone)
    history = _history(clone)
    (clone.results / "pretrain").rename(clone.results / "pretrain-undisturbed")

    _kill_after(clone, "step-00000020")
    assert not (clone.results / "pretrain/tiny/encoder.safetensors").exists()
    clone.snakemake("pretrain")
    assert _started_at(clone) in range(20, 60, 10)
    assert "took over the lock" in (clone.results / "logs/pretrain/tiny.log").read_text()
    assert _weights(clone) == undisturbed
    calm, killed = (clone.results / folder / "tiny/encoder.json" for folder in ("pretrain-undisturbed", "pretrain"))
    assert read_json(killed) == read_json(calm)
    pd.testing.assert_frame_equal(_history(clone), history)
    train = pd.read_csv(clone.results / "pretrain/tiny/history.csv").query("split == 'train'")
    losses = list(zip(train["step"], train["loss"], strict=True))
    assert _mlflow_losses(clone) == [losses, losses]  # the undisturbed one, and the resumed one without a step twice


def test_edited_learning_rate_starts_again_and_more_steps_continue(clone) -> None:
    clone.snakemake("pretrain")
    first = _weights(clone)
    clone.edit("config/encoders/tiny.yaml", pretrain={"lr": 2.0e-3})
    clone.snakemake("pretrain")
    second = _weights(clone)
    assert second != first
    assert _started_at(clone) == 0
    folder = clone.results / "pretrain/tiny"
    assert len(list(folder.glob("checkpoints.set-aside-*"))) == 1

    clone.edit("config/encoders/tiny.yaml", pretrain={"steps": 16})
    clone.snakemake("pretrain")
    assert _started_at(clone) == 12
    assert read_json(folder / "encoder.json")["training"]["steps"] == 16
    continued = _weights(clone)

    folder.rename(folder.with_name("continued"))
    clone.snakemake("pretrain")  # the same 16 steps without a stop
    assert _started_at(clone) == 0
    assert _weights(clone) == continued
