"""In which numbers a model calculates: what `precision` of a training, or of who asks a model, means.

| precision | products and convolutions | norms, softmax, losses, weights, optimizer |
|---|---|---|
| fp32 | float32, on a GPU too | float32 |
| tf32 | factors rounded to TF32 on a GPU that has it (Ampere and later), summed in float32; else as fp32 | float32 |
| bf16 | bfloat16 | float32 |
| fp16 | float16, the loss scaled | float32, with float16 copies of the weights |
| fp8 | of the layers' linear maps 8-bit floats (`float8.py`), else bfloat16; pretraining alone | float32 |

The forward pass of the first convolution is float32 in all of them (`ecglfm.models.layers.in_float32`); with tf32 its
gradients are taken as all others are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ecglfm import gpu
from ecglfm.config import UserError
from ecglfm.training.float8 import float8_problem

logger = logging.getLogger(__name__)

#: What a processor with units for bf16 products has among its flags; the last two are ARM's.
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
CPUINFO = Path("/proc/cpuinfo")
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.bfloat16}


class Autocast(nn.Module):
    """Run a module's forward in half precision where that is safe; norms, softmax and losses stay float32.

    With bf16 the weights stay float32. With fp16 DeepSpeed keeps float32 masters and scales the loss.
    The context must be inside the module: DeepSpeed switches an outer one off.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        with torch.autocast(x.device.type, dtype=self.dtype):
            return self.module(x, *args, **kwargs)


def set_precision(precision: str) -> None:
    """Set how this process multiplies float32, refuse what cannot run here, and warn of what crawls.

    Raises
    ------
    UserError
        fp16 without a GPU, fp8 without one that has it.
    """
    if precision == "fp8" and (lacking := float8_problem()) is not None:
        raise UserError(f"precision: fp8 needs {lacking}; write bf16")
    if precision == "fp16" and not torch.accelerator.is_available():
        raise UserError("precision: fp16 needs a GPU, and there is none here; write bf16 or fp32")
    if precision == "bf16" and not bf16_is_fast():
        logger.warning(
            "precision: bf16, but this processor has no bf16 instructions: matrix products take up to a thousand"
            " times as long as in fp32; take `precision: fp32`, or a machine that has them"
        )
    gpu.use_tf32(precision == "tf32")


@contextmanager
def calculating(precision: str, device: torch.device) -> Iterator[None]:
    """Within it models calculate in these numbers, whatever was set before; for inference, whose default is fp32."""
    half = torch.autocast(device.type, HALF[precision]) if precision in HALF else nullcontext()
    with gpu.tf32(precision == "tf32"), half:
        yield


def bf16_is_fast() -> bool:
    """Whether this machine multiplies in bf16; a CPU that only imitates it takes five to a thousand times as long."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.accelerator.is_available():
        return True
    supported = torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    flags = _cpu_flags()
    # oneDNN says yes to any AVX-512, whose bf16 products are a fifth as fast as those in fp32 (Ice Lake, measured).
    return supported and (flags is None or bool(flags & BF16_FLAGS))


def _cpu_flags() -> set[str] | None:
    """What the processor can do, as Linux says; None where it does not."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)  # x86 and ARM
    return None if found is None else set(found.group(1).split())
