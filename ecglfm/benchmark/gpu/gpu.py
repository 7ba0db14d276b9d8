"""`benchmark gpu`: every figure that is wanted of a new GPU, in one go that may be broken off and called again.

Each measurement is a benchmark of its own in a process of its own, the most wanted first, and lies as JSON in a folder
when it is done; a call makes those that are not there, for so many minutes, and writes all of them as one page for
docs/. On a machine without a GPU it measures the processor, so that small settings show beforehand that it runs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ecglfm import gpu
from ecglfm.benchmark.gpu.page import page
from ecglfm.config import UserError

LEAST = 60  # s without which none is begun
_LONGEST = 480  # s that one may take


class Item(NamedTuple):
    """One measurement.

    Attributes
    ----------
    name : str
        Of its file.
    command : list of str
        Words behind `ecglfm benchmark`.
    """

    name: str
    command: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--folder", type=Path, required=True, help="of what is measured; is kept, and gone on from")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which no further measurement is made")
    parser.add_argument(
        "--encoders", type=_words, default=["ecglfm-600m", "small", "base"], metavar="NAME,…",
        help="stems of files in encoders/; of the first, a Conformer, are kernels and candidates",
    )  # fmt: skip
    parser.add_argument("--pairs", type=_words, default=["64", "32", "16"], metavar="N,…", help="of an update")
    parser.add_argument("--steps", type=int, default=8, help="of `train` that are measured")
    parser.add_argument("--trained", default="small", metavar="NAME", help="encoder of `precisions` and `predict`")
    parser.add_argument("--updates", type=int, default=500, help="of `precisions`")
    parser.add_argument("--patients", type=int, default=500, help="of each of its two synthetic databases")
    parser.add_argument("--records", type=int, default=4000, help="of `predict`")
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"), help="a project's config.yaml")
    parser.add_argument("--compile", choices=("off", "on"), default="on", help="off: nothing is compiled")
    parser.add_argument("--again", action="store_true", help="measure anew what failed")
    parser.add_argument("--list", action="store_true", help="only say what would be measured")


def _words(text: str) -> list[str]:
    return text.split(",")


def run(args: argparse.Namespace) -> None:
    """Measure what is not there yet, and write the page."""
    from ecglfm.provenance import write_json, write_text

    known = {name for name, one in _found(args).items() if not (args.again and "error" in one)}
    todo = [item for item in items(args) if item.name not in known]
    if args.list:
        for item in todo:
            print(f"{item.name}: ecglfm benchmark {' '.join(item.command)}")
        return
    until = time.monotonic() + 60 * args.minutes
    for number, item in enumerate(todo):
        left = until - time.monotonic()
        if number and left < LEAST:
            print(f"{len(todo) - number} measurements are left: call it again")
            break
        done = _measure(item, min(left, _LONGEST), whole=number == 0)
        if done is None:
            print(f"{item.name}: time is up, {len(todo) - number} measurements are left: call it again")
            break
        _check_device(args, done)
        write_json(_file(args, item), done)
        write_text(args.folder / "measured.md", page(_found(args)))
        print(f"{item.name}: {done.get('error') or 'done'}, {done['took']:.0f} s", flush=True)
    else:
        write_text(args.folder / "measured.md", page(_found(args)))
        print(f"all is measured: {args.folder / 'measured.md'}")


def items(args: argparse.Namespace) -> list[Item]:
    """All measurements, the most wanted first."""
    first, most = args.encoders[0], args.pairs[0]
    config, encoders = ["--config", str(args.config)], args.config.parent / "encoders"
    compiled = ["off", *(["on"] if args.compile == "on" else [])]

    def train(encoder: str, pairs: str, compile_: str, checkpointing: str = "off", **more: str) -> Item:
        options = {
            "batch": str(2 * int(pairs)),
            "precision": "bf16",
            "compile": compile_,
            "checkpointing": checkpointing,
        }
        words = [word for name, value in (options | more).items() for word in (f"--{name}", value)]
        rest = [f"{name}-{value}" for name, value in more.items() if name != "kernels"]
        name = [
            "train",
            encoder,
            pairs,
            "compiled" * (compile_ == "on"),
            "checkpointing" * (checkpointing == "on"),
            *rest,
        ]
        command = [
            "train",
            "--encoder",
            encoder,
            *config,
            "--steps",
            str(args.steps),
            "--warmup",
            "3",
            *words,
            "--json",
        ]
        return Item("_".join(filter(None, name)), command)

    def predict(precision: str, *more: str) -> Item:
        name = "_".join(["predict", args.trained, precision, *(word.strip("-") for word in more)])
        words = ["--precision", precision, *more, "--records", str(args.records), "--runs", "2", "--json"]
        return Item(name, ["predict", "--encoder", str(encoders / f"{args.trained}.yaml"), *words])

    yaml = ["--encoder", str(encoders / f"{first}.yaml"), "--batch", str(2 * int(most)), "--compile", args.compile]
    wanted = [train(first, most, one, kernels="10") for one in compiled]
    wanted += [Item("candidates", ["candidates", *yaml, "--json"])]
    wanted += [predict("fp32"), predict("bf16")]
    trained = ["--encoder", args.trained, "--updates", str(args.updates), "--patients", str(args.patients)]
    trained += ["--settings", "fp32,bf16,bf16-half-residual"]
    wanted += [Item("precisions", ["precisions", *trained, "--json"])]
    wanted += [train(first, most, one, **{"half-residual": "on"}) for one in compiled]
    wanted += [train(first, most, one, zero="0") for one in compiled]
    every = [
        train(encoder, pairs, one, checkpointing)
        for checkpointing in ("off", "on")
        for encoder in args.encoders
        for pairs in args.pairs
        for one in compiled
    ]
    known = {item.name for item in wanted}
    wanted += [item for item in every if item.name not in known]
    return [*wanted, predict("tf32"), *([predict("bf16", "--compile")] if args.compile == "on" else [])]


def _file(args: argparse.Namespace, item: Item) -> Path:
    return Path(args.folder) / f"{item.name}.json"


def _found(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What is there, in the order in which it is wanted."""
    files = {item.name: _file(args, item) for item in items(args)}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in files.items() if path.exists()}


def _measure(item: Item, seconds: float, *, whole: bool) -> dict[str, Any] | None:
    """What a benchmark says, or why it says nothing; None where its time was cut short, which says nothing of it."""
    from ecglfm.provenance import git_commit

    began = time.monotonic()
    command = [sys.executable, "-m", "ecglfm", "benchmark", *item.command]
    facts: dict[str, Any] = {
        "command": " ".join(["ecglfm benchmark", *item.command]),
        "date": str(datetime.date.today()),
    }
    facts |= {"driver": gpu.driver(), "commit": git_commit()}
    done = _run(command, seconds)
    if done is None:
        if not whole:
            return None
        return facts | {"error": f"not done within {seconds:.0f} s", "took": time.monotonic() - began}
    facts["took"] = time.monotonic() - began
    if done.returncode:
        return facts | {"error": _why(done)}
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return facts | json.loads(found[-1])


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """Run it, with whatever it starts (the compiler has processes of its own); None where that takes too long."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        said, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, said, told)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing that was said, or the signal that ended it."""
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}" + (": out of memory, probably" if done.returncode == -9 else "")
    said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no word of why"]
    told = [line for line in said if "OutOfMemoryError" in line or "error: " in line] or said[-1:]
    return told[-1].removeprefix("ecglfm benchmark: error: ")[:300]


def _check_device(args: argparse.Namespace, done: dict[str, Any]) -> None:
    """Refuse to set figures of two machines beside each other."""
    known = {one["device"] for one in (*_found(args).values(), done) if "device" in one}
    if len(known) > 1:
        raise UserError(f"{args.folder}: has measurements of {' and '.join(sorted(known))}; give each a --folder")
