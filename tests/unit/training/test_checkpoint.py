"""Whole checkpoints only, of this training only, written by one run only: each fault is planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecglfm.config import EncoderSlice, UserError
from ecglfm.training.checkpoint import Checkpoints, Lock, config_hash


class Engine:
    """Saves and loads one file, as DeepSpeed does."""

    def __init__(self, state: str = "") -> None:
        self.state = state

    def save_checkpoint(self, folder, *, tag, save_latest, client_state=None):
        (Path(folder) / tag).mkdir(parents=True)
        (Path(folder) / tag / "model.pt").write_text(self.state)

    def load_checkpoint(self, folder, *, tag):
        self.state = (Path(folder) / tag / "model.pt").read_text()
        return folder, {}

    def zero_optimization(self):
        return True


def folder_of(path, *, config="c", data="d", keep_last=0, pairs=64):
    return Checkpoints(
        path / "checkpoints", config_hash=config, data_hash=data, keep_last=keep_last, pairs_per_update=pairs
    )


@pytest.fixture
def checkpoints(tmp_path):
    made = folder_of(tmp_path)
    made.open_run(1000)
    for step in (10, 20, 30):
        made.save(Engine(f"state of {step}"), step)
    return made


def test_the_newest_is_loaded(checkpoints):
    assert checkpoints.newest() == 30
    engine = Engine()
    checkpoints.load(engine, 20)
    assert engine.state == "state of 20"
    manifest = json.loads((checkpoints.path(30) / "manifest.json").read_text())
    assert manifest["files"]["state/model.pt"] == {
        "size": 11,
        "sha256": "990cb1e88eca2a35d82b176c67f6bc640125e21f1eff7c442fabcfd9eec84507",  # printf 'state of 30' | sha256sum
    }
    assert (manifest["step"], manifest["world_size"], manifest["config_hash"]) == (30, 1, "c")


def truncate(folder):
    (folder / "state" / "model.pt").write_text("state")


def flip(folder):
    (folder / "state" / "model.pt").write_text("state of 31")


def remove(folder):
    (folder / "state" / "model.pt").unlink()


def add(folder):
    (folder / "state" / "extra.pt").write_text("evil")


def no_manifest(folder):
    (folder / "manifest.json").unlink()


def torn_manifest(folder):
    (folder / "manifest.json").write_text('{"step": 3')


def link(folder):
    (folder / "copy.pt").write_text("state of 30")
    remove(folder)
    (folder / "state" / "model.pt").symlink_to("../copy.pt")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "model.pt has 5 bytes instead of 11"),
        (flip, "model.pt does not have the SHA-256"),
        (remove, "model.pt is missing"),
        (add, "extra.pt is not in its manifest"),
        (no_manifest, "manifest.json is missing"),
        (torn_manifest, "manifest.json is missing or not readable"),
        (link, "is not in its manifest"),
    ],
)
def test_a_damaged_one_is_named_and_skipped(checkpoints, caplog, damage, reason):
    damage(checkpoints.path(30))
    assert checkpoints.newest() == 20
    assert "step-00000030 is skipped" in caplog.text
    assert reason in caplog.text
    checkpoints.save(Engine("state of 30"), 30)  # and is replaced when training comes there again
    assert checkpoints.newest() == 30


def test_all_damaged_means_step_0(checkpoints):
    for step in checkpoints.steps():
        truncate(checkpoints.path(step))
    assert checkpoints.newest() == 0


def test_an_unfinished_save_is_cleared(checkpoints):
    Engine("half").save_checkpoint(checkpoints.folder / ".saving-00000040", tag="state", save_latest=False)
    checkpoints.open_run(1000)
    assert not list(checkpoints.folder.glob(".saving*"))
    assert checkpoints.newest() == 30


@pytest.mark.parametrize(("keep_last", "left"), [(0, [10, 20, 30]), (1, [30]), (2, [20, 30])])
def test_the_last_are_kept(tmp_path, keep_last, left):
    made = folder_of(tmp_path, keep_last=keep_last)
    for step in (10, 20, 30):
        made.save(Engine(), step)
    assert made.steps() == left


@pytest.mark.parametrize("other", [{"config": "x"}, {"data": "x"}])
def test_the_state_of_another_training_is_set_aside(tmp_path, checkpoints, caplog, other):
    for number in (1, 2):
        another = folder_of(tmp_path, **other)
        assert another.open_run(1000) == {}
        assert another.steps() == []
        assert len(list((tmp_path / f"checkpoints.set-aside-{number}").glob("step-*"))) in (3, 1)
        another.save(Engine(), 5)
        other = {key: value + "x" for key, value in other.items()}
    assert "another training" in caplog.text
    assert "training starts at step 0" in caplog.text


def test_another_global_batch_is_another_training(tmp_path, checkpoints, caplog):
    another = folder_of(tmp_path, pairs=128)  # say, two processes instead of one
    another.open_run(1000)
    assert another.steps() == []
    assert "pairs_per_update has changed" in caplog.text


def test_a_planted_checkpoint_of_another_training_is_set_aside(tmp_path, checkpoints):
    path = checkpoints.path(20) / "manifest.json"
    path.write_text(path.read_text().replace('"config_hash": "c"', '"config_hash": "other"'))
    checkpoints.open_run(1000)
    assert checkpoints.steps() == []
    assert (tmp_path / "checkpoints.set-aside-1" / "step-00000020").exists()


def test_the_same_training_goes_on_and_a_shorter_one_begins_anew(tmp_path, checkpoints):
    checkpoints.note({"mlflow_run_id": "abc"})
    assert folder_of(tmp_path).open_run(30)["mlflow_run_id"] == "abc"
    assert folder_of(tmp_path).newest() == 30
    assert folder_of(tmp_path).open_run(29) == {}
    assert folder_of(tmp_path).newest() == 0


def test_another_number_of_processes_is_refused_under_zero(checkpoints):
    path = checkpoints.path(30) / "manifest.json"
    path.write_text(path.read_text().replace('"world_size": 1', '"world_size": 4'))
    with pytest.raises(UserError, match="made by 4 processes"):
        checkpoints.load(Engine(), 30)


def encoder_slice(**pretrain):
    model = {"layers": 2, "dim": 16, "ffn_dim": 32, "heads": 2}
    content = {"model": model, "pretrain": {"steps": 10} | pretrain}
    return EncoderSlice.model_validate({"encoder": "e", "config": content, "preprocess": {}})


def test_only_what_determines_the_weights_is_in_the_hash():
    first = config_hash(encoder_slice())
    same = encoder_slice(steps=20, num_workers=3, keep_last=0, validate_every=7, log_every=3, processes=2)
    assert config_hash(same.model_copy(update={"encoder": "another name"})) == first
    for change in ({"lr": 1e-3}, {"seed": 1}, {"batch_size": 8}, {"zero_stage": 1}, {"mask": {"length": 5}}):
        assert config_hash(encoder_slice(**change)) != first


def test_a_held_lock_stops_the_second_run(tmp_path):
    code = f"from ecglfm.training.checkpoint import Lock; Lock({str(tmp_path / 'lock')!r}); print('ok', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ok\n"
        with pytest.raises(UserError, match=f"process {holder.pid} on .* already trains here"):
            Lock(tmp_path / "lock")
        holder.kill()
        holder.wait()
    Lock(tmp_path / "lock").release()  # a dead one's is taken over
    assert (tmp_path / "lock").read_text() == ""
    Lock(tmp_path / "lock")


def test_a_reused_pid_is_not_the_holder(tmp_path, caplog):
    caplog.set_level("INFO")
    Lock(tmp_path / "lock")
    holder = json.loads((tmp_path / "lock").read_text())
    (tmp_path / "lock").write_text(json.dumps(holder | {"started": "1"}))
    Lock(tmp_path / "lock")
    assert f"took over the lock of process {os.getpid()}" in caplog.text


@pytest.mark.parametrize(
    ("answer", "status", "held"),
    [("123 gpu pretrain R", 0, True), ("", 0, False), ("slurm_load_jobs error: Invalid job id specified", 1, False),
     ("Unable to contact slurm controller", 1, True)],
)  # fmt: skip
def test_the_lock_of_a_job_elsewhere_is_judged_by_squeue(tmp_path, monkeypatch, answer, status, held):
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\n[ \"$3\" = 123 ] || exit 3\necho '{answer}' >&{2 if status else 1}\nexit {status}\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "124")
    lock = tmp_path / "lock"
    lock.write_text(json.dumps({"pid": 1, "started": "1", "host": "elsewhere", "job": "123"}))
    if held:
        with pytest.raises(UserError, match="job 123"):
            Lock(lock)
    else:
        Lock(lock)


def test_a_requeued_job_takes_its_own_lock_back(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "started": "1", "host": "elsewhere", "job": "123"}))
    Lock(tmp_path / "lock")
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_a_lock_of_an_unknown_machine_is_respected(tmp_path):
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "started": "1", "host": "elsewhere", "job": None}))
    with pytest.raises(UserError, match="If it is gone for certain, delete this file"):
        Lock(tmp_path / "lock")
