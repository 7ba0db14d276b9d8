"""Ranks from the environments of srun, torchrun and none; stop signals; our own launcher."""

from __future__ import annotations

import ast
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from ecglfm import distributed, gpu
from ecglfm.config import UserError

VARIABLES = [
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID",
    "SLURM_STEP_NUM_NODES", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEP_NODELIST", "MASTER_ADDR", "MASTER_PORT",
    "SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES",
]  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return lambda **values: [monkeypatch.setenv(name, str(value)) for name, value in values.items()]


def ranks():
    return distributed.rank(), distributed.world_size(), distributed.local_rank(), distributed.is_main()


def test_alone(environment):
    assert ranks() == (0, 1, 0, True)


def test_under_srun(environment):
    environment(SLURM_PROCID=5, SLURM_STEP_NUM_TASKS=8, SLURM_LOCALID=1)
    assert ranks() == (5, 8, 1, False)


def test_torchrun_wins_over_slurm(environment):
    environment(SLURM_PROCID=5, SLURM_STEP_NUM_TASKS=8, SLURM_LOCALID=1, RANK=0, WORLD_SIZE=2, LOCAL_RANK=0)
    assert ranks() == (0, 2, 0, True)


def test_what_a_training_leaves_in_the_environment_makes_no_rank_of_a_slurm_task(environment):
    """A job started from a process that has trained alone: both its tasks once took themselves for rank 0 of 1."""
    names = "('RANK', 'WORLD_SIZE', 'LOCAL_RANK')"
    code = (
        f"from ecglfm import distributed as d; import os; d.init(1); print({{n: os.environ.get(n) for n in {names}}})"
    )
    left = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    left = {name: value for name, value in ast.literal_eval(left).items() if value is not None}
    assert left == {"LOCAL_RANK": "0"}
    environment(SLURM_PROCID=1, SLURM_STEP_NUM_TASKS=2, SLURM_LOCALID=1, **left)
    assert ranks() == (1, 2, 1, False)


def test_a_batch_script_is_no_step_of_several_tasks(environment):
    environment(SLURM_PROCID=0, SLURM_NTASKS=8)
    assert ranks() == (0, 1, 0, True)


def test_values_of_a_single_process_are_its_own(environment):
    assert distributed.reduce_values([1.0, 2.5]) == [1.0, 2.5]
    assert distributed.any_rank(True)
    assert not distributed.any_rank(False)
    assert distributed.from_main(lambda: 42) == 42


STUCK = """
import multiprocessing, time
from ecglfm import distributed
def wait():
    distributed.ignore_signals()
    time.sleep(600)
stop = distributed.StopFlag()
child = multiprocessing.get_context("fork").Process(target=wait, daemon=True)
child.start()
print(child.pid, flush=True)
while True:
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ((signal.SIGTERM, signal.SIGTERM), -signal.SIGTERM),
        ((signal.SIGUSR1, signal.SIGINT), -signal.SIGINT),
        ((signal.SIGINT, signal.SIGINT), -signal.SIGINT),
    ],
)
def test_a_second_signal_ends_a_process_that_is_stuck(signals, status):
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        try:
            child = int(process.stdout.readline())
            process.send_signal(signals[0])
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2 * distributed._SAME)  # noted: the loop would stop at its next update
            process.send_signal(signals[1])
            assert process.wait(30) == status
            deadline = time.monotonic() + 30
            while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not os.path.exists(f"/proc/{child}")  # a loader process, which hears none of them, goes too
        finally:
            process.kill()


def test_a_network_interface_that_is_down_is_one_sentence(monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("[enforce fail at gloo/transport/tcp/device.cc:91] . Unable to find address for: lo")

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.distributed, "init_process_group", fail)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    with pytest.raises(UserError, match=r"interface lo, which is missing or down: bring it up \(`ip link set lo up`\)"):
        distributed.init()


@pytest.mark.parametrize(("task", "gpus", "index"), [(3, 8, 3), (3, 1, 0), (5, 4, 1)])
def test_deepspeed_takes_the_gpu_that_we_take(environment, monkeypatch, task, gpus, index):
    """`srun --gpus-per-task=1`: each rank sees one GPU, number 0. DeepSpeed calls set_device(LOCAL_RANK)."""
    environment(SLURM_STEP_NUM_TASKS=8, SLURM_PROCID=task, SLURM_LOCALID=task, SLURM_STEP_NUM_NODES=1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(distributed, "_store", lambda: None)
    monkeypatch.setattr(distributed.atexit, "register", lambda _: None)
    monkeypatch.setattr(logging.getLogger("ecglfm"), "setLevel", lambda _: None)
    assert distributed.init() == torch.device("cuda", index)
    assert os.environ["LOCAL_RANK"] == str(index)


def test_a_gpu_that_torch_does_not_see_is_no_processor(environment, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert distributed.choose_device() == torch.device("cpu")
    environment(SLURM_JOB_GPUS="0")
    monkeypatch.setattr(gpu, "driver", lambda: "470.1")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(UserError, match=r"SLURM_JOB_GPUS=0 gives .* torch sees none: .* driver 470.1: take a newer"):
        distributed.choose_device()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_noted_and_its_echo_is_no_second_one(number):
    before = {number: signal.getsignal(number) for number in distributed.STOP_SIGNALS}
    try:
        stop = distributed.StopFlag()
        assert not stop
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # a terminal signals the group, and a launcher passes it on
        assert stop
        assert stop.signal == number
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


PROGRAM = """
import os, sys
sys.argv = ["ecglfm"]
from ecglfm import distributed
distributed.init(1)
import torch.distributed as dist
me, size = distributed.rank(), distributed.world_size()
assert size == 2 and dist.get_world_size() == 2
assert distributed.reduce_values([me, 10.0 * me]) == [0.5, 5.0]
assert distributed.reduce_values([me], "max") == [1.0]
assert distributed.any_rank(me == 1) and not distributed.any_rank(False)
assert distributed.from_main(lambda: 100 - 7 * me) == 100
inodes = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
for table in ("tcp", "tcp6"):
    for line in open(f"/proc/self/net/{table}").readlines()[1:]:
        parts = line.split()
        if parts[3] == "0A" and f"socket:[{parts[9]}]" in inodes:
            assert parts[1].split(":")[0] == "0100007F", parts[1]
distributed.barrier()
try:
    distributed.from_main(lambda: 1 // 0)
except ZeroDivisionError:
    assert me == 0
except SystemExit:
    assert me == 1
print("rank", me, "of", size)
from ecglfm.process import end_process
end_process(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["slurm", "own"])
def test_two_processes_agree_and_listen_on_localhost_only(environment, tmp_path, launcher):
    processes = []
    for number in range(2):
        if launcher == "slurm":
            here = {
                "SLURM_PROCID": number, "SLURM_STEP_NUM_TASKS": 2, "SLURM_LOCALID": number, "SLURM_STEP_NUM_NODES": 1,
                "SLURM_JOB_ID": os.getpid(), "SLURM_STEP_ID": 0, "SLURM_STEP_NODELIST": "localhost",
            }  # fmt: skip
        else:
            here = {
                "RANK": number, "WORLD_SIZE": 2, "LOCAL_RANK": number, "LOCAL_WORLD_SIZE": 2,
                "ECGLFM_STORE": tmp_path / "store",
            }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                env=os.environ | {name: str(value) for name, value in here.items()},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    for number, process in enumerate(processes):
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert f"rank {number} of 2" in out
