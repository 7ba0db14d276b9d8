"""`torch.compile` of the layers of an encoder, what it lacks on a machine, and how a process does without it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ecglfm.config import UserError

#: A layer's convolution has one dimension. PyTorch would keep what lies before it, queries, keys, values and weights of
#: attention, for the backward pass as an image is best convolved: by a copy of each, which the kernels copy back.
_OPTIONS = {"layout_optimization": False}


def compile_problem() -> str | None:
    """What `torch.compile` lacks on this machine, None for nothing."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        return f"a C++ compiler: there is no {compiler} (install one, or set CXX)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's headers: there is no Python.h (install python3-dev)"
    if not torch.cuda.is_available():
        return None
    if importlib.util.find_spec("triton") is None:
        return "Triton, which writes the kernels of a GPU (pip install triton, in the version that this torch asks for)"
    if not any(map(shutil.which, filter(None, (os.environ.get("CC"), "gcc", "clang")))):
        return "a C compiler for Triton: there is no gcc or clang (install one, or set CC)"
    return None


def compile_layers(encoder: nn.Module, *, asked: str) -> None:
    """Compile the layers of an encoder, or of its context: all share one compiled form, made within a minute.

    Parameters
    ----------
    encoder : nn.Module
        With `layers`, or with a `context` that has them.
    asked : str
        What the user wrote, for the message.

    Raises
    ------
    UserError
        The machine lacks what is needed, or the encoder has no layers that repeat.
    """
    if (lacking := compile_problem()) is not None:
        raise UserError(f"{asked} needs {lacking}")
    layers: Any = getattr(getattr(encoder, "context", encoder), "layers", None)
    if layers is None:
        raise UserError(f"{asked}: this encoder has no layers that are alike; leave it out")
    for layer in layers:
        layer.compile(options=_OPTIONS)


def leave_compiler_out() -> None:
    """Let optimizers do without PyTorch's compiler, whose import takes 2 s and 60 MB in each process of a training.

    They ask it to leave alone what they do when a group is added and at each step. Nothing of theirs is compiled here.
    In a PyTorch that is made otherwise nothing happens, and the compiler is imported as before.
    """
    for method in vars(torch.optim.Optimizer).values():
        if (plain := getattr(method, "__wrapped__", None)) is not None:
            plain.__dynamo_disable = plain  # where `torch._disable_dynamo` keeps what the compiler has made of it
    step: Any = torch.optim.Adam.step
    if (plain := getattr(step, "__wrapped__", None)) is not None and not hasattr(step, "hooked"):  # nor in use
        torch.optim.Adam.step = torch.no_grad()(plain)  # type: ignore[method-assign]
