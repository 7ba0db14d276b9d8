"""Names and ports from a Slurm step; when a job asks to be run once more, told by a scontrol that notes its calls."""

from __future__ import annotations

import pytest

from ecglfm import distributed, slurm

SHOWN = """JobId=12 JobName=x
   UserId=root(0) GroupId=root(0) MCS_label=N/A
   JobState={state} Reason=None Dependency=(null)
   Requeue=1 Restarts={restarts} BatchFlag=1 Reboot=0 ExitCode=0:0
"""


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """Installs a scontrol; returns the calls that changed something."""

    def install(state: str = "RUNNING", restarts: int = 0, status: int = 0) -> None:
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        (tmp_path / "shown").write_text(SHOWN.format(state=state, restarts=restarts))
        script = tmp_path / "scontrol"
        script.write_text(
            f'#!/bin/sh\n[ "$1" = show ] && exec cat {tmp_path}/shown\necho "$@" >> {tmp_path}/calls\n'
            f"echo Requested operation is disabled >&2\nexit {status}\n"
        )
        script.chmod(0o755)

    def calls() -> list[str]:
        return (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []

    install.calls = calls
    return install


def test_a_running_job_goes_back_into_the_queue(scontrol):
    scontrol()
    assert slurm.requeue()
    assert scontrol.calls() == ["requeue 12"]


@pytest.mark.parametrize("state", ["CANCELLED", "COMPLETING", "TIMEOUT", "PENDING"])
def test_a_job_that_a_person_cancelled_stays_cancelled(scontrol, caplog, state):
    scontrol(state)
    assert not slurm.requeue()
    assert scontrol.calls() == []
    assert f"Slurm job 12 is {state} and not put back" in caplog.text


def test_restarts_have_a_bound(scontrol, caplog):
    scontrol(restarts=slurm.MOST_RESTARTS - 1)
    assert slurm.requeue()
    scontrol(restarts=slurm.MOST_RESTARTS)
    assert not slurm.requeue()
    assert len(scontrol.calls()) == 1
    assert "restarted 100 times" in caplog.text


def test_a_refusal_of_slurm_is_named(scontrol, caplog):
    scontrol(status=1)
    assert not slurm.requeue()
    assert "could not be put back into the queue: Requested operation is disabled" in caplog.text


def test_without_slurm_nothing_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert not slurm.requeue()
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("PATH", str(tmp_path))  # no scontrol on this machine
    assert not slurm.requeue()


def test_only_a_stopped_training_asks_and_only_once_per_job(scontrol, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    scontrol()
    assert distributed.hand_back(0) == 0
    assert scontrol.calls() == []
    monkeypatch.setenv("ECGLFM_STORE", "store")  # a rank of our own launcher: its parent asks
    assert distributed.hand_back(distributed.STOPPED) == distributed.STOPPED
    assert scontrol.calls() == []
    monkeypatch.delenv("ECGLFM_STORE")
    assert distributed.hand_back(distributed.STOPPED) == distributed.STOPPED
    assert scontrol.calls() == ["requeue 12"]


@pytest.mark.parametrize(
    ("nodelist", "first"),
    [
        ("node1", "node1"),
        ("gpu[007-009,012],login", "gpu007"),
        ("a1,b[2-3]", "a1"),
        ("rack[3,5]-ib,x", "rack3-ib"),
    ],
)
def test_first_host_of_a_slurm_list(nodelist, first):
    assert slurm.first_host(nodelist) == first


def test_a_name_that_does_not_resolve_becomes_its_address(scontrol, monkeypatch, tmp_path):
    scontrol()
    (tmp_path / "shown").write_text("NodeName=no-such-host.invalid Arch=x86_64\n   NodeAddr=10.1.2.3 NodeHostName=x\n")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "no-such-host.invalid")
    assert slurm.first_machine() == "10.1.2.3"


def test_port_differs_between_steps_and_is_not_ephemeral(monkeypatch):
    ports = set()
    for step in range(3):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        monkeypatch.setenv("SLURM_STEP_ID", str(step))
        ports.add(slurm.port())
    assert len(ports) == 3
    assert all(1024 < port < 32768 for port in ports)


@pytest.mark.parametrize(
    ("said", "status", "found"),
    [
        ("12|RUNNING|node[1-2]|None|2026-11-30T16:00:00\n13_4|PENDING||Priority|N/A\n", 0,
         {"12": slurm.Queued("RUNNING", "node[1-2]", "", "2026-11-30T16:00:00"), "13_4": slurm.Queued("PENDING", "", "Priority")}),
        ("", 0, {}),
        ("slurm_load_jobs error: Invalid job id specified", 1, {}),
        ("slurm_load_jobs error: Unable to contact slurm controller", 1, None),
    ],
)  # fmt: skip
def test_the_queue_is_read(tmp_path, monkeypatch, said, status, found):
    squeue = tmp_path / "squeue"
    squeue.write_text(
        f"#!/bin/sh\n[ \"$4\" = 12,13_4 ] || exit 3\nprintf '{said}' >&{2 if status else 1}\nexit {status}\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert slurm.queue(["12", "13_4"]) == found
