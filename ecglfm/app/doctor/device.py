"""`ecglfm doctor --gpu`: whether the GPUs of this machine calculate right, and hold the trainings of the config."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ecglfm.app.doctor.finding import Finding, fail, ok, skip, warn
from ecglfm.app.doctor.host_memory import host_memory
from ecglfm.config import EncoderSlice, PretrainConfig

TRIAL = "ecglfm.app.doctor.device_trial"
TRIAL_SECONDS = 900  # 600M parameters are built on the processor, and may be compiled
#: How far from float32 on the processor may be, as shares: the loss, the front end's output and gradient, any layer.
#: float32 and TF32 only sum in another order and round to 2^-24 and 2^-11, bfloat16 to 2^-9, and a part has some ten
#: roundings: in bf16 on a processor 0.8 % for `tiny`, `small` and `base` alike, and 0.2 % of the loss, a mean over many
#: terms. Gradients through ReLUs (of `ecg-cpc`: 9 %) go with the root of it: what is rounded to the other side of zero
#: passes as a whole. A kernel that is wrong is off by its own size, and so is a broken card.
BOUNDS = {"fp32": (1e-3, 1e-3, 1e-2, 1e-3), "tf32": (3e-3, 1e-2, 1e-1, 1e-2), "bf16": (1e-2, 3e-2, 2e-1, 3e-2)}
LAST_WORDS_SECONDS = 2  # that others have to say why, where one failed
SLOW_GB_PER_SECOND = 10  # less than one PCIe 4 slot of 16 lanes gives; NVLink gives 100 to 450
LOADER_GB = 0.1  # of a loader process, beside what it shares
FREE = 0.9  # share of a GPU's memory that is free where nobody else is on it


def check_devices() -> Iterator[Finding]:
    """What this torch, and each GPU, is and can do."""
    import torch

    from ecglfm.training.compilation import compile_problem

    if not torch.cuda.is_available():
        yield skip(
            "GPU: torch sees none, so nothing is said of its kernels, of bf16 against fp32, of NCCL between GPUs and of"
            " what a training takes of its memory; run this in a job that has the GPUs of a training"
        )
        return
    archs = torch.cuda.get_arch_list()
    nccl = ".".join(map(str, torch.cuda.nccl.version()))
    yield ok(f"torch {torch.__version__} for CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, "
             f"NCCL {nccl}, kernels {' '.join(archs)}")  # fmt: skip
    for number in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(number)
        free, total = (size / 1e9 for size in torch.cuda.mem_get_info(number))
        name = f"GPU {number}: compute capability {capability[0]}.{capability[1]}"
        if not has_kernels(capability, archs):
            yield fail(
                f"{name}, for which this torch has no kernels: install one for a CUDA that knows it, see pytorch.org"
            )
        elif capability < (8, 0):
            yield warn(f"{name} has no bf16 or TF32 (Ampere and later have): write `precision: fp16` or fp32")
        else:
            yield ok(f"{name}, bf16 and TF32")
        if free < FREE * total:
            yield warn(f"GPU {number}: {free:.0f} of {total:.0f} GB free: others are on it, see `nvidia-smi`")
    lacking = compile_problem()
    if lacking is None:
        yield ok("torch.compile has all that it needs")
    else:
        yield warn(f"torch.compile (`pretrain.compile`, `--compile`) lacks {lacking}")


def has_kernels(capability: tuple[int, int], archs: Sequence[str]) -> bool:
    """Whether a torch built for `archs` (`sm_90`, `compute_120`) runs on a device.

    Machine code (sm) is for later devices of the same generation, too; PTX (compute) for all later ones. NVIDIA CUDA
    C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility".
    """
    for arch in archs:
        kind, number = re.fullmatch(r"(\w+)_(\d+)[af]?", arch).groups()  # type: ignore[union-attr]
        built = divmod(int(number), 10)
        if built <= capability and (kind == "compute" or built[0] == capability[0]):
            return True
    return False


def check_trainings(slices: Sequence[EncoderSlice]) -> Iterator[Finding]:
    """A step of each pretraining on each GPU, held against the processor, then updates on all of them together."""
    import torch

    if not torch.cuda.is_available():
        return
    if not slices:
        yield warn("no encoder of the config is pretrained, so no step was made: name one with `--gpu NAME`")
    for slice_ in slices:
        with tempfile.TemporaryDirectory(prefix="ecglfm-doctor-") as folder:
            path = Path(folder) / "slice.yaml"
            path.write_text(yaml.safe_dump(slice_.model_dump(mode="json")))
            yield from _compare(slice_, path, torch.cuda.device_count())
            yield from _train(slice_, path, torch.cuda.device_count())


def _compare(slice_: EncoderSlice, path: Path, devices: int) -> Iterator[Finding]:
    """Numbers of each GPU by itself."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(devices)))).split(",")
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "RANK", "WORLD", "LOCAL"))
    }
    trials = _run(["compare", str(path)], [alone | {"CUDA_VISIBLE_DEVICES": name} for name in visible], together=False)
    for number, trial in enumerate(trials):
        for seen in trial.seen:
            yield judge(f"{slice_.encoder} on GPU {number}", seen)
        if trial.status:
            yield fail(f"{slice_.encoder} on GPU {number}: {trial.why()}")


def judge(what: str, seen: Mapping[str, Any]) -> Finding:
    """What a comparison of `device_trial.compare` says of one precision."""
    most, (front, gradient), (layer, share) = BOUNDS[seen["precision"]], seen["frontend"], seen["layer"]
    found = {"loss": seen["loss"], "front end": front, "its gradient": gradient, layer: share}
    apart = ", ".join(
        f"{name} {far:.1e} (at most {bound:g})" for (name, far), bound in zip(found.items(), most, strict=True)
    )
    text = f"{what}: a step in {seen['precision']} against float32 on the processor: {apart}"
    if all(far <= bound for far, bound in zip(found.values(), most, strict=True)):  # not of NaN
        return ok(text)
    return fail(f"{text}: its kernels calculate wrong; try another torch or driver, and another card")


def _train(slice_: EncoderSlice, path: Path, devices: int) -> Iterator[Finding]:
    """Updates as configured, by a rank for each GPU."""
    from ecglfm.training.launcher import environments

    config = slice_.config.pretrain
    assert config is not None
    trials = _run(["train", str(path)], environments(devices, path.with_name("store")))
    for seen in trials[0].seen:
        if "bandwidth" in seen:
            yield judge_bandwidth(devices, seen["bandwidth"])
        else:
            yield from judge_update(slice_.encoder, devices, seen, config)
    for number, trial in enumerate(trials):
        if trial.status and not trial.ended:
            yield fail(f"{slice_.encoder}, rank {number} of {devices}: {trial.why()}")


def judge_bandwidth(devices: int, speed: float) -> Finding:
    """What GB/s of an all-reduce say."""
    text = f"NCCL: an all-reduce over {devices} GPUs, {speed:.0f} GB/s"
    if speed >= SLOW_GB_PER_SECOND:
        return ok(text)
    return warn(f"{text}: slower than a PCIe slot; `nvidia-smi topo -m` and NCCL_DEBUG=INFO say which way it goes, and"
                " `pretrain.accumulate` sends less often")  # fmt: skip


def judge_update(name: str, devices: int, seen: Mapping[str, Any], config: PretrainConfig) -> Iterator[Finding]:
    """What updates on all GPUs say of their memory and of that of the machine."""
    loaders = LOADER_GB * devices * config.num_workers
    yield ok(
        f"{name}: an update of {seen['segments']} segments in {config.precision} on {devices} GPUs takes"
        f" {seen['seconds']:.2f} s and {seen['memory']:.0f} GB of each"
    )
    limit, needed = host_memory() / 1e9, seen["host"] + loaders
    text = f"{name}: {devices} ranks and their loaders take {needed:.0f} GB of host memory, of {limit:.0f}"
    if needed <= limit:
        yield ok(text)
    else:
        yield fail(f"{text}: ask for more (`mem_mb` of `pretrain_encoder` in the profile)")


class _Trial(NamedTuple):
    """What a process of a trial said; `ended`: because another one failed."""

    status: int
    seen: list[dict[str, Any]]
    error: str
    ended: bool

    def why(self) -> str:
        """Why it failed, and what helps."""
        last = next(iter(reversed(self.error.strip().splitlines())), f"exit status {self.status}")
        if "OutOfMemoryError" in last:
            return (
                "it does not fit into the GPU's memory: lower `pretrain.batch_size`, with `accumulate` for the same"
                " batch, or write `activation_checkpointing: true`, `precision: bf16` or `zero_stage: 1`"
            )
        if self.status == -signal.SIGKILL and not last.startswith("not done"):
            return f"killed, as where host memory runs out: there are {host_memory() / 1e9:.0f} GB; ask for more"
        return f"{last}; see it all with NCCL_DEBUG=INFO and `python -m {TRIAL}`"


def _run(arguments: Sequence[str], environments: Sequence[Mapping[str, str]], *, together: bool = True) -> list[_Trial]:
    """Run the trial once in each environment, side by side, none for too long; `together`: one that fails ends all."""
    command = [sys.executable, "-m", TRIAL, *arguments]
    with tempfile.TemporaryDirectory(prefix="ecglfm-doctor-") as folder:
        files = [
            (Path(folder) / f"{number}.out", Path(folder) / f"{number}.err") for number in range(len(environments))
        ]
        processes = []
        for environment, (out, err) in zip(environments, files, strict=True):
            with out.open("w") as stdout, err.open("w") as stderr:
                processes.append(subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr))
        until, ended, late = time.monotonic() + TRIAL_SECONDS, set[int](), ""
        while None in (codes := [process.poll() for process in processes]):
            if together and any(codes):
                time.sleep(LAST_WORDS_SECONDS)
            elif time.monotonic() < until:
                time.sleep(0.1)
                continue
            else:
                late = f"not done within {TRIAL_SECONDS} s"
            for number, process in enumerate(processes):
                if process.poll() is None:
                    process.kill()
                    process.wait()
                    ended.add(number)
        return [
            _Trial(
                process.returncode,
                _lines(out),
                late if late and number in ended else err.read_text(),
                number in ended and not late,
            )
            for number, (process, (out, err)) in enumerate(zip(processes, files, strict=True))
        ]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The JSON among what was said; libraries say other things."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
