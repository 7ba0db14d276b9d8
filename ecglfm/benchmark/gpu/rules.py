"""PyTorch's choices on a CUDA device, made on the device `meta`, where nothing is computed: for counting.

Shapes and operations are the product's own and need no GPU, no CUDA and no memory. What PyTorch decides by the device
is done here as for CUDA: which numbers autocast takes, one kernel for dropout, the memory-efficient attention and its
copy of a bias with unaligned rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from ecglfm.models.layers import AUTOCAST

#: By the name of a function: what autocast on CUDA takes in half precision, and what in float32
#: (https://docs.pytorch.org/docs/stable/amp.html), of what encoders and objectives use.
_HALF = {
    "__matmul__", "__rmatmul__", "addbmm", "addmm", "addmv", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "linear",
    "matmul", "mm", "mv", "scaled_dot_product_attention",
}  # fmt: skip
_FULL = {
    "cosine_similarity", "cumsum", "exp", "group_norm", "layer_norm", "log", "log_softmax",
    "logsumexp", "mse_loss", "norm", "pow", "prod", "reciprocal", "rsqrt", "softmax", "softplus", "square", "sum",
}  # fmt: skip
#: The memory-efficient attention wants rows of a bias that begin at multiples of so many elements
#: (`mem_eff_alignment` in PyTorch's ATen/native/transformers/attention.cpp), and else pads a copy.
_ALIGNED = 8


class _Rules(TorchFunctionMode):
    """Calls functions as CUDA would have them called."""

    def __init__(self, seen: Callable[[Any], None] | None) -> None:
        super().__init__()
        self._seen = seen
        self.type, self.on = torch.float16, False  # as CUDA's autocast before anybody enters it
        self._casts: dict[int, tuple[Tensor, Tensor]] = {}  # of weights, made once as long as autocast lasts

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if func is Tensor.backward:
            with self:  # what is computed again there is a forward; PyTorch's own call would leave these rules out
                engine: Any = torch.autograd.Variable._execution_engine
                return engine.run_backward(args, (torch.ones_like(args[0]),), False, False, (), True, True)
        if self.on and name in _HALF | _FULL:
            to = self.type if name in _HALF else torch.float32
            args, kwargs = tree_map_only(Tensor, lambda x: self._cast(x, to), (args, kwargs))
        if name == "scaled_dot_product_attention":
            out = _attention(*args, **kwargs)
        elif func is functional.dropout:
            out = _dropout(*args, **kwargs)
        else:
            out = func(*args, **kwargs)
        if self._seen is not None:
            self._seen(out)
        return out

    def _cast(self, x: Tensor, to: torch.dtype) -> Tensor:
        if not x.is_meta or x.dtype == to or x.dtype not in {torch.float32, torch.bfloat16, torch.float16}:
            return x
        if not (x.requires_grad and x.is_leaf and not x._is_view()):
            return x.to(to)
        if id(x) not in self._casts:
            self._casts[id(x)] = x, x.to(to)
        return self._casts[id(x)][1]

    @contextlib.contextmanager
    def autocast(self, dtype: torch.dtype, enabled: bool) -> Iterator[None]:
        before = self.type, self.on
        self.type, self.on = dtype, enabled
        try:
            yield
        finally:
            self.type, self.on = before
            if not self.on:
                self._casts.clear()


@contextlib.contextmanager
def gpu_rules(seen: Callable[[Any], None] | None = None) -> Iterator[None]:
    """Inside, what is done on `meta` is what would be done on CUDA, under `torch.autocast("meta", …)` too.

    Parameters
    ----------
    seen : callable, optional
        Is given the result of each function, before the next one.
    """
    rules = _Rules(seen)
    real = torch.autocast, torch.amp.is_autocast_available, torch.is_autocast_enabled, torch.get_autocast_dtype

    def autocast(
        device_type: str, dtype: torch.dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> Any:
        if device_type != "meta":
            return real[0](device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)
        return rules.autocast(dtype or rules.type, enabled)

    changed: list[tuple[Any, str, Any]] = [
        (torch, "autocast", autocast),
        (torch.amp, "autocast", autocast),
        (torch.amp, "is_autocast_available", lambda device: device == "meta" or real[1](device)),
        (torch, "is_autocast_enabled", lambda *device: rules.on if device == ("meta",) else real[2](*device)),
        (torch, "get_autocast_dtype", lambda device: rules.type if device == "meta" else real[3](device)),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in changed]
    try:
        for where, name, value in changed:
            setattr(where, name, value)
        AUTOCAST.add("meta")
        with rules:
            yield
    finally:
        AUTOCAST.discard("meta")
        for where, name, value in before:
            setattr(where, name, value)


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """One kernel, which writes its mask too; nothing in evaluation."""
    del inplace
    return torch.native_dropout(x, p, True)[0] if training and p else x


def _attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, **more: Any,
) -> Tensor:  # fmt: skip
    """The memory-efficient kernel, which a bias with a gradient leaves alone to choose from."""
    if attn_mask is not None:
        aligned = attn_mask.stride(-1) == 1 and all(step % _ALIGNED == 0 for step in attn_mask.stride()[:-1])
        if not aligned:
            keys = attn_mask.shape[-1]
            attn_mask = functional.pad(attn_mask, (0, _ALIGNED - keys % _ALIGNED))[..., :keys]
        attn_mask = attn_mask.expand(*query.shape[:-1], key.shape[-2])
    kept = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, kept, dropout_p, is_causal, **more
    )[0]
