"""`pretrain.precision: fp8`: the layers' linear maps multiply in 8-bit floats, by torchao; all else is as with bf16.

Weights keep their names and shapes and are float32 for the optimizer; what enters a product is scaled by its largest
value, tensor by tensor: E4M3 forwards, E5M2 for gradients (Micikevicius et al., arXiv:2209.05433).
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from ecglfm.config import UserError
from ecglfm.extras import need

logger = logging.getLogger(__name__)

_CAPABILITY = (8, 9)  # Ada and Hopper; torchao's kernels need it
_MULTIPLE = 16  # of both widths of a product, which the kernels ask for


def float8_problem() -> str | None:
    """Why this machine cannot multiply in 8-bit floats, None where it can."""
    if not torch.cuda.is_available():
        return "a GPU that has it, and there is none here"
    if (found := torch.cuda.get_device_capability()) < _CAPABILITY:
        name, need_, has = torch.cuda.get_device_name(), ".".join(map(str, _CAPABILITY)), ".".join(map(str, found))
        return f"a GPU of compute capability {need_} or more (H100, H200, L40S); {name} has {has}"
    return None


def use_float8(encoder: nn.Module, *, emulate: bool = False) -> int:
    """Let the linear maps of an encoder's layers multiply in 8-bit floats.

    Parameters
    ----------
    encoder : nn.Module
        Changed in place: its maps within lists of layers, both of whose widths are multiples of 16. Front end, heads
        and whatever an objective adds stay as they are.
    emulate : bool
        Round as the kernels do and multiply in float32, for tests on a CPU.

    Returns
    -------
    int
        Maps that do.

    Raises
    ------
    UserError
        torchao is missing, or is none for this torch; or no map can.
    """
    need("torchao", extra="fp8", what="precision: fp8")
    try:
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
    except (AttributeError, ImportError) as error:  # torchao 0.18 beside torch 2.6
        mend = "install the torchao that was made for this torch, or write bf16"
        raise UserError(
            f"precision: fp8: torchao {version('torchao')} does not go with torch {torch.__version__} ({error}); {mend}"
        ) from None

    chosen = []
    lists = {name for name, part in encoder.named_modules() if isinstance(part, nn.ModuleList)}

    def fits(module: nn.Module, name: str) -> bool:
        parents = name.split(".")
        within = any(".".join(parents[:end]) in lists for end in range(1, len(parents)))
        can = isinstance(module, nn.Linear) and not (module.in_features % _MULTIPLE or module.out_features % _MULTIPLE)
        if within and can:
            chosen.append(name)
        return within and can

    # A weight's gradient sums over rows (records x frames), whose number is anything: padded to a multiple of 16.
    config: Any = Float8LinearConfig(emulate=emulate, pad_inner_dim=True)
    convert_to_float8_training(encoder, config=config, module_filter_fn=fits)
    if not chosen:
        raise UserError("precision: fp8: no linear map of this encoder's layers has widths of 16 and its multiples")
    logger.info("%d linear maps multiply in fp8", len(chosen))
    return len(chosen)
