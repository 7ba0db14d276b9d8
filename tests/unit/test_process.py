"""What a command sets for itself and its children before it works, what stays the user's, and how it ends."""

import os
import subprocess
import sys

import pytest

from ecglfm.process import KEEP, tune_process

VARIABLES = [variable for variable, _, _ in KEEP]


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "ECGLFM_KEEP_MEMORY", *VARIABLES):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)


def test_threads_sleep_and_freed_memory_stays():
    tune_process()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert [os.environ[name] for name in VARIABLES] == ["18446744073709551615", "2147483647"]


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv(VARIABLES[0], "131072")
    tune_process()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ[VARIABLES[0]]) == ("ACTIVE", "131072")


def test_the_c_library_may_be_left_alone(monkeypatch):
    monkeypatch.setenv("ECGLFM_KEEP_MEMORY", "0")
    tune_process()
    assert not os.environ.keys() & set(VARIABLES)


def test_memory_that_is_kept_can_be_given_back():
    """300 MB in pieces, as weights are; in a process of its own, whose memory nothing else moves."""
    script = """
import re
from pathlib import Path
from ecglfm.process import give_back_memory, tune_process
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
tune_process()
before = resident()
weights = [bytearray(b"x" * 1_000_000) for _ in range(300)]
del weights
kept = resident() - before
give_back_memory()
print(kept, resident() - before)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    kept, left = map(int, said.split())
    assert kept > 250
    assert left < 50


#: Gloo's threads are at work on tensors that nobody else has, when the command has done its own.
IN_A_GROUP = """
import atexit, sys, threading, time
import torch
from ecglfm import cli, distributed
def late():
    print("exit")
    for _ in range(10):
        torch.distributed.all_reduce(torch.zeros(1_000_000), async_op=True)
def main():
    distributed.init(1)
    sys.kept = torch.distributed.group.WORLD  # as DeepSpeed keeps it
    threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
    atexit.register(late)
    return 75
cli.main = main
cli.run()
"""


def test_the_status_is_the_commands_own_while_threads_of_a_process_group_are_at_work():
    """Python's own end aborts here, 9 times of 10; what else it does at the end is done."""
    done = subprocess.run([sys.executable, "-c", IN_A_GROUP], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (75, "thread\nexit\n"), done.stderr
