"""`benchmark train`: the pretraining step of an encoder, against a matrix product and the original's step."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ecglfm.config import (
    EncoderConfig,
    EncoderSlice,
    PretrainConfig,
    ProjectConfig,
    UserError,
    load,
    parse,
)
from ecglfm.process import KEEP, KEEP_SWITCH

if TYPE_CHECKING:
    from ecglfm.benchmark.training.step import Measurement

#: (layers, width, segments): seconds and bytes of the original's step in fp32, on 2 cores with the rate below.
ORIGINAL = {(24, 1024, 4): (22.9, 15.6e9), (4, 256, 32): (4.20, 4.1e9)}
ORIGINAL_RATE = 192e9  # operations a second of a matrix product there, fp32
#: Dimension of `--compare`: its values, as the option of the same name takes them.
DIMENSIONS = {
    "precision": ("fp32", "tf32", "bf16", "fp16", "fp8"),
    "zero": ("0", "1", "2", "3"),
    "checkpointing": ("off", "on"),
    "compile": ("off", "on"),
    "half-residual": ("off", "on"),
    "way": ("ours", "original", "original-kept"),
}
WIDTHS = (11, 10, 16, 10, 9, 8)  # of the table's columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", required=True, metavar="NAME", help="stem of a file in encoders/ beside --config")
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"), help="a project's config.yaml")
    parser.add_argument(
        "--batch",
        type=int,
        metavar="SEGMENTS",
        help="of a step; default: the encoder's on a GPU; on a CPU at most 32, or 4 where it is wider than 512",
    )
    parser.add_argument("--steps", type=int, default=10, help="steps that are measured")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them")
    for name, values in DIMENSIONS.items():
        if name != "way":
            parser.add_argument(f"--{name}", choices=values, help="default: as the encoder says, where it can run here")
    parser.add_argument(
        "--way",
        choices=DIMENSIONS["way"],
        default="ours",
        help="original: computed operation by operation as ECG-LFM's code does, with its CMSC and the C library's own"
        " memory settings; original-kept: the same with ours, which keep freed memory",
    )
    parser.add_argument("--dropout", type=float, metavar="P", help="default: the encoder's; ECG-LFM's config has 0")
    parser.add_argument(
        "--compare", type=_dimensions, default=[], metavar="WHAT,…", help=f"a table of variants: {','.join(DIMENSIONS)}"
    )
    parser.add_argument("--kernels", type=int, default=0, metavar="N", help="name the N longest kernels of a step")
    parser.add_argument("--ecgs", type=int, default=11_571_587, help="recordings, for the predicted time")
    parser.add_argument("--gpus", type=int, default=16, help="devices like this one, for the predicted time")
    parser.add_argument("--epochs", type=int, default=50, help="passes, for the predicted time")
    parser.add_argument("--json", action="store_true", help="the bare measurement as one line of JSON")


def _dimensions(text: str) -> list[str]:
    unknown = sorted(set(text.split(",")) - set(DIMENSIONS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(DIMENSIONS)}")
    return text.split(",")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    for name, least in (("steps", 1), ("warmup", 0), ("kernels", 0), ("ecgs", 1), ("gpus", 1), ("epochs", 1)):
        if getattr(args, name) < least:
            raise UserError(f"--{name} {getattr(args, name)}: at least {least}")
    slice_ = _slice(args)
    segments = args.batch if args.batch is not None else _batch(slice_)
    if segments < 2 or segments % 2:
        raise UserError(f"--batch {segments}: segments come in pairs; give an even number")
    settings = _settings(slice_) | {"way": args.way}
    if args.compare:
        _compare(args, settings, segments)
        return
    if args.json and (args.way != "original" or os.environ.get(KEEP_SWITCH) == "0"):
        from ecglfm.benchmark.training.step import measure

        bare = measure(
            slice_, segments=segments, steps=args.steps, warmup=args.warmup, original=args.way != "ours",
            kernels=args.kernels,
        )  # fmt: skip
        print(json.dumps(dataclasses.asdict(bare)))
        return
    result = _measured(args, settings, segments)
    if isinstance(result, str):
        raise UserError(result)
    if args.json:
        print(json.dumps(dataclasses.asdict(result)))
        return
    print(f"{args.encoder}, {_named(settings)}")
    for line in _lines(result):
        print(line)
    if (elsewhere := _original(slice_, result)) is not None:
        print(elsewhere)
    print(_predicted(args, result))


def _slice(args: argparse.Namespace) -> EncoderSlice:
    """The encoder with what the options change."""
    project = load(ProjectConfig, args.config)
    path = args.config.parent / "encoders" / f"{args.encoder}.yaml"
    config = load(EncoderConfig, path)
    if config.pretrain is None:
        raise UserError(f"{path}: has no `pretrain:` section, so there is no step to measure")
    model, pretrain = config.model, config.pretrain
    precision = args.precision
    if precision is None:
        precision = pretrain.precision
        if precision != "fp32" and not _is_fast(precision):
            precision = "fp32"
    update: dict[str, Any] = {"precision": precision}
    if args.zero is not None:
        update["zero_stage"] = int(args.zero)
    if args.checkpointing is not None:
        update["activation_checkpointing"] = args.checkpointing == "on"
    if args.compile is not None:
        update["compile"] = args.compile == "on"
    if args.half_residual is not None:
        update["half_residual"] = args.half_residual == "on"
    if args.dropout is not None:
        if not 0 <= args.dropout < 1:
            raise UserError(f"--dropout {args.dropout}: at least 0 and less than 1")
        model = model.model_copy(update={"dropout": args.dropout})
    pretrain = parse(PretrainConfig, pretrain.model_dump() | update, f"{path}, with these options")
    config = config.model_copy(update={"model": model, "pretrain": pretrain})
    return EncoderSlice(encoder=args.encoder, config=config, preprocess=project.preprocess)


def _is_fast(precision: str) -> bool:
    import torch

    from ecglfm.training.float8 import float8_problem
    from ecglfm.training.precision import bf16_is_fast

    if precision == "fp8":
        return float8_problem() is None
    return torch.accelerator.is_available() if precision == "fp16" else bf16_is_fast()


def _batch(slice_: EncoderSlice) -> int:
    """Segments of a step where the user names none."""
    import torch

    assert slice_.config.pretrain is not None
    wanted = 2 * slice_.config.pretrain.batch_size
    return wanted if torch.accelerator.is_available() else min(wanted, 4 if slice_.config.model.dim > 512 else 32)


def _settings(slice_: EncoderSlice) -> dict[str, str]:
    """Value of each dimension."""
    pretrain = slice_.config.pretrain
    assert pretrain is not None
    on = {True: "on", False: "off"}
    return {
        "precision": pretrain.precision,
        "zero": str(pretrain.zero_stage),
        "checkpointing": on[pretrain.activation_checkpointing],
        "compile": on[pretrain.compile],
        "half-residual": on[pretrain.half_residual],
    }


def _named(settings: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _lines(result: Measurement) -> Iterator[str]:
    step = median(result.seconds)
    yield (
        f"{result.parameters / 1e6:.1f} M parameters with the heads, built in {result.build_seconds:.1f} s;"
        f" {result.device}, {result.threads} threads, torch {result.torch}"
    )
    yield (
        f"step of {result.segments} segments: median {step:.3f} s ({min(result.seconds):.3f}-{max(result.seconds):.3f},"
        f" {len(result.seconds)} steps), {result.segments / step:.4g} segments/s"
    )
    total = sum(sum(part) for part in result.split.values())
    yield "of it: " + ", ".join(f"{part} {100 * sum(times) / total:.1f} %" for part, times in result.split.items())
    yield (
        f"model FLOPs: {result.flops / 1e9:.4g} G a step; matrix product in the same run:"
        f" {median(result.rates) / 1e9:.4g} GFLOP/s; utilisation {100 * median(result.utilisation):.0f} %"
        + (f" ({100 * median(result.utilisation_busy):.0f} % by processor time)" if result.device == "cpu" else "")
    )
    gpu = f"; on the GPU {result.memory['gpu'] / 1e9:.2f} GB" if "gpu" in result.memory else ""
    yield (
        f"peak memory of the process: {result.memory['steps'] / 1e9:.2f} GB (after imports"
        f" {result.memory['imports'] / 1e9:.2f}, after building {result.memory['build'] / 1e9:.2f}){gpu}"
    )
    for name, calls, seconds in result.kernels:
        yield f"{1000 * seconds:9.2f} ms in {calls:5} calls: {name[:100]}"


def _original(slice_: EncoderSlice, result: Measurement) -> str | None:
    """The original's step, as it would be on a machine with this one's rate; None where it was not measured."""
    assert slice_.config.pretrain is not None
    model = slice_.config.model
    measured = ORIGINAL.get((model.depth, model.dim, result.segments))
    if measured is None or model.kind != "conformer" or result.device != "cpu":
        return None
    seconds, memory = measured
    share = f"{100 * result.flops / seconds / ORIGINAL_RATE:.0f} % of its machine's 192 GFLOP/s"
    ratios = [
        seconds * ORIGINAL_RATE / rate / ours for ours, rate in zip(result.seconds, result.rates_fp32, strict=True)
    ]
    here = seconds * ORIGINAL_RATE / median(result.rates_fp32)
    return (
        f"ECG-LFM, measured elsewhere: {seconds:.3g} s, {memory / 1e9:.3g} GB ({share}); by the fp32 rates"
        f" {here:.3g} s here: this is {median(ratios):.2f} x as fast, with"
        f" {100 * result.memory['steps'] / memory:.0f} % of its memory. Its"
        " memory settings were the C library's own: with ours it took 0.4 (small) to 0.7 (600M) of that time on another"
        " machine; both on this one: --compare way"
    )


def _predicted(args: argparse.Namespace, result: Measurement) -> str:
    rate = result.segments / median(result.seconds)
    hours = args.ecgs * args.epochs / (rate * args.gpus) / 3600
    return (
        f"predicted: {args.epochs} passes over {args.ecgs} ECGs on {args.gpus} such devices: {hours:.3g} hours"
        f" ({hours / 24:.3g} days). Assumed: a segment of every ECG in a pass, two making a pair; this batch on each"
        " device; perfect scaling; no time for validation, checkpoints and history"
    )


def _compare(args: argparse.Namespace, base: dict[str, str], segments: int) -> None:
    """A table with the settings as they are, and then one of them changed at a time."""
    print(f"{args.encoder}, {segments} segments; {_named(base)}, and variants of it, each in a process of its own")
    heads = ("segments/s", "step, s", "spread, s", "peak, GB", "used, %", "speed")
    print(f"{'variant':<20}" + "".join(f"{head:>{width}}" for head, width in zip(heads, WIDTHS, strict=True)))
    first: Measurement | None = None
    variants: list[dict[str, str]] = [{}] + [
        {name: value} for name in args.compare for value in DIMENSIONS[name] if base[name] != value
    ]
    for change in variants:
        name = _named(change) or "as it is"
        result = _measured(args, base | change, segments)
        if isinstance(result, str):
            print(f"{name:<20} {result}", flush=True)
            continue
        step, first = median(result.seconds), first or result
        spread = f"{min(result.seconds):.3f}-{max(result.seconds):.3f}"
        peak, used = result.memory.get("gpu", result.memory["steps"]) / 1e9, 100 * median(result.utilisation)
        speed = median(first.seconds) * median(first.rates_fp32) / (step * median(result.rates_fp32))
        cells = (f"{segments / step:.4g}", f"{step:.3f}", spread, f"{peak:.2f}", f"{used:.0f}", f"{speed:.2f}")
        line = "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
        print(f"{name:<20}{line}", flush=True)
    print(
        "used: share of the matrix rate in the same numbers, of fp8 in bf16. speed: against the first line, each by its"
        " own fp32 rate"
    )


def _measured(args: argparse.Namespace, settings: dict[str, str], segments: int) -> Measurement | str:
    """One variant in a process of its own, or why there is none."""
    command = [sys.executable, "-m", "ecglfm", "benchmark", "train", "--json", "--encoder", args.encoder]
    command += ["--config", str(args.config), "--batch", str(segments)]
    command += ["--steps", str(args.steps), "--warmup", str(args.warmup), "--kernels", str(args.kernels)]
    if args.dropout is not None:
        command += ["--dropout", str(args.dropout)]
    command += [part for name, value in settings.items() for part in (f"--{name}", value)]
    environment = dict(os.environ)
    if settings["way"] == "original":  # which knows nothing of ours about memory
        environment = {
            name: value for name, value in os.environ.items() if name not in {variable for variable, _, _ in KEEP}
        }
        environment[KEEP_SWITCH] = "0"
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}" + (": out of memory, probably" if done.returncode == -9 else "")
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word of why"]
        return said[-1].removeprefix("ecglfm benchmark: error: ")
    from ecglfm.benchmark.training.step import Measurement

    return Measurement(**json.loads(done.stdout.splitlines()[-1]))
