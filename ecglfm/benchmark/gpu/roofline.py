"""`benchmark roofline`: bytes and products of a pretraining step, counted without a GPU, against a card's rates."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.config import EncoderConfig, EncoderSlice, PretrainConfig, ProjectConfig, UserError, load, parse

if TYPE_CHECKING:
    import torch

    from ecglfm.benchmark.gpu.traffic import Operation


@dataclass(frozen=True)
class GPU:
    """A card by its maker's figures.

    Attributes
    ----------
    name : str
    bandwidth : float
        Of its memory, bytes a second.
    half, single : float
        Operations a second: dense products in bf16 or fp16, and in float32 without TF32.
    """

    name: str
    bandwidth: float
    half: float
    single: float


GPUS = {
    "a100": GPU("A100 SXM 80 GB", 2.04e12, 312e12, 19.5e12),
    "h100": GPU("H100 SXM", 3.35e12, 989e12, 67e12),
    "h200": GPU("H200 SXM", 4.8e12, 989e12, 67e12),
}
#: What operations are for, in the order of the table.
PARTS = (
    "matrix products", "activations", "casts", "residual stream", "norms", "attention bias", "attention kernel", "rest",
)  # fmt: skip
#: Shares of the maker's figures that kernels are taken to reach, and seconds in which a host asks for one of them.
BANDWIDTH, PRODUCTS, LAUNCH = 0.85, 0.65, 5e-6
#: AdamW in one pass: weight, gradient and two moments are read, all but the gradient written; float32.
_ADAMW = 7 * 4


@dataclass(frozen=True)
class Step:
    """One update of the weights, counted.

    Attributes
    ----------
    segments, parameters : int
    kept : int
        Bytes that the forward keeps for the backward pass, without weights and what enters a checkpointed layer.
    operations : list of Operation
        Of forward and backward.
    """

    segments: int
    parameters: int
    kept: int
    operations: list[Operation]

    def seconds(self, gpu: GPU, part: str | None = None) -> float:
        """What the operations of a part, or all and the optimizer, take: each the longer of moving and multiplying."""
        took = sum(
            max(one.bytes / (BANDWIDTH * gpu.bandwidth), one.flops / (PRODUCTS * _rate(gpu, one.dtype)))
            for one in self._of(part)
        )
        return took if part else took + self.optimizer / (BANDWIDTH * gpu.bandwidth)

    def bytes(self, part: str | None = None) -> int:
        """Read and written by the operations of a part, or by all and the optimizer."""
        return sum(one.bytes for one in self._of(part)) + (0 if part else self.optimizer)

    def flops(self, part: str | None = None) -> int:
        """Operations of products."""
        return sum(one.flops for one in self._of(part))

    def kernels(self, part: str | None = None) -> int:
        """Number of operations."""
        return len(self._of(part)) + (0 if part else 1)

    @property
    def optimizer(self) -> int:
        """Bytes that AdamW moves where one GPU updates all weights."""
        return _ADAMW * self.parameters

    def peak(self, gpu: GPU) -> float:
        """The maker's rate in the numbers of most products, operations a second."""
        half = sum(one.flops for one in self.operations if one.dtype.itemsize == 2)
        return gpu.half if 2 * half > self.flops() else gpu.single

    def _of(self, part: str | None) -> list[Operation]:
        return [one for one in self.operations if part is None or one.part == part]


def _rate(gpu: GPU, dtype: torch.dtype) -> float:
    return gpu.half if dtype.itemsize == 2 else gpu.single


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--encoder", required=True, metavar="NAME,…", help="stems of files in encoders/ beside --config"
    )
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"), help="a project's config.yaml")
    parser.add_argument("--gpu", choices=sorted(GPUS), default="h100", help="whose rates")
    parser.add_argument("--batch", type=int, metavar="SEGMENTS", help="of a step; default: the encoder's")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="default: the encoder's")
    parser.add_argument(
        "--checkpointing", choices=("off", "on"), help="activation checkpointing; default: the encoder's"
    )
    parser.add_argument(
        "--half-residual", choices=("off", "on"), help="sums of layers in half precision; default: the encoder's"
    )
    parser.add_argument("--top", type=int, default=0, metavar="N", help="also the N longest kinds of operation")
    parser.add_argument("--markdown", action="store_true", help="a line of a table for each encoder, of all cards")


def run(args: argparse.Namespace) -> None:
    """Count and print."""
    gpu = GPUS[args.gpu]
    for name in args.encoder.split(","):
        slice_ = _slice(args, name)
        assert slice_.config.pretrain is not None
        step = count(slice_, segments=_segments(args, slice_))
        if args.markdown:
            print(_row(name, slice_, step))
            continue
        for line in (*_lines(f"{name}, {_named(slice_)}", step, gpu), *_longest(step, gpu, args.top)):
            print(line)


def _slice(args: argparse.Namespace, name: str) -> EncoderSlice:
    """The encoder with what the options change."""
    project, path = load(ProjectConfig, args.config), args.config.parent / "encoders" / f"{name}.yaml"
    config = load(EncoderConfig, path)
    if config.pretrain is None:
        raise UserError(f"{path}: has no `pretrain:` section, so there is no step to count")
    update: dict[str, Any] = {"precision": args.precision or config.pretrain.precision}
    if update["precision"] == "fp16":
        raise UserError(f"{path}: precision fp16, whose weights are kept twice, is not counted; give --precision bf16")
    if args.checkpointing is not None:
        update["activation_checkpointing"] = args.checkpointing == "on"
    if args.half_residual is not None:
        update["half_residual"] = args.half_residual == "on"
    pretrain = parse(PretrainConfig, config.pretrain.model_dump() | update, path)
    config = config.model_copy(update={"pretrain": pretrain})
    return EncoderSlice(encoder=name, config=config, preprocess=project.preprocess)


def _segments(args: argparse.Namespace, slice_: EncoderSlice) -> int:
    assert slice_.config.pretrain is not None
    segments = 2 * slice_.config.pretrain.batch_size if args.batch is None else args.batch
    if segments < 2 or segments % 2:
        raise UserError(f"--batch {segments}: segments come in pairs; give an even number")
    return int(segments)


def count(slice_: EncoderSlice, *, segments: int) -> Step:
    """Run a forward and a backward of the objective without numbers, and count what a GPU would do.

    Parameters
    ----------
    slice_ : EncoderSlice
        With a `pretrain` section.
    segments : int
        Even; one forward, without accumulation.

    Returns
    -------
    Step
    """
    import torch

    from ecglfm.benchmark.gpu.rules import gpu_rules
    from ecglfm.benchmark.gpu.traffic import Traffic
    from ecglfm.data.loading import on_device
    from ecglfm.models.meta_device import on_meta_device
    from ecglfm.models.pretraining import make_objective
    from ecglfm.training.engine import prepare_layers
    from ecglfm.training.precision import HALF, Autocast
    from ecglfm.training.pretraining import build_encoder

    config = slice_.config.pretrain
    assert config is not None
    with on_meta_device():
        objective = make_objective(build_encoder(slice_, config.seed), config).train()
    prepare_layers(objective, config.model_copy(update={"compile": False}))
    training = Autocast(objective, HALF[config.precision]) if config.precision in HALF else objective
    samples, leads = round(config.crop_seconds * slice_.sampling_rate), len(slice_.leads)
    dtype = torch.int16 if slice_.input is None else torch.float32
    batch = {
        "signal": torch.zeros(segments, samples, leads, dtype=dtype),
        "lead_mask": torch.ones(segments, leads, dtype=torch.bool),
    }
    traffic, kept = Traffic(), {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage()._cdata] = x.untyped_storage().nbytes()
        return x

    prepared = objective.prepare([batch], config.seed)  # on the host
    with gpu_rules(traffic.mark), traffic:
        (noise,) = objective.draw([batch], config.seed, prepared)
        x, mask = on_device(batch, torch.device("meta"))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            loss = training(x, step=0, noise=noise, mask=mask)["loss"]
        for weight in objective.parameters():
            kept.pop(weight.untyped_storage()._cdata, None)
        loss.backward()
    parameters = sum(one.numel() for one in objective.parameters())
    return Step(segments, parameters, sum(kept.values()), traffic.operations)


def _named(slice_: EncoderSlice) -> str:
    pretrain = slice_.config.pretrain
    assert pretrain is not None
    options = {"checkpointing": pretrain.activation_checkpointing, "half_residual": pretrain.half_residual}
    return ", ".join([f"precision {pretrain.precision}", *(name for name, on in options.items() if on)])


def _lines(what: str, step: Step, gpu: GPU) -> Iterator[str]:
    """The parts of a step, their sums, and what was assumed."""
    yield f"{what}: one update of {step.segments} segments, not compiled, counted for an {gpu.name}; no kernel was run"
    yield f"{'':<18}{'kernels':>9}{'GB':>9}{'TFLOP':>9}{'ms':>9}"
    for part in PARTS:
        yield _columns(part, step.kernels(part), step.bytes(part), step.flops(part), step.seconds(gpu, part))
    yield _columns("optimizer", 1, step.optimizer, 0, step.optimizer / (BANDWIDTH * gpu.bandwidth))
    yield _columns("sum", step.kernels(), step.bytes(), step.flops(), step.seconds(gpu))
    host = LAUNCH * step.kernels()
    longer = max(host, step.seconds(gpu))
    yield (
        f"{step.segments / longer:.4g} segments/s; all products that are carried out, also again:"
        f" {100 * step.flops() / longer / step.peak(gpu):.0f} % of the peak of {step.peak(gpu) / 1e12:g} TFLOP/s"
    )
    yield f"kept for the backward pass: {step.kept / 1e9:.3g} GB, without weights and what enters a checkpointed layer"
    waited = ", and is what is waited for" if host > step.seconds(gpu) else ""
    yield f"a host that asks for a kernel in {1e6 * LAUNCH:g} us needs {1000 * host:.3g} ms{waited}"
    yield (
        f"assumed: {100 * BANDWIDTH:g} % of {gpu.bandwidth / 1e12:g} TB/s; products at {100 * PRODUCTS:g} % of"
        f" {gpu.half / 1e12:g} (half) or {gpu.single / 1e12:g} TFLOP/s (float32); each operation reads its inputs and"
        " writes its results once, also where a kernel goes through them twice; all weights are updated on one GPU."
        " Left out: communication, loading, logging"
    )


def _columns(name: str, kernels: int, moved: float, flops: float, seconds: float) -> str:
    return f"{name:<18}{kernels:>9}{moved / 1e9:>9.2f}{flops / 1e12:>9.3f}{1000 * seconds:>9.2f}"


def _longest(step: Step, gpu: GPU, number: int) -> Iterator[str]:
    """The kinds of operation that take longest."""
    kinds = sorted({(one.part, one.name, str(one.dtype).removeprefix("torch.")) for one in step.operations})
    found = []
    for part, name, dtype in kinds:
        of = [one for one in step.operations if (one.part, one.name, str(one.dtype)) == (part, name, f"torch.{dtype}")]
        alone = Step(step.segments, 0, 0, of)
        found.append((alone.seconds(gpu), f"{part}: {name} {dtype}", alone))
    for seconds, name, alone in sorted(found, key=lambda one: -one[0])[:number]:
        yield f"{name:<80}{alone.kernels() - 1:>6}{alone.bytes() / 1e9:>9.2f} GB{1000 * seconds:>9.2f} ms"


def _row(name: str, slice_: EncoderSlice, step: Step) -> str:
    """A line of the table in docs/performance.md."""
    cells = [f"`{name}`, {_named(slice_)}", f"{step.segments}", f"{step.kernels():,}", f"{step.bytes() / 1e9:.3g}"]
    cells += [f"{step.flops() / 1e12:.3g}", f"{step.kept / 1e9:.3g}"]
    for gpu in GPUS.values():
        longer = max(LAUNCH * step.kernels(), step.seconds(gpu))
        cells.append(f"{1000 * longer:.3g} ms, {100 * step.flops() / longer / step.peak(gpu):.0f} %")
    return f"| {' | '.join(cells)} |"
