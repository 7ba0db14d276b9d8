"""`benchmark gpu` makes what is not there, the most wanted first, and stops in time."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecglfm.benchmark.gpu import gpu
from ecglfm.cli import main
from ecglfm.training.precision import bf16_is_fast
from tests.integration import warm
from tests.pages import commands

SMALL = ["--encoders", "tiny", "--pairs", "2", "--trained", "tiny", "--compile", "off"]
NAMES = [
    "train_tiny_2", "candidates", "predict_tiny_fp32", "predict_tiny_bf16", "precisions", "train_tiny_2_half-residual-on",
    "train_tiny_2_zero-0", "train_tiny_2_checkpointing", "predict_tiny_tf32",
]  # fmt: skip
TRAINED = {
    "device": "cuda A", "torch": "2", "segments": 4, "seconds": [2.0], "rates": [10e12], "flops": 10e12,
    "split": {"load": [0.5], "forward": [1.5]}, "memory": {"gpu": 3e9, "steps": 9e9}, "kernels": [["all", 3, 2.0], ["gemm", 1, 1.0]],
}  # fmt: skip


@pytest.fixture
def machine(monkeypatch, repository):
    """Benchmarks that take 100 s each by a clock of their own, and say something or fail."""
    now = SimpleNamespace(seconds=0.0, device="cuda A", calls=[], fails=set())

    def run(command, timeout):
        words = command[4:]
        now.calls.append(words[0])
        now.seconds += min(100, timeout)
        if timeout < 100:
            return None
        if words[0] in now.fails:
            return subprocess.CompletedProcess(command, 1, "", "x\nOutOfMemoryError: 3 GiB | more\nlast words")
        said = {"train": TRAINED, "candidates": {"candidates": [["depthwise", "own", 0.001, 0.0, ""]]}}.get(
            words[0], {}
        )
        said |= {"predict": {"records": 8, "seconds": [2.0], "forward": [1.0]}}.get(words[0], {})
        said |= {"precisions": {"trainings": [["fp32", [3.0] * 5, 1.0]]}}.get(words[0], {})
        return subprocess.CompletedProcess(command, 0, "talk\n" + json.dumps(said | {"device": now.device}), "")

    monkeypatch.chdir(repository)
    monkeypatch.setattr(gpu, "_run", run)
    monkeypatch.setattr("ecglfm.provenance.git_commit", lambda: "abc")
    monkeypatch.setattr(gpu.gpu, "driver", lambda: "580")
    monkeypatch.setattr(gpu, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def measure(folder, *more: str) -> int:
    return main(["benchmark", "gpu", "--folder", str(folder), *SMALL, *more])


def test_a_call_goes_on_where_the_last_one_stopped(machine, tmp_path, capsys):
    """Of 400 s the fourth measurement is left 100; the fifth is not begun. A sixth of 90 s is cut short: no finding."""
    assert measure(tmp_path, "--minutes", str(400 / 60)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "5 measurements are left: call it again"
    assert {path.stem for path in tmp_path.glob("*.json")} == set(NAMES[:4])
    assert measure(tmp_path, "--minutes", str(190 / 60)) == 0
    assert "train_tiny_2_half-residual-on: time is up, 4 measurements are left" in capsys.readouterr().out
    assert measure(tmp_path, "--minutes", "60") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("all is measured: ")
    assert {path.stem for path in tmp_path.glob("*.json")} == set(NAMES)
    assert len(machine.calls) == len(NAMES) + 1
    assert measure(tmp_path) == 0
    assert len(machine.calls) == len(NAMES) + 1
    page = (tmp_path / "measured.md").read_text()
    assert page.startswith("# Measured on cuda A\n")
    assert "| tiny, 2 | 4 | 2000 | 25 | 2 | 50 | 3.0 | 10 |" in page
    assert "`gemm` | 1 | 1e+03 | 50.0 |" in page


def test_what_fails_is_told_and_measured_anew_where_asked(machine, tmp_path, capsys):
    machine.fails = {"candidates"}
    assert measure(tmp_path, "--minutes", "60") == 0
    assert "candidates: OutOfMemoryError: 3 GiB | more, 100 s" in capsys.readouterr().out
    assert "\nOutOfMemoryError: 3 GiB | more\n" in (tmp_path / "measured.md").read_text()
    assert measure(tmp_path) == 0
    assert machine.calls.count("candidates") == 1
    machine.fails = set()
    assert measure(tmp_path, "--again") == 0
    assert machine.calls.count("candidates") == 2
    assert "| depthwise | own | 1.000 | 0 |" in (tmp_path / "measured.md").read_text()


def test_one_that_a_whole_call_is_too_short_for_is_not_begun_again(machine, tmp_path, capsys):
    assert measure(tmp_path, "--minutes", "1") == 0
    assert "train_tiny_2: not done within 60 s, 60 s" in capsys.readouterr().out
    assert json.loads((tmp_path / "train_tiny_2.json").read_text())["error"] == "not done within 60 s"


def test_two_machines_do_not_share_a_folder(machine, tmp_path, capsys):
    assert measure(tmp_path, "--minutes", str(100 / 60)) == 0
    machine.device = "cuda B"
    assert measure(tmp_path) == 1
    assert "has measurements of cuda A and cuda B; give each a --folder" in capsys.readouterr().err


def test_what_takes_too_long_leaves_nothing_behind(tmp_path):
    """As the compiler's processes, which hold the pipes that are read until their end."""
    child = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import os, subprocess, sys, time; subprocess.run([sys.executable, '-c', {'import os, time; ' + child!r}])"
    note, began = tmp_path / "pid", time.monotonic()
    while gpu._run([sys.executable, "-c", code], 1.0) is not None or not (note.exists() and note.read_text()):
        assert time.monotonic() - began < 30
    state = Path(f"/proc/{note.read_text()}/stat")
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() - began < 30
    assert gpu._run([sys.executable, "-c", "print('here')"], 30.0).stdout == "here\n"


def test_all_that_is_wanted_of_a_gpu_is_in_the_list(repository, monkeypatch, capsys, tmp_path):
    """Three encoders at three batches, compiled and not, checkpointed and not: 36 steps, and more of the largest."""
    monkeypatch.chdir(repository)
    assert main(["benchmark", "gpu", "--folder", str(tmp_path), "--list"]) == 0
    commands = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    for encoder in ("small", "base", "ecglfm-600m"):
        for pairs in (16, 32, 64):
            for compiled in ("", "_compiled"):
                for checkpointing in ("", "_checkpointing"):
                    command = commands[f"train_{encoder}_{pairs}{compiled}{checkpointing}"]
                    assert f"--encoder {encoder} " in command
                    assert f"--batch {2 * pairs} --precision bf16 " in command
                    assert ("--compile on" in command) == bool(compiled)
                    assert ("--checkpointing on" in command) == bool(checkpointing)
    assert "--kernels 10" in commands["train_ecglfm-600m_64"]
    assert "--updates 500" in commands["precisions"]
    assert list(commands)[:2] == ["train_ecglfm-600m_64", "train_ecglfm-600m_64_compiled"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_rehearsal_on_a_processor(repository, monkeypatch, tmp_path, capsys):
    """The command of the page, with benchmarks in earnest: every one of them says what the page wants of it."""
    (line,) = (line for line in commands(repository / "docs/performance.md") if "rehearsal" in line)
    monkeypatch.chdir(repository)
    monkeypatch.setattr(gpu.sys, "executable", str(warm.shims() / "python"))
    words = shlex.split(line.removeprefix("ecglfm "))
    words[words.index("--folder") + 1] = str(tmp_path)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert [path.stem for path in sorted(tmp_path.glob("*.json"))] == sorted(NAMES)
    page = (tmp_path / "measured.md").read_text()
    steps = [name for name in NAMES if name.startswith("train_")]
    assert [name for name in NAMES if f"{name}: done" not in said] == ([] if bf16_is_fast() else steps)
    assert page.startswith("# Measured on cpu\n")
    step = json.loads((tmp_path / "train_tiny_2.json").read_text())
    if bf16_is_fast():  # the step that is profiled afterwards, a second of it, is in no part of those that are measured
        assert sum(map(sum, step["split"].values())) < sum(step["seconds"]) + 0.4
    fp32, *others = json.loads((tmp_path / "precisions.json").read_text())["trainings"]
    assert len(set(fp32[1])) == 5
    assert all(
        0 < abs(own / true - 1) < 0.02 for _, losses, _ in others for own, true in zip(losses, fp32[1], strict=True)
    )
    for heading in ("Steps of pretraining", "Ways to compute", "Losses in other numbers", "Predictions"):
        assert f"## {heading}" in page
