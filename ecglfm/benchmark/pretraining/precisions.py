"""`benchmark precisions`: the same pretraining in several numbers, and how far their losses are apart.

Synthetic recordings, the workflow's own stages and `pretrain`, one seed: the same batches, masks and first weights.
What is learnt in 500 updates says whether numbers are in the way, and not what they cost in the end.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from ecglfm.config import UserError

if TYPE_CHECKING:
    from ecglfm.config import EncoderSlice

PARTS = 5  # of a training, whose mean losses are told
#: By name what is changed; the first is what the others are held against.
SETTINGS: dict[str, dict[str, Any]] = {
    "fp32": {"precision": "fp32"},
    "tf32": {"precision": "tf32"},
    "bf16": {"precision": "bf16"},
    "bf16-half-residual": {"precision": "bf16", "half_residual": True},
    "fp16": {"precision": "fp16", "zero_stage": 1},
    "fp8": {"precision": "fp8"},
}


class Training(NamedTuple):
    """What was measured of one.

    Attributes
    ----------
    name : str
        Of `SETTINGS`.
    losses : list of float
        Mean training loss of each part of the updates, of those that are logged.
    seconds : float
        Start and end of a training included, not those of the process.
    """

    name: str
    losses: list[float]
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", default="small", metavar="NAME", help="config/encoders/{NAME}.yaml")
    parser.add_argument(
        "--settings", type=_settings, default=["fp32", "bf16"], metavar="NAME,…", help=f"of {', '.join(SETTINGS)}"
    )
    parser.add_argument("--updates", type=int, default=500)
    parser.add_argument("--batch", type=int, default=4, metavar="PAIRS", help="of an update")
    parser.add_argument("--lr", type=float, default=1.0e-4, help="a higher one lets the codebook of few pairs collapse")
    parser.add_argument("--patients", type=int, default=500, help="of each of two synthetic databases")
    parser.add_argument("--json", action="store_true", help="one line of JSON")


def _settings(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in SETTINGS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(SETTINGS)}")
    return text.split(",")


def run(args: argparse.Namespace) -> None:
    """Train and print."""
    import torch

    from ecglfm.benchmark.pretraining.pretraining import prepared_project
    from ecglfm.training.pretraining import run_pretrain

    if args.updates < PARTS:
        raise UserError(f"--updates {args.updates}: at least {PARTS}")
    found: list[Training] = []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        own = prepared_project(results, args.encoder, args.patients).encoder_slice(args.encoder)
        short = argparse.Namespace(**vars(args) | {"updates": PARTS})
        # A few updates before: what the process imports, and a GPU's start, would all be the first one's seconds.
        for name, asked in [(args.settings[0], short), *((name, args) for name in args.settings)]:
            output, began = results / "pretrain" / f"{len(found)}", time.perf_counter()
            run_pretrain(
                told(own, asked, name),
                manifest=results / "manifest/records.parquet", signals=results / "preprocess", output=output,
            )  # fmt: skip
            found.append(Training(name, losses_of(output / "history.csv"), time.perf_counter() - began))
        del found[0]
    if args.json:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        print(json.dumps({"device": device, "torch": torch.__version__, "trainings": found}))
        return
    print(f"{args.encoder}, {args.updates} updates of {args.batch} pairs, mean training loss of each part of them")
    for line in lines(found):
        print(line)


def told(own: EncoderSlice, args: argparse.Namespace, name: str) -> EncoderSlice:
    """The encoder's own training but for what is asked."""
    from ecglfm.config import EncoderConfig

    config = own.config.model_dump()
    if config["pretrain"] is None:
        raise UserError(f"--encoder {args.encoder}: has no `pretrain:` section, so there is nothing to train")
    every = max(1, args.updates // (10 * PARTS))
    config["pretrain"] |= {
        "steps": args.updates, "epochs": None, "batch_size": args.batch, "accumulate": 1, "lr": args.lr,
        "num_workers": 0, "log_every": every, "validate_every": args.updates,
        "checkpoint_every": {"steps": args.updates}, "keep_every": None,
        "zero_stage": 0, "processes": 1, "compile": False, "half_residual": False,
    }  # fmt: skip
    config["pretrain"]["schedule"] = {"warmup": min(50, args.updates // 2)}
    config["pretrain"] |= SETTINGS[name]
    return own.model_copy(update={"config": EncoderConfig.model_validate(config)})


def losses_of(history: Path) -> list[float]:
    """Mean training loss of each part of the updates, of those that are logged."""
    with history.open(newline="") as file:
        rows = [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file) if row["split"] == "train"]
    last = rows[-1][0]
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for step, loss in rows:
        parts[(step - 1) * PARTS // last].append(loss)
    return [fmean(part) for part in parts]


def lines(found: Sequence[Training]) -> Iterator[str]:
    """A table in Markdown: losses of the first, and how far the others are from them."""
    yield f"| | {' | '.join(f'part {number + 1}' for number in range(PARTS))} | all | s |\n{'|---' * (PARTS + 3)}|"
    first = _with_all(found[0])
    for number, one in enumerate(found):
        cells = [f"{loss:.3f}" for loss in first]
        if number:
            cells = [f"{100 * (own / other - 1):+.2f} %" for own, other in zip(_with_all(one), first, strict=True)]
        yield f"| {' | '.join([one.name, *cells, f'{one.seconds:.0f}'])} |"


def _with_all(one: Training) -> list[float]:
    return [*one.losses, fmean(one.losses)]
