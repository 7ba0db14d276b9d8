"""One run writes a folder: who holds its lock, and when a dead one's is taken over."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys

import pytest

from ecglfm.config import UserError
from ecglfm.lock import Lock


def test_a_held_lock_stops_the_second_run(tmp_path):
    code = f"from ecglfm.lock import Lock; Lock({str(tmp_path / 'lock')!r}); print('ok', flush=True); input()"
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
    assert not (tmp_path / "lock").exists()
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


def test_a_lock_that_was_deleted_and_taken_by_another_stays_the_others(tmp_path):
    first = Lock(tmp_path / "lock")
    (tmp_path / "lock").unlink()  # by somebody who took its holder for gone
    first.release()
    other = json.dumps({"pid": 1, "started": "1", "host": "elsewhere", "job": None})
    (tmp_path / "lock").write_text(other)
    first.release()
    assert (tmp_path / "lock").read_text() == other


def test_who_waited_for_a_lock_that_is_removed_does_not_hold_it_in_vain(tmp_path, monkeypatch):
    """The file was opened before its holder removed it: it has no name any more, and a third would see no lock."""
    first, path, lockf, waited = Lock(tmp_path / "lock"), tmp_path / "lock", fcntl.lockf, []

    def wait(file, operation):
        if not waited:
            waited.append(1)
            first.release()
        lockf(file, operation)

    monkeypatch.setattr(fcntl, "lockf", wait)
    Lock(path)
    assert json.loads(path.read_text())["pid"] == os.getpid()
