"""What PyTorch's compiler makes of a layer for an H100, without one: kernels, and the bytes that they move.

    python compiled_layer.py GUARD.so NAME...   ->  a line of JSON for each

A NAME is an encoder as of `fake_step.py`, a Conformer or wav2vec2, with `+padded`, `+fp8`, `+half_residual` or
`+activation_checkpointing` behind it. It needs a CUDA build of torch with Triton, which writes machine code for a card
that is not there; no kernel runs. It leans on much that torch does not promise to keep: written for 2.13, works with 2.11.
"""

from __future__ import annotations

import json
import re
import sys
from types import SimpleNamespace
from typing import Any

import fake_step
import torch

_CARD = SimpleNamespace(
    name="H100", major=9, minor=0, multi_processor_count=132, total_memory=80 << 30, warp_size=32, L2_cache_size=50 << 20,
    regs_per_multiprocessor=65536, max_threads_per_multi_processor=2048, max_threads_per_block=1024, gcnArchName="",
    shared_memory_per_block=49152, shared_memory_per_block_optin=232448, shared_memory_per_multiprocessor=233472,
)  # fmt: skip
# Before the compiler is imported, which keeps what it finds.
for _name in ("synchronize", "_lazy_init", "set_device", "set_rng_state"):
    setattr(torch.cuda, _name, lambda *_, **__: None)
for _name in ("_exchange_device", "_maybe_exchange_device"):
    setattr(torch.cuda, _name, lambda *_: 0)
for _name in ("getCurrentRawStream", "getDevice", "exchangeDevice", "maybeExchangeDevice"):
    setattr(torch._C, f"_cuda_{_name}", lambda *_: 0)
torch.cuda.get_device_properties, torch.cuda.get_device_capability = lambda *_: _CARD, lambda *_: (9, 0)
torch.cuda.device_count, torch.cuda.get_rng_state = lambda: 1, lambda *_: torch.zeros(16, dtype=torch.uint8)
torch.cuda.current_stream = lambda *_: SimpleNamespace(cuda_stream=0, stream_id=0, device_index=0, device_type=1)

import torch._inductor.async_compile as async_compile  # noqa: E402
import torch._inductor.config as inductor  # noqa: E402
import torch._inductor.fx_passes.joint_graph as joint_graph  # noqa: E402
import torch._inductor.runtime.triton_helpers as triton_helpers  # noqa: E402
import torch._subclasses.fake_tensor as fake_tensor  # noqa: E402
from torch import Tensor  # noqa: E402
from torch._dynamo.utils import counters  # noqa: E402
from torch._inductor.codecache import PyCodeCache  # noqa: E402
from torch._inductor.fx_passes import fuse_attention, misc_patterns, pad_mm  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402
from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.runtime import driver  # noqa: E402

from ecglfm.benchmark.gpu import rules, traffic  # noqa: E402
from ecglfm.benchmark.gpu.roofline import BANDWIDTH, GPUS, PRODUCTS  # noqa: E402
from ecglfm.training import compilation, engine  # noqa: E402

SEGMENTS = 128
#: Operations that only look at what is there, and what the compiler asks while it works.
_VIEWS = {
    "empty", "empty_strided", "as_strided", "view", "t", "transpose", "detach", "alias", "permute", "select", "slice",
    "unsqueeze", "_unsafe_view", "_reshape_alias", "device", "empty_like",
}  # fmt: skip


class Counted(FakeTensorMode):
    """Fake tensors that count, where asked to, what is done to them: a line for each operation and kernel.

    Attributes
    ----------
    counting : bool
    done : list of tuple of (str, int, int)
        Name, bytes read and written, operations of products.
    written : dict of str to str
        Sources of kernels by name.
    """

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.counting, self.done, self.written = False, [], {}
        self._depth = 0

    def dispatch(self, func, types, args=(), kwargs=None):
        self._depth += 1
        try:
            scaled = func is torch.ops.aten._scaled_mm.out  # which fake tensors do not know
            out = kwargs["out"] if scaled else super().dispatch(func, types, args, kwargs or {})
        finally:
            self._depth -= 1
        name = func._schema.name.split("::")[1]
        if self.counting and not self._depth and name not in _VIEWS:
            tensors = {id(x): x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor)}
            flops = traffic._flops(func, name, args, kwargs or {}, out)
            self.done.append((name, sum(map(_bytes, tensors.values())), flops))
        return out


class Kernel:
    """Stands for what Triton would load onto the card: says what it was given, by its names for reads and writes."""

    def __init__(self, name: str, source: str, mode: Counted) -> None:
        self._name, self._mode = name, mode
        found = re.search(rf"def {re.escape(name)}\((.*?)\):", source, re.S)
        self._arguments = [one.split(":")[0].strip() for one in found[1].split(",")]
        mode.written[name] = source

    def run(self, *values: Any, **_: Any) -> None:
        """Count what it would move."""
        moved = sum(
            _bytes(value) * (2 if name.startswith("in_out") else 1)
            for name, value in zip(self._arguments, values, strict=False)
            if isinstance(value, Tensor)
        )
        if self._mode.counting:
            self._mode.done.append((self._name, moved, 0))


class Driver:
    """Triton's, of a card that loads everything."""

    utils = SimpleNamespace(
        load_binary=lambda *_: (0, 0, 64, 0, 1024), unload_module=lambda *_: None,
        get_device_properties=lambda _: {"max_shared_mem": 232448, "multiprocessor_count": 132, "warpSize": 32},
    )  # fmt: skip
    get_device_interface = staticmethod(lambda: torch.cuda)

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    get_current_stream = get_current_device


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()


def stand_in() -> None:
    """Nothing that would need a card."""
    nothing = lambda *_, **__: None  # noqa: E731
    torch._C._dynamo.guards._empty_strided_cuda = lambda size, stride, dtype: torch.empty_strided(
        size, stride, dtype=dtype, device="cuda"
    )
    torch._C._dynamo.guards._reinterpret_tensor = lambda x, size, stride, more=0: torch.as_strided(
        x, size, stride, x.storage_offset() + more
    )
    fake_tensor.init_gpu_context = triton_helpers.set_driver_to_gpu = nothing
    # These compute something on the card to choose from: forms that none of our layers has, and sizes of products.
    fuse_attention._sfdp_init = misc_patterns._misc_patterns_init = pad_mm._pad_mm_init = nothing
    joint_graph.constant_fold_uniform_value = nothing
    inductor.joint_graph_constant_folding = inductor.shape_padding = inductor.fx_graph_cache = False
    inductor.compile_threads = 1
    torch._functorch.config.enable_autograd_cache = False
    driver.set_active(Driver())
    functional.scaled_dot_product_attention = rules._attention  # PyTorch would ask CUDA for the kernel
    compilation.compile_problem = nothing


def measure(name: str, *options: str) -> dict[str, object]:
    """Graphs, kernels that Triton refuses, and what a step of one layer moves, compiled and not."""
    counters.clear()
    torch._dynamo.reset()
    with Counted() as mode:
        async_compile.AsyncCompile.triton = lambda _, name, source, *__, **___: Kernel(name, source, mode)
        config, encoder, samples = fake_step.encoder_of(name)
        changes = {"precision": "fp8" if "fp8" in options else "bf16", "compile": True}
        changes |= dict.fromkeys(set(options) - {"padded", "fp8"}, True)
        changed = config.pretrain.model_copy(update=changes)
        objective = fake_step.make_objective(encoder, changed).train()
        engine.prepare_layers(objective, changed)
        context = objective.encoder.context
        del context.layers[1:]
        fake_step.onto_cuda(context)
        frames, dim = encoder.frames(samples), config.model.dim
        dtype = torch.bfloat16 if changed.half_residual else torch.float32
        mask = torch.empty(SEGMENTS, frames, dtype=torch.bool, device="cuda") if "padded" in options else None

        def step() -> None:
            x = torch.empty(SEGMENTS, frames, dim, device="cuda", dtype=dtype, requires_grad=True)
            for weight in context.parameters():
                weight.grad = None
            mode.counting = True
            with torch.autocast("cuda", torch.bfloat16):
                out = context(x, mask)[-1]
            out.backward(torch.empty_like(out))
            mode.counting = False

        step()
        mode.done.clear()
        step()
        graphs, compiled = counters["stats"]["unique_graphs"], list(mode.done)
        context.layers[0]._compiled_call_impl = None
        with traffic.Traffic() as plain:
            step()
    return {
        "step": "+".join([name, *options]),
        "graphs": graphs,
        "refused": [kernel for kernel, source in mode.written.items() if _refused(kernel, source)],
        "kernels": len(compiled),
        "bytes": sum(moved for _, moved, _ in compiled),
        "ms": {card: 1000 * sum(_seconds(GPUS[card], *one[1:]) for one in compiled) for card in GPUS},
        "uncompiled kernels": len(plain.operations),
        "uncompiled bytes": sum(one.bytes for one in plain.operations),
        "uncompiled ms": {
            card: 1000 * sum(_seconds(GPUS[card], one.bytes, one.flops) for one in plain.operations) for card in GPUS
        },
        "longest": sorted(((moved, kernel) for kernel, moved, _ in compiled), reverse=True)[:20],
    }


def _seconds(gpu, moved: int, flops: int) -> float:
    return max(moved / (BANDWIDTH * gpu.bandwidth), flops / (PRODUCTS * gpu.half))


def _refused(name: str, source: str) -> bool:
    """Whether Triton makes no machine code of a kernel, in its first form."""
    kernel = getattr(PyCodeCache.load(source), name)
    try:
        kernel._precompile_config(kernel.configs[0])
    except Exception as error:  # of whatever kind: its name and reason are what is looked for
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return True
    return False


def main() -> None:
    """A line for each name."""
    stand_in()
    for name in sys.argv[2:]:
        print(json.dumps(measure(*name.split("+"))), flush=True)


if __name__ == "__main__":
    main()
