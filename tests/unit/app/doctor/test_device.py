"""`--gpu`: what GPUs are and do, with planted ones; no kernel of one runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ecglfm.app.doctor import device
from ecglfm.config import PretrainConfig
from ecglfm.training import compilation
from tests.unit.app.doctor.findings import lines
from tests.unit.training.pretraining.small_pretraining import encoder_slice


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Two invented ones: `gpus(capability, free GB)`."""

    def plant(capability: tuple[int, int] = (9, 0), free: float = 79.0) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90"])
        monkeypatch.setattr(torch.cuda.nccl, "version", lambda: (2, 27, 5))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free * 1e9, 80e9))
        monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr(compilation, "compile_problem", lambda: None)

    return plant


def test_a_processor_says_what_it_could_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = lines(device.check_devices())
    assert found.startswith(
        "skip GPU: torch sees none, so nothing is said of its kernels, of bf16 against fp32, of NCCL"
    )
    assert list(device.check_trainings([encoder_slice()])) == []


def test_what_gpus_are(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus()
    assert lines(device.check_devices()) == [
        f"ok   torch {torch.__version__} for CUDA 13.0, cuDNN 91002, NCCL 2.27.5, kernels sm_75 sm_80 sm_90",
        "ok   GPU 0: compute capability 9.0, bf16 and TF32",
        "ok   GPU 1: compute capability 9.0, bf16 and TF32",
        "ok   torch.compile has all that it needs",
    ]
    gpus(capability=(7, 5), free=20.0)
    monkeypatch.setattr(compilation, "compile_problem", lambda: "a C compiler for Triton")
    found = lines(device.check_devices())
    assert found[1].startswith("warn GPU 0: compute capability 7.5 has no bf16 or TF32")
    assert found[2] == "warn GPU 0: 20 of 80 GB free: others are on it, see `nvidia-smi`"
    assert found[-1] == "warn torch.compile (`pretrain.compile`, `--compile`) lacks a C compiler for Triton"
    gpus(capability=(12, 0))
    assert lines(device.check_devices())[1].startswith(
        "fail GPU 0: compute capability 12.0, for which this torch has no"
    )


@pytest.mark.parametrize(
    ("capability", "archs", "runs"),
    [
        ((8, 6), ["sm_80"], True),  # a later one of the generation
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80"], False),
        ((9, 0), ["sm_90a"], True),
        ((12, 0), ["sm_80", "compute_90"], True),  # made from PTX at the start
        ((7, 0), ["compute_90"], False),
        ((12, 0), [], False),
    ],
)
def test_machine_code_and_ptx(capability, archs, runs) -> None:
    assert device.has_kernels(capability, archs) is runs


@pytest.mark.parametrize(
    ("precision", "loss", "front", "gradient", "layer", "level"),
    [
        ("bf16", 0.009, 0.02, 0.19, 0.02, "ok"),
        ("bf16", 0.011, 0.02, 0.1, 0.02, "fail"),
        ("bf16", 0.001, 0.031, 0.1, 0.02, "fail"),
        ("bf16", 0.001, 0.02, 0.21, 0.02, "fail"),
        ("bf16", 0.001, 0.02, 0.1, 0.031, "fail"),
        ("fp32", 0.009, 0.0, 0.0, 0.0, "fail"),
        ("tf32", 0.002, 0.009, 0.09, 0.009, "ok"),
        ("bf16", float("nan"), 0.01, 0.1, 0.02, "fail"),
        ("bf16", 0.001, float("nan"), 0.1, 0.02, "fail"),
        ("bf16", 0.001, 0.01, 0.1, float("nan"), "fail"),
    ],
)
def test_numbers_that_are_too_far_apart(precision, loss, front, gradient, layer, level) -> None:
    seen = {"precision": precision, "loss": loss, "frontend": [front, gradient], "layer": ["layers.3", layer]}
    found = device.judge("tiny on GPU 1", seen)
    assert found.level == level
    assert found.text.startswith(f"tiny on GPU 1: a step in {precision} against float32 on the processor: loss ")
    assert (
        f"its gradient {gradient:.1e} (at most {device.BOUNDS[precision][2]:g}), layers.3 {layer:.1e} (" in found.text
    )
    assert found.text.endswith(": its kernels calculate wrong; try another torch or driver, and another card") is (
        level == "fail"
    )


def test_slow_links_and_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device.judge_bandwidth(8, 300.0) == ("ok", "NCCL: an all-reduce over 8 GPUs, 300 GB/s")
    assert device.judge_bandwidth(8, 3.0).level == "warn"
    config = PretrainConfig(steps=1, precision="bf16", num_workers=6)
    seen = {"seconds": 0.304, "segments": 1024, "memory": 55.4, "host": 22.1}
    for limit, level in ((26.8e9, "fail"), (27.0e9, "ok")):  # 22.1 and 48 loaders of 0.1
        monkeypatch.setattr(device, "host_memory", lambda limit=limit: limit)
        update, memory = device.judge_update("base", 8, seen, config)
        assert update == ("ok", "base: an update of 1024 segments in bf16 on 8 GPUs takes 0.30 s and 55 GB of each")
        assert (memory.level, memory.text[:57]) == (level, "base: 8 ranks and their loaders take 27 GB of host memory")


def trial(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> list[str]:
    """What is found where the trial is this script."""
    broken = folder / "python"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    return lines(device.check_trainings([encoder_slice()]))


def test_every_gpu_is_compared_and_then_all_train(gpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of those that are visible calculates wrong, and is number 7 of the machine."""
    gpus()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "9")
    found = trial(
        tmp_path, monkeypatch,
        """
[ -f "$4" ] || exit 9
if [ "$3" = compare ]; then
    [ -z "$WORLD_SIZE$SLURM_STEP_NUM_TASKS" ] || exit 9
    [ "$CUDA_VISIBLE_DEVICES" = 7 ] && loss=0.5 || loss=0.0001
    echo "{\\"precision\\": \\"bf16\\", \\"loss\\": $loss, \\"frontend\\": [0.01, 0.01], \\"layer\\": [\\"a\\", 0.01]}"
else
    [ "$WORLD_SIZE $CUDA_VISIBLE_DEVICES" = "2 5,7" ] || exit 9
    echo "NCCL version 2.27.5"
    [ "$RANK" = 0 ] && echo '{"bandwidth": 100.0}'
    [ "$RANK" = 0 ] && echo '{"seconds": 1.0, "segments": 16, "memory": 3.0, "host": 1.0}'
fi
exit 0
""",
    )  # fmt: skip
    assert [line[:40] for line in found] == [
        "ok   tiny on GPU 0: a step in bf16 again", "fail tiny on GPU 1: a step in bf16 again",
        "ok   NCCL: an all-reduce over 2 GPUs, 10", "ok   tiny: an update of 16 segments in f",
        "ok   tiny: 2 ranks and their loaders tak",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried' >&2; exit 1",
            "it does not fit into the GPU's memory",
        ),
        ("kill -9 $$", "killed, as where host memory runs out"),
        (
            "echo Traceback >&2; echo 'RuntimeError: CUDA error: no kernel' >&2; exit 1",
            "RuntimeError: CUDA error: no kern",
        ),
    ],
)
def test_a_rank_that_fails_ends_the_others(gpus, tmp_path: Path, monkeypatch, script: str, why: str) -> None:
    """The first waits for it, and would for long: the reason is that of the second, not that time is over."""
    gpus()
    monkeypatch.setattr(device, "TRIAL_SECONDS", 10)
    monkeypatch.setattr(device, "LAST_WORDS_SECONDS", 0)
    found = trial(tmp_path, monkeypatch, f'[ "$3" = compare ] && exit 0\n[ "$RANK" = 0 ] && exec sleep 60\n{script}')
    (line,) = found
    assert line.startswith(f"fail tiny, rank 1 of 2: {why}")


def test_a_gpu_that_fails_says_nothing_of_another(gpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setattr(device, "LAST_WORDS_SECONDS", 0)
    found = trial(
        tmp_path, monkeypatch,
        """
[ "$3" = compare ] || exit 0
[ "$CUDA_VISIBLE_DEVICES" = 5 ] && echo 'RuntimeError: CUDA error: ECC' >&2 && exit 1
sleep 1
echo '{"precision": "bf16", "loss": 0.0001, "frontend": [0.01, 0.01], "layer": ["a", 0.01]}'
""",
    )  # fmt: skip
    assert [line[:47] for line in found] == [
        "fail tiny on GPU 0: RuntimeError: CUDA error: E", "ok   tiny on GPU 1: a step in bf16 against floa",
    ]  # fmt: skip


def test_one_that_failed_says_why_where_another_hangs(gpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setattr(device, "TRIAL_SECONDS", 2)
    found = trial(
        tmp_path, monkeypatch,
        """
[ "$3" = compare ] || exit 0
[ "$CUDA_VISIBLE_DEVICES" = 5 ] && exec sleep 60
echo 'RuntimeError: CUDA error: ECC' >&2
exit 1
""",
    )  # fmt: skip
    assert [line[:47] for line in found] == [
        "fail tiny on GPU 0: not done within 2 s; see it", "fail tiny on GPU 1: RuntimeError: CUDA error: E",
    ]  # fmt: skip


def test_a_trial_that_hangs(gpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus()
    monkeypatch.setattr(device, "TRIAL_SECONDS", 0.5)
    found = trial(tmp_path, monkeypatch, '[ "$3" = compare ] && exit 0\nexec sleep 60')
    assert [line.split(":")[1] for line in found] == [" not done within 0.5 s; see it all with NCCL_DEBUG=INFO and `python -m "
                                                      "ecglfm.app.doctor.device_trial`"] * 2  # fmt: skip


def test_no_encoder_to_train(gpus) -> None:
    gpus()
    assert lines(device.check_trainings([]))[0].startswith("warn no encoder of the config is pretrained")
