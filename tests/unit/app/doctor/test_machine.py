"""GPUs, DeepSpeed and the compiler, with planted faults."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ecglfm.app.doctor import machine
from tests.unit.app.doctor.findings import lines


@pytest.mark.parametrize(
    ("driver", "built_for", "line"),
    [
        (None, None, "warn CUDA: no GPU here"),
        ("550.54", None, "fail CUDA: driver 550.54 is there, but torch "),
        ("390.1", "12.8", "fail CUDA: torch is built for CUDA 12.8 and cannot use driver 390.1: take a newer driver"),
    ],
)
def test_no_usable_gpu(programs, monkeypatch: pytest.MonkeyPatch, driver, built_for, line: str) -> None:
    programs("nvidia-smi", f"echo {driver}" if driver else "echo No devices were found; exit 9")
    for name in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    (found,) = lines(machine.check_cuda())
    assert found.startswith(line)


def test_a_gpu_that_slurm_gives_and_nobody_sees(programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs("nvidia-smi", "exit 9")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("SLURM_STEP_GPUS", "1")
    (found,) = lines(machine.check_cuda())
    assert found.startswith("fail CUDA: no GPU answers `nvidia-smi` here")
    assert found.endswith("SLURM_STEP_GPUS=1 says that there is one")


def test_two_gpus_one_of_them_broken(programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(size: int, device: str):
        if device == "cuda:1":
            raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nmore")
        return torch.full((size,), 1.0)

    programs("nvidia-smi", "echo 550.54; echo 550.54")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    card = SimpleNamespace(name="NVIDIA H100", total_memory=80e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch, "ones", ones)
    assert lines(machine.check_cuda()) == [
        "ok   CUDA device 0: NVIDIA H100, 80 GB, driver 550.54, CUDA 12.8",
        "fail CUDA device 1: NVIDIA H100, 80 GB cannot calculate: CUDA error: uncorrectable ECC error encountered;"
        " look at `nvidia-smi`, or leave it out with CUDA_VISIBLE_DEVICES",
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo 'Traceback' >&2; echo 'RuntimeError: NCCL error: unhandled system error' >&2; exit 1",
            ["fail NCCL or gloo: RuntimeError: NCCL error: unhandled system error; see it all with"],
        ),
        (
            """echo '{"done": "NCCL 2.21"}'; echo 'ImportError: no CUDA_HOME' >&2; exit 1""",
            ["ok   NCCL 2.21", "fail DeepSpeed: ImportError: no CUDA_HOME; see it all with"],
        ),
        ("sleep 60", ["fail DeepSpeed: no update within 1 s: run `python -m ecglfm.app.doctor.trial`"]),
    ],
)
def test_a_trial_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, expected: list[str]) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(machine, "TRIAL_SECONDS", 1)
    found = lines(machine.check_engine())
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_a_missing_compiler(programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++")
    ninja = programs("ninja", "")
    assert lines(machine.check_compiler()) == [
        "warn clang++ is not there: `pretrain.compile` and DeepSpeed's own operators need it; install g++ (or set CXX)",
        f"ok   ninja: {ninja}",
    ]
