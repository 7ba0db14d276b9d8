"""DeepSpeed, set up in one place: our config becomes its JSON, our optimizer its optimizer.

The engine owns accumulation, clipping, loss scaling, ZeRO and the update. Nothing of it is compiled:
a first start costs seconds, on any machine.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, PretrainConfig, UserError
from ecglfm.extras import need
from ecglfm.models.layers import MaskedBatchNorm
from ecglfm.process import give_back_memory
from ecglfm.training.compilation import compile_layers, leave_compiler_out
from ecglfm.training.deepspeed_json import deepspeed_json
from ecglfm.training.float8 import use_float8
from ecglfm.training.loss_scale import leave_faults_to_us
from ecglfm.training.precision import HALF, Autocast, set_precision

logger = logging.getLogger(__name__)


def initialize(
    module: nn.Module, config: PretrainConfig | FinetuneConfig, groups: Iterable[dict[str, Any]] | None = None
) -> Any:
    """Wrap a module in DeepSpeed's engine; the process group must stand (`distributed.init`).

    Parameters
    ----------
    module : nn.Module
        Its forward takes the input tensor first. For pretraining an `Objective`.
    config : PretrainConfig or FinetuneConfig
    groups : iterable of dict, optional
        Parameter groups of AdamW; `lr` and the like in a group win over the config. Default: one group
        of every parameter that needs a gradient.

    Returns
    -------
    deepspeed.DeepSpeedEngine
        `engine(x, …)`, `engine.backward(loss)`, `engine.step()`; `engine.device` is where input belongs.

    Raises
    ------
    UserError
        fp16 without a GPU, `compile` without a compiler or Python's headers, `half_residual` of another encoder than a
        Conformer, or a mistake in `pretrain.deepspeed`.
    """
    set_precision(config.precision)
    if isinstance(config, PretrainConfig):
        prepare_layers(module, config)
    deepspeed = _import_deepspeed()
    content = deepspeed_json(config)
    if groups is None:
        groups = [{"params": [parameter for parameter in module.parameters() if parameter.requires_grad]}]
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    if isinstance(config, PretrainConfig):
        options |= {"betas": config.betas, "eps": config.eps}
    else:
        options |= {"betas": (0.9, 0.98), "eps": 1e-8}  # ECG-LFM's fine-tuning
    leave_compiler_out()
    optimizer = torch.optim.AdamW(list(groups), fused=True, **options)  # each number is read and written once
    wrapped = Autocast(module, HALF[config.precision]) if config.precision in HALF else module
    engine, *_ = deepspeed.initialize(model=wrapped, optimizer=optimizer, config=content)
    leave_faults_to_us(engine)
    _say_batch_norm(module, config)
    if not engine.zero_optimization():  # it replaces what is updated
        _allocate_moments(optimizer)
    if distributed.world_size() == 1 and not engine.zero_optimization():
        # Nobody to agree with: DeepSpeed would copy all gradients into buckets of 2 GB, and back.
        engine.enable_backward_allreduce = False
    if engine.device.type == "cuda":
        give_back_memory()  # that of the weights, which have left
    logger.info(describe_rank(engine.device, config.precision))
    return engine


def describe_rank(device: torch.device, precision: str) -> str:
    """One line for the log, as `rank 0 of 16 on cuda:0 NVIDIA H100, nccl, bf16`."""
    name = f" {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    where = f"rank {distributed.rank()} of {distributed.world_size()} on {device}{name}"
    return f"{where}, {torch.distributed.get_backend()}, {precision}"


def _say_batch_norm(module: nn.Module, config: PretrainConfig | FinetuneConfig) -> None:
    """Say where several ranks are not one with their batches together."""
    ranks = distributed.world_size()
    norms = [part for part in module.modules() if isinstance(part, MaskedBatchNorm)]
    if ranks > 1 and any(norm.training and not norm.sync for norm in norms):
        unit = "pairs" if isinstance(config, PretrainConfig) else "records"
        logger.warning(
            "BatchNorm takes its statistics over the %d %s of each process, not over those of all %d, and rank 0's are"
            " kept; where a model has them `norm_sync: true` takes them over all, `norm: group` over each record",
            config.batch_size, unit, ranks,
        )  # fmt: skip


def _allocate_moments(optimizer: torch.optim.AdamW) -> None:
    """Make Adam's state as its first step would; by then it would lie between activations, in the way of others."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }


def prepare_layers(objective: nn.Module, config: PretrainConfig) -> None:
    """Set how the encoder's layers are carried out; names and shapes of weights stay.

    Raises
    ------
    UserError
        `compile` without a compiler, `half_residual` of an encoder that has none, or fp8 of one that cannot.
    """
    context: Any = objective.encoder.context  # type: ignore[union-attr]
    context.checkpointing = config.activation_checkpointing
    if config.half_residual:
        if not hasattr(context, "half_residual"):
            raise UserError("pretrain.half_residual: only a Conformer (model.kind) has it")
        context.half_residual = True
    if config.precision == "fp8":
        use_float8(objective.encoder)  # type: ignore[arg-type]
        if not config.compile:
            logger.warning(
                "precision: fp8 with compile: false is slower than bf16: with rounding and scaling as kernels of"
                " their own a layer moves three times its bytes (counted, docs/performance-notes.md)"
            )
    if config.compile:
        compile_layers(context, asked="pretrain.compile: true")


def _import_deepspeed() -> Any:
    """Import DeepSpeed, quietly, and keep it from compiling anything."""
    need("deepspeed", extra="train", what="training")
    # The autotuner, which its launcher alone uses, would import MLflow: 2 s in every process of a training.
    autotuner: Any = ModuleType("deepspeed.autotuning.autotuner")
    autotuner.Autotuner = None
    sys.modules.setdefault(autotuner.__name__, autotuner)
    if not torch.accelerator.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    import deepspeed.ops
    import deepspeed.runtime.compiler
    import deepspeed.utils

    # Its Muon, which ZeRO imports and nobody uses here, would import PyTorch's compiler to be decorated with it.
    deepspeed.runtime.compiler.compile = lambda: lambda function: function
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")  # DeepSpeed's calls
    # On a CPU, DeepSpeed would compile a shared-memory all-reduce at its first start (about 50 s with two
    # cores) and ask every compiler for its version. We use gloo and torch's AdamW: no operator of its own
    # is needed, so none is declared compatible.
    deepspeed.ops.__compatible_ops__ = defaultdict(bool)
    return deepspeed


def unwrap(engine: Any) -> Any:
    """The module that `initialize` was given."""
    return engine.module.module if isinstance(engine.module, Autocast) else engine.module


def set_learning_rate(engine: Any, rate: float) -> None:
    """Set the learning rate of every parameter group."""
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def gradient_norm(engine: Any) -> torch.Tensor | None:
    """2-norm of the gradients about to be applied, over all ranks and where they lie; None where DeepSpeed knows it.

    To be called after the backward pass of the last forward of an update. ZeRO keeps the gradients
    to itself; there `engine.get_global_grad_norm()` tells after the step.
    """
    if engine.zero_optimization():
        return None
    gradients = [parameter.grad for parameter in engine.module.parameters() if parameter.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def broadcast_buffers(engine: Any) -> None:
    """Give every rank the buffers of rank 0 (running statistics of BatchNorm), which checkpoints keep."""
    if distributed.world_size() > 1:
        for buffer in engine.module.buffers():
            torch.distributed.broadcast(buffer, 0)


def full_state_dict(engine: Any, module: nn.Module, *, everywhere: bool = True) -> dict[str, torch.Tensor]:
    """Weights of `module` (the engine's, or a part of it) in float32 on the CPU, whatever the ZeRO stage.

    Every rank must call it; every rank gets them, or rank 0 alone where `everywhere` is false, which spares a node of
    many GPUs as many copies. The others get nothing.
    """
    wanted = everywhere or distributed.is_main()
    deepspeed = _import_deepspeed()
    state = {
        name: value.detach().float() if value.is_floating_point() else value.detach()
        for name, value in module.state_dict().items()
    }
    partitioned = engine.zero_optimization_partition_weights()
    for name, parameter in module.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter], enabled=partitioned):
            value = parameter.detach().float().cpu().clone() if wanted else parameter.detach()
        if engine.fp16_enabled() and parameter.requires_grad:
            master = deepspeed.utils.safe_get_full_fp32_param(parameter)
            value = value if master is None or not wanted else master.detach().float().cpu().clone()
        state[name] = value
    return {name: value.cpu().contiguous() for name, value in state.items()} if wanted else {}
