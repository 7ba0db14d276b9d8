"""The page that `benchmark gpu` writes: what was measured, with date, hardware and command, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from ecglfm.benchmark.gpu import candidates
from ecglfm.benchmark.pretraining import precisions

Found = Mapping[str, Mapping[str, Any]]


def page(found: Found) -> str:
    """A section for each kind of measurement that is there.

    Parameters
    ----------
    found : mapping of str to mapping
        What lies in the folder, by name, in the order of the tables: `command`, `date`, `driver`, `commit`, `took`;
        then what the benchmark's `--json` says, or `error`.
    """
    return "\n".join(
        [*_head(found), *_steps(found), *_kernels(found), *_ways(found), *_losses(found), *_rates(found), ""]
    )


def _values(found: Found, key: str) -> str:
    return ", ".join(sorted({str(one[key]) for one in found.values() if one.get(key)})) or "unknown"


def _head(found: Found) -> Iterator[str]:
    yield f"# Measured on {_values(found, 'device')}\n"
    yield (
        f"{_values(found, 'date')}; driver {_values(found, 'driver')}, torch {_values(found, 'torch')}, code"
        f" {_values(found, 'commit')}. Made by `ecglfm benchmark gpu`, each line in a process of its own."
    )


def _steps(found: Found) -> Iterator[str]:
    steps = {name: one for name, one in found.items() if name.startswith("train_")}
    if not steps:
        return
    yield "\n## Steps of pretraining\n"
    yield (
        "bf16; median of the steps; used: what the step must multiply, at that speed, as a share of the rate of bare"
        " products of matrices in bf16 in the same run, which stands in the last column. The process makes its batches"
        " itself; batch: the share of a step in which the GPU waits for that, which `num_workers` of a training spare"
        " it.\n"
    )
    yield (
        "| step | segments | ms | batch, % | segments/s | used, % | memory of the GPU, GB | products, TFLOP/s |\n"
        + "|---" * 8
        + "|"
    )
    for name, one in steps.items():
        title = name.removeprefix("train_").replace("_", ", ")
        if "error" in one:
            yield f"| {title} | {_cell(one['error'])} | | | | | | |"
            continue
        seconds = median(one["seconds"])
        used = median(one["flops"] / s / rate for s, rate in zip(one["seconds"], one["rates"], strict=True))
        memory = one["memory"].get("gpu", one["memory"]["steps"]) / 1e9
        speed, rate = one["segments"] / seconds, median(one["rates"]) / 1e12
        waited = sum(one["split"]["load"]) / sum(map(sum, one["split"].values()))
        yield (
            f"| {title} | {one['segments']} | {1000 * seconds:.4g} | {100 * waited:.0f} | {speed:.4g} |"
            f" {100 * used:.0f} | {memory:.1f} | {rate:.3g} |"
        )


def _kernels(found: Found) -> Iterator[str]:
    for name, one in found.items():
        if not one.get("kernels"):
            continue
        (what, calls, seconds), *longest = one["kernels"]
        yield f"\n## Longest kernels of a step: {name.removeprefix('train_').replace('_', ', ')}\n"
        if not calls:
            yield what
            continue
        yield f"Of {calls} calls, {1000 * seconds:.4g} ms in all, by PyTorch's profiler.\n"
        yield "| kernel | calls | ms | of all, % |\n|---|---|---|---|"
        for kernel, times, took in longest:
            yield f"| `{_cell(kernel)[:120]}` | {times} | {1000 * took:.3g} | {100 * took / seconds:.1f} |"


def _ways(found: Found) -> Iterator[str]:
    if (one := found.get("candidates")) is None:
        return
    yield f"\n## Ways to compute\n\n`{one['command']}`: forward and backward; off: from float32.\n"
    if "error" in one:
        yield one["error"]
        return
    yield from candidates.lines([candidates.Candidate(*way) for way in one["candidates"]])


def _losses(found: Found) -> Iterator[str]:
    if (one := found.get("precisions")) is None:
        return
    yield (
        f"\n## Losses in other numbers\n\n`{one['command']}`: mean training loss of each fifth of the updates, of those"
        " that are logged.\n"
    )
    if "error" in one:
        yield one["error"]
        return
    yield from precisions.lines([precisions.Training(*training) for training in one["trainings"]])


def _rates(found: Found) -> Iterator[str]:
    answers = {name: one for name, one in found.items() if name.startswith("predict_")}
    if not answers:
        return
    yield "\n## Predictions\n"
    yield "Recordings of 10 s on disk to a table of answers, one process; beside it the forward alone.\n"
    yield "| | records/s | forward alone |\n|---|---|---|"
    for name, one in answers.items():
        title = name.removeprefix("predict_").replace("_", ", ")
        if "error" in one:
            yield f"| {title} | {_cell(one['error'])} | |"
        else:
            own, bare = (one["records"] / median(one[key]) for key in ("seconds", "forward"))
            yield f"| {title} | {own:.4g} | {bare:.4g} |"


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "/").replace("\n", " ")
