"""GPUs of this machine: whether this process was given any, why torch sees none, and how they multiply float32.

torch is imported late: a process hears signals, and lists its options, before that.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

#: Where a process is told of its GPUs: by Slurm, or by whoever starts it.
_GIVEN = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES")
_NONE = {"", "-1", "NoDevFiles"}


def given() -> str | None:
    """What says that this process was given GPUs, as `SLURM_JOB_GPUS=0,1`; None where nothing does."""
    for name in _GIVEN:
        if (value := os.environ.get(name, "").strip()) not in _NONE:
            return f"{name}={value}"
    return None


def driver() -> str | None:
    """Version of the NVIDIA driver; None where no GPU answers."""
    try:
        shown = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return shown.stdout.strip().splitlines()[0] if shown.returncode == 0 and shown.stdout.strip() else None


def why_none() -> str:
    """Why torch cannot use a GPU here, and what mends it."""
    import torch

    version = driver()
    if version is None:
        return "no GPU answers `nvidia-smi` here: look at the driver; a container must be started with its GPUs"
    if torch.version.cuda is None:
        return (
            f"driver {version} is there, but torch {torch.__version__} is built without CUDA: install PyPI's torch"
            " (`make setup` without PIP_FLAGS, in a new environment)"
        )
    return (
        f"torch is built for CUDA {torch.version.cuda} and cannot use driver {version}: take a newer driver or a torch"
        " for an older CUDA, and look at CUDA_VISIBLE_DEVICES"
    )


def device_of(module: nn.Module) -> str:
    """What a person calls the device of a module: `cuda:0 (NVIDIA H200)`, `the processor (4 threads)`."""
    import torch

    device = next((one.device for one in module.parameters()), torch.device("cpu"))  # `statistics` has no parameters
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"the processor ({threads} thread{'s' * (threads > 1)})"


def use_tf32(wanted: bool) -> None:
    """Let products and convolutions of float32 numbers on a GPU take TF32: 10 bits of mantissa, of 23.

    The one place that sets it. PyTorch's own default takes TF32 for convolutions and not for products. What a processor
    multiplies is not touched, which `torch.set_float32_matmul_precision` would.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = wanted
    torch.backends.cudnn.allow_tf32 = wanted


@contextmanager
def tf32(wanted: bool) -> Iterator[None]:
    """Within it `use_tf32(wanted)`; afterwards as before."""
    import torch

    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    use_tf32(wanted)
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = products
        torch.backends.cudnn.allow_tf32 = convolutions
