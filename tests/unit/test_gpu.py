"""What tells a process that it has a GPU, and the sentence where torch has none."""

from __future__ import annotations

import pytest
import torch

from ecglfm import gpu


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in gpu._GIVEN:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_nothing_was_given(bare):
    assert gpu.given() is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SLURM_JOB_GPUS", "0,1", "SLURM_JOB_GPUS=0,1"),
        ("SLURM_STEP_GPUS", "3", "SLURM_STEP_GPUS=3"),
        ("CUDA_VISIBLE_DEVICES", "GPU-0f2c", "CUDA_VISIBLE_DEVICES=GPU-0f2c"),
        ("CUDA_VISIBLE_DEVICES", "", None),
        ("CUDA_VISIBLE_DEVICES", "-1", None),
        ("CUDA_VISIBLE_DEVICES", "NoDevFiles", None),  # what Slurm writes for a job without
    ],
)
def test_who_gives_gpus(bare, name, value, said):
    bare.setenv(name, value)
    assert gpu.given() == said


@pytest.mark.parametrize(
    ("driver", "built_for", "said"),
    [
        (None, "13.0", "no GPU answers `nvidia-smi` here"),
        ("580.95", None, f"driver 580.95 is there, but torch {torch.__version__} is built without CUDA"),
        ("470.1", "13.0", "torch is built for CUDA 13.0 and cannot use driver 470.1: take a newer driver"),
    ],
)
def test_why_torch_has_none(bare, driver, built_for, said):
    bare.setattr(gpu, "driver", lambda: driver)
    bare.setattr(torch.version, "cuda", built_for)
    assert gpu.why_none().startswith(said)


def test_a_device_has_a_name():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert gpu.device_of(torch.nn.Linear(2, 2)) == "the processor (1 thread)"
        torch.set_num_threads(3)
        assert gpu.device_of(torch.nn.ReLU()) == "the processor (3 threads)"
    finally:
        torch.set_num_threads(threads)
