"""`benchmark candidates`: a Conformer's depthwise convolution and attention, beside other ways to compute them.

Forward and backward of noise in the shapes of a layer, without dropout, each beside the form in float32 for how far it
is off. The first of each kind is what a training on this device takes; a way that does not run here says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from ecglfm.config import ConformerConfig, EncoderConfig, PreprocessConfig, UserError, load

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Way = tuple[str, "Callable[..., Tensor]"]
_CALLS = 5  # between two looks at a GPU's clock, so that it need not wait for the host


class Candidate(NamedTuple):
    """One way to compute something.

    Attributes
    ----------
    what, way : str
    seconds : float or None
        Of forward and backward; None where it does not run here.
    off : float or None
        Distance of output and gradients to those in float32, as a share of their norm.
    why : str
        It does not run.
    """

    what: str
    way: str
    seconds: float | None = None
    off: float | None = None
    why: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", type=Path, default=Path("config/encoders/ecglfm-600m.yaml"), help="a Conformer's")
    parser.add_argument("--batch", type=int, default=128, metavar="SEGMENTS", help="of 5 s")
    parser.add_argument("--repeats", type=int, default=20, help="of which the median counts")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="default: bf16 on a GPU, else fp32")
    parser.add_argument("--compile", choices=("off", "on"), default="on", help="also what PyTorch's compiler makes")
    parser.add_argument("--json", action="store_true", help="one line of JSON")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import torch

    from ecglfm import distributed
    from ecglfm.training.compilation import compile_problem

    for name in ("batch", "repeats"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} {getattr(args, name)}: at least 1")
    model = load(EncoderConfig, args.encoder).model
    if not isinstance(model, ConformerConfig):
        raise UserError(f"{args.encoder}: a {model.kind}, which has no such layers; name a Conformer")
    device = distributed.choose_device()
    half = args.precision == "bf16" or (args.precision is None and device.type == "cuda")
    lacking = "left out" if args.compile == "off" else compile_problem()
    dtype = torch.bfloat16 if half else torch.float32
    found: list[Candidate] = []
    for what, ways, inputs in (
        ("depthwise", _depthwise(model, lacking), _depthwise_inputs(model, args.batch)),
        ("attention", _attention(lacking), _attention_inputs(model, args.batch)),
    ):
        found += _measured(what, ways, [x.to(device) for x in inputs], dtype, args.repeats)
    if args.json:
        print(json.dumps({"device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
                          "torch": torch.__version__, "candidates": found}))  # fmt: skip
        return
    print(f"{args.encoder.stem}, {args.batch} segments, {'bf16' if half else 'fp32'}, forward and backward")
    for line in lines(found):
        print(line)


def lines(found: list[Candidate]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| | way | ms | off, % |\n|---|---|---|---|"
    for one in found:
        told = f"{1000 * one.seconds:.3f} | {100 * (one.off or 0):.2g}" if one.seconds is not None else f"{one.why} | "
        yield f"| {one.what} | {one.way} | {told} |"


def _depthwise_inputs(model: ConformerConfig, batch: int) -> list[Tensor]:
    """What enters the gate, and the taps."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x_btg = torch.randn(batch, _frames(model), 2 * model.dim, generator=generator)
    return [x_btg, torch.randn(model.dim, 1, model.kernel, generator=generator) / model.kernel**0.5]


def _attention_inputs(model: ConformerConfig, batch: int) -> list[Tensor]:
    """Query, key, value, keys of positions, u and v, as of `attend`."""
    import torch

    frames, generator = _frames(model), torch.Generator().manual_seed(0)
    biases = [(model.heads, model.dim // model.heads)] * 2
    shapes = [*[(batch, frames, model.dim)] * 3, (2 * frames - 1, model.dim), *biases]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _frames(model: ConformerConfig) -> int:
    """Of a segment of 5 s."""
    samples = round(5 * PreprocessConfig().sampling_rate)
    for kernel, stride in model.conv_layers:
        samples = (samples - kernel) // stride + 1
    return samples


def _depthwise(model: ConformerConfig, lacking: str | None) -> Iterator[Way]:
    """Of x (batch, frames, 2 channels) and taps (channels, 1, kernel)."""
    import torch
    from torch.nn import functional

    from ecglfm.models.layers import Depthwise, gated_depthwise

    conv = Depthwise(model.dim, model.kernel)
    around = model.kernel // 2

    def product(x: Tensor, taps: Tensor) -> Tensor:
        conv._parameters["weight"] = taps  # type: ignore[assignment]
        return gated_depthwise(x, conv)

    def plain(x: Tensor, taps: Tensor) -> Tensor:
        x_bct = functional.glu(x).transpose(1, 2)
        return functional.conv1d(x_bct, taps, padding=around, groups=len(taps)).transpose(1, 2)

    def contiguous(x: Tensor, taps: Tensor) -> Tensor:
        x_bct = functional.glu(x).transpose(1, 2).contiguous()
        return functional.conv1d(x_bct, taps, padding=around, groups=len(taps)).transpose(1, 2)

    def last(x: Tensor, taps: Tensor) -> Tensor:
        x_bc1t = functional.glu(x)[:, None].permute(0, 3, 1, 2)  # channels are last in memory
        weight = taps[:, :, None].to(memory_format=torch.channels_last)
        return functional.conv2d(x_bc1t, weight, padding=(0, around), groups=len(taps))[:, :, 0].transpose(1, 2)

    def banded(x: Tensor, taps: Tensor) -> Tensor:
        with patch.object(sys.modules[gated_depthwise.__module__], "fast", lambda *_, **__: True):
            return product(x, taps)

    def shifted(x: Tensor, taps: Tensor) -> Tensor:
        padded = functional.pad(functional.glu(x), (0, 0, around, around))
        parts = [padded[:, k : k + x.shape[1]] * taps[:, 0, k] for k in range(taps.shape[2])]
        return sum(parts[1:], parts[0])

    yield "as in a training", product
    yield "conv1d, transposed", plain
    yield "conv1d, copied to channels first", contiguous
    yield "conv2d, channels last", last
    yield "banded products, as on a CPU", banded
    yield "sum of shifted products, compiled", _compiled(shifted, lacking)


def _attention(lacking: str | None) -> Iterator[Way]:
    """Of query, key, value (batch, frames, dim), positions (2 frames - 1, dim), u and v (heads, width)."""
    from torch.nn import functional

    from ecglfm.models.layers import attend

    def heads(x: Tensor, u: Tensor) -> Tensor:
        return x.view(*x.shape[:2], *u.shape).transpose(1, 2)

    def by_position(query: Tensor, positions: Tensor, v: Tensor) -> Tensor:
        keys_hwp = positions.view(-1, *v.shape).permute(1, 2, 0) / v.shape[1] ** 0.5
        return (heads(query, v) + v[:, None]) @ keys_hwp

    def whole(query: Tensor, key: Tensor, value: Tensor, positions: Tensor, u: Tensor, v: Tensor) -> Tensor:
        frames, places = query.shape[1], len(positions)
        flat = functional.pad(by_position(query, positions, v), (0, 1)).flatten(2)[..., frames - 1 : -1]
        bias = flat.view(len(query), len(u), frames, places)[..., :frames]
        scores = (heads(query, u) + u[:, None]) @ heads(key, u).transpose(2, 3) / u.shape[1] ** 0.5 + bias
        return (scores.softmax(-1) @ heads(value, u)).transpose(1, 2).reshape(query.shape)

    def flex(query: Tensor, key: Tensor, value: Tensor, positions: Tensor, u: Tensor, v: Tensor) -> Tensor:
        from torch.nn.attention.flex_attention import flex_attention

        frames, bias_bhtp = query.shape[1], by_position(query, positions, v)

        def shift(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
            return score + bias_bhtp[b, h, i, frames - 1 - i + j]

        out: Any = flex_attention(heads(query, u) + u[:, None], heads(key, u), heads(value, u), score_mod=shift)
        return out.transpose(1, 2).reshape(query.shape)

    def product(query: Tensor, key: Tensor, value: Tensor, positions: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return attend(query, key, value, positions, u, v)

    yield "as in a training", product
    yield "products and softmax", whole
    yield "as in a training, compiled", _compiled(product, lacking)
    yield "products and softmax, compiled", _compiled(whole, lacking)
    yield "flex_attention with a score function, compiled", _compiled(flex, lacking)


def _compiled(way: Callable[..., Tensor], lacking: str | None) -> Callable[..., Tensor]:
    """What the compiler makes of it."""
    import torch

    def cannot(*_: Tensor) -> Tensor:
        raise UserError(f"the compiler: {lacking}")

    return torch.compile(way, dynamic=False) if lacking is None else cannot


def _measured(
    what: str, ways: Iterator[Way], inputs: list[Tensor], dtype: torch.dtype, repeats: int
) -> Iterator[Candidate]:
    """Every way; the second is in float32 what all are held against."""
    import torch

    ways_: list[Way] = list(ways)
    drawn = torch.randn(ways_[1][1](*inputs).shape, generator=torch.Generator().manual_seed(1)).to(inputs[0].device)
    true = _once(ways_[1][1], inputs, drawn)
    rounded = [x.to(dtype) for x in inputs]
    for name, way in ways_:
        try:
            found = _once(way, rounded, drawn.to(dtype))
            off = max(float((a.float() - b).norm() / b.norm()) for a, b in zip(found, true, strict=True))
            seconds = [_timed(way, rounded, drawn.to(dtype)) for _ in range(repeats + 1)][1:]
        except Exception as error:  # of a compiler, a kernel, memory: the others are measured all the same
            reason = next(iter(str(error).strip().splitlines()), "")[:200]
            yield Candidate(
                what, name, why=reason if isinstance(error, UserError) else f"{type(error).__name__}: {reason}"
            )
        else:
            yield Candidate(what, name, median(seconds), off)


def _once(way: Callable[..., Tensor], inputs: list[Tensor], drawn: Tensor) -> list[Tensor]:
    """Output, and the gradients of all inputs."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    out = way(*leaves)
    out.backward(drawn)
    return [out.detach(), *(x.grad for x in leaves if x.grad is not None)]


def _timed(way: Callable[..., Tensor], inputs: list[Tensor], drawn: Tensor) -> float:
    """Seconds of forward and backward; on a GPU by its own clock."""
    import torch

    def once() -> None:
        leaves = [x.detach().requires_grad_() for x in inputs]  # with one more gradient each would be an addition
        way(*leaves).backward(drawn)

    if drawn.device.type != "cuda":
        began = time.perf_counter()
        once()
        return time.perf_counter() - began
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(_CALLS):
        once()
    end.record()
    torch.cuda.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / _CALLS
