"""What a step moves and multiplies, operation by operation, counted while it runs on the device `meta`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

#: By the operation alone, wherever it is asked for.
_BY_NAME = {
    "matrix products": ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward"),
    "norms": (
        "native_layer_norm", "native_layer_norm_backward", "native_group_norm", "native_group_norm_backward",
        "native_batch_norm", "native_batch_norm_backward",
    ),
    "attention kernel": (
        "_scaled_dot_product_efficient_attention", "_scaled_dot_product_efficient_attention_backward",
    ),
}  # fmt: skip
_PART_OF = {name: part for part, names in _BY_NAME.items() for name in names}
#: By the file of the product that asks for it, the innermost that is named here.
_BY_FILE = {
    "layers/fast/linear.py": "activations",
    "layers/fast/depthwise.py": "activations",
    "layers/fast/attention.py": "attention bias",
    "layers/normalization.py": "norms",
    "encoders/conformer.py": "residual stream",
    "encoders/wav2vec2.py": "residual stream",
}
_TAG = "ecglfm.part"
#: Written without being read before, though the schema says that they are changed.
_FILLS = {"copy_", "zero_", "fill_", "bernoulli_", "random_", "normal_", "uniform_"}
#: Beginnings of the names of what only writes; an input gives a size.
_MADE = ("zeros", "new_zeros", "ones", "new_ones", "full", "new_full")
#: Filled first, into which the input is copied then.
_PADS = {"constant_pad_nd", "slice_backward", "select_backward"}


@dataclass(frozen=True)
class Operation:
    """One kernel, or the few of one operation.

    Attributes
    ----------
    name, part : str
        PyTorch's name, and what it is for: one of `ecglfm.benchmark.gpu.roofline.PARTS`.
    bytes : int
        Read and written: each input and each result once.
    flops : int
        Of products; 0 for others.
    dtype : torch.dtype
        Of the first input.
    """

    name: str
    part: str
    bytes: int
    flops: int
    dtype: torch.dtype


class Traffic(TorchDispatchMode):
    """Counts what is done to tensors on another device than the CPU, forward and backward.

    Attributes
    ----------
    operations : list of Operation
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        read, written = _tensors(func, args, kwargs, out)
        moved = sum(map(_bytes, read)) + sum(map(_bytes, written))
        if moved and any(x.device.type != "cpu" for x in (*read, *written)):
            name = func._schema.name.split("::")[1]
            if name in _PADS:
                moved += sum(map(_bytes, read))
            first = (read or written)[0]
            flops = _flops(func, name, args, kwargs, out)
            self.operations.append(Operation(name, self._part(name, read, written), moved, flops, first.dtype))
        return out

    def _part(self, name: str, read: list[Tensor], written: list[Tensor]) -> str:
        asked = _asked_for(name)
        if asked == "attention bias" and name == "bmm":
            return asked
        if asked == "activations" and name == "sum":
            return "matrix products"  # the gradient of a Linear's bias
        if name in _PART_OF:
            return _PART_OF[name]
        if name in {"_to_copy", "copy_"} and read and read[-1].dtype != written[0].dtype:
            return "casts"
        return asked

    def mark(self, out: Any) -> None:
        """Have the backward pass of what was just done count for the part that asked for it."""
        part = _BY_FILE.get(_file() or "", "rest")
        waiting = [x.grad_fn for x in tree_leaves(out) if isinstance(x, Tensor) and x.grad_fn is not None]
        while waiting:
            node = waiting.pop()
            tags: Any = node.metadata
            if _TAG not in tags:
                tags[_TAG] = part
                waiting += [before for before, _ in node.next_functions if before is not None]


def _asked_for(name: str) -> str:
    """The part that the operation at hand is for."""
    file = _file()
    if file is not None:
        return _BY_FILE[file]
    if name == "add" and torch._C._current_graph_task_id() >= 0:
        return "residual stream"  # gradients of what is used more than once meet outside of any node
    node: Any = torch._C._current_autograd_node()
    return "rest" if node is None else node.metadata.get(_TAG, "rest")


def _file() -> str | None:
    """The innermost file on the stack that `_BY_FILE` names."""
    frame = sys._getframe(1)
    while frame is not None:
        _, found, name = frame.f_code.co_filename.replace("\\", "/").rpartition("/ecglfm/models/")
        if found and name in _BY_FILE:
            return name
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _tensors(func: Any, args: Any, kwargs: Any, out: Any) -> tuple[list[Tensor], list[Tensor]]:
    """What an operation reads and what it writes; neither, where it only looks at memory in another way."""
    name = func._schema.name.split("::")[1]
    read: list[Tensor] = []
    written: list[Tensor] = []
    for number, argument in enumerate(func._schema.arguments):
        value = args[number] if number < len(args) else kwargs.get(argument.name)
        found = [x for x in tree_leaves(value) if isinstance(x, Tensor)]
        changed = argument.alias_info is not None and argument.alias_info.is_write
        if changed:
            written += found
        if not changed or not (name in _FILLS or argument.is_out):
            read += found
    known = {x.untyped_storage()._cdata for x in (*read, *written)}
    results = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
    written += [x for x in results if x.untyped_storage()._cdata not in known]
    if not written or name.startswith(("empty", "new_empty")):
        return [], []
    return [] if name.startswith(_MADE) or name.endswith("_like") else read, written


def _bytes(x: Tensor) -> int:
    """Of a tensor's elements, each place in memory once: an expanded dimension is one."""
    return prod(size for size, step in zip(x.shape, x.stride(), strict=True) if step) * x.element_size()


def _flops(func: Any, name: str, args: Any, kwargs: Any, out: Any) -> int:
    """Of products and attention, by PyTorch's own formulas; of convolutions by their groups, which those leave out."""
    if name == "convolution":
        return 2 * out.numel() * prod(args[1].shape[1:])
    if name == "convolution_backward":
        return 2 * args[0].numel() * prod(args[2].shape[1:]) * sum(args[10][:2])
    formula = flop_registry.get(func._overloadpacket)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=out))
