"""Fast or plain: the one place where it is decided."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

#: Environment variable that turns every form written by hand off when it is "0".
SWITCH = "ECGLFM_FAST"

#: Hooks on every module there is; newer versions of torch have `_has_any_global_hook`, which asks the same.
_GLOBAL_HOOKS = (
    hooks._global_forward_hooks, hooks._global_forward_pre_hooks,
    hooks._global_backward_hooks, hooks._global_backward_pre_hooks,
)  # fmt: skip

Classes = tuple[type[nn.Module], ...]


def exporting() -> bool:
    """Whether a graph for inputs of any length is being recorded (`ecglfm.models.export`)."""
    return bool(torch.jit.is_tracing() or torch.onnx.is_in_onnx_export())


def fast(x: Tensor, *stood_for: tuple[nn.Module, Classes], inference: bool = False, anywhere: bool = False) -> bool:
    """Whether a form may take the weights of modules instead of calling them.

    Parameters
    ----------
    x : Tensor
        What enters.
    *stood_for : pairs of nn.Module and classes
        The modules that would not be called, each with the classes whose `forward` the form does.
    inference : bool
        Whether the form is worth it where no gradients are wanted, too.
    anywhere : bool
        Whether it is worth it on other devices than a CPU, too.

    Returns
    -------
    bool
        False where a graph is recorded (compiled, traced, exported), which wants plain operations; where `ECGLFM_FAST`
        is "0"; and where a module is of another class, or calling it would do more than its class does.
    """
    if torch.compiler.is_compiling() or exporting() or os.environ.get(SWITCH) == "0":
        return False
    if not (anywhere or x.device.type == "cpu") or not (inference or torch.is_grad_enabled()):
        return False
    return all(type(module) in classes and _untouched(module) for module, classes in stood_for)


def _untouched(module: nn.Module) -> bool:
    """Whether calling the module is its class's `forward` on tensors of its own, and nothing besides.

    A parametrization, an adapter or a quantisation gives it another class, a `forward` or a tensor of another type.
    """
    hooked = (
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
        or any(_GLOBAL_HOOKS)
    )  # fmt: skip
    own = (
        type(parameter) in {Tensor, nn.Parameter} for parameter in module._parameters.values() if parameter is not None
    )
    return not hooked and "forward" not in vars(module) and all(own)
