"""`benchmark checkpoint`: state of a pretraining, written and read, and how long the training waits for it."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ecglfm.config import EncoderConfig, EncoderSlice, ProjectConfig, UserError, load

if TYPE_CHECKING:
    from ecglfm.training.checkpoints import Piece, Saver

_POLL_SECONDS = 0.01  # between questions whether the write is done, as updates would ask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", required=True, metavar="NAME", help="stem of a file in encoders/ beside --config")
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"), help="a project's config.yaml")
    parser.add_argument("--saves", type=int, default=3, help="checkpoints to write, after a first that does not count")
    parser.add_argument("--output", type=Path, help="folder on the disk to be measured; default: the config's results")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    if args.saves < 1:
        raise UserError(f"--saves {args.saves}: at least 1")
    from ecglfm import distributed
    from ecglfm.models.pretraining import make_objective
    from ecglfm.training.checkpoints import Checkpoints, Saver, pieces_of, restore_optimizer
    from ecglfm.training.engine import initialize
    from ecglfm.training.pretraining import build_encoder

    slice_, results = _slice(args)
    config = slice_.config.pretrain
    assert config is not None
    distributed.init()
    engine = initialize(make_objective(build_encoder(slice_, config.seed), config), config)
    _make_moments(engine)
    output = args.output or results
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-checkpoint-", dir=output))
    try:
        checkpoints = Checkpoints(folder, config_hash="", data_hash="", keep_last=1)
        saver = Saver(checkpoints)
        pieces, notes = pieces_of(engine, None)
        waited, written, busy = [], [], []
        for step in range(args.saves + 1):
            seconds = _save(saver, pieces, notes, step + 1)
            if step:  # the first also gets the memory of its copy
                waited.append(seconds[0])
                written.append(seconds[1])
                busy.append(seconds[2])
        began = time.perf_counter()
        newest = checkpoints.newest()
        hashed = time.perf_counter() - began
        saved, _ = checkpoints.load(newest)
        restore_optimizer(engine, saved)
        read = time.perf_counter() - began - hashed
    finally:
        shutil.rmtree(folder)
    size = sum(piece.values.nbytes for piece in pieces)
    shares = [one / other for one, other in zip(waited, written, strict=True)]
    print(f"{args.encoder}: {size / 1e6:.1f} MB in a checkpoint")
    print(f"write: median {median(written):.3f} s, {size / 1e6 / median(written):.0f} MB/s with hash and sync")
    print(
        f"training waits: median {median(waited):.3f} s, {100 * median(shares):.1f} % of the write;"
        f" {median(busy):.3f} s of processor time"
    )
    print(f"resume: {hashed:.3f} s to check the hashes, {read:.3f} s to read it back")


def _slice(args: argparse.Namespace) -> tuple[EncoderSlice, Path]:
    """The encoder without ZeRO in fp32, where a state is as large as in any other way; and the results folder."""
    project = load(ProjectConfig, args.config)
    path = args.config.parent / "encoders" / f"{args.encoder}.yaml"
    config = load(EncoderConfig, path)
    if config.pretrain is None:
        raise UserError(f"{path}: has no `pretrain:` section, so there is no state to save")
    pretrain = config.pretrain.model_copy(update={"zero_stage": 0, "precision": "fp32", "compile": False})
    config = config.model_copy(update={"pretrain": pretrain})
    return EncoderSlice(encoder=args.encoder, config=config, preprocess=project.preprocess), Path(project.results)


def _make_moments(engine: object) -> None:
    """Let the optimizer make its state, as the first update does."""
    optimizer = engine.basic_optimizer  # type: ignore[attr-defined]
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = parameter.new_zeros(parameter.shape)
    optimizer.step()
    optimizer.zero_grad()


def _save(saver: Saver, pieces: list[Piece], notes: dict[str, str], step: int) -> tuple[float, float, float]:
    """Seconds that a training would wait for one checkpoint, until it is whole, and of processors for the copy."""
    began, busy = time.perf_counter(), time.process_time()
    saver.save(pieces, step, {}, notes)
    waited, busy = time.perf_counter() - began, time.process_time() - busy
    whole = 0.0
    while saver.pending:
        if not whole and saver.checkpoints.path(step).exists():
            whole = time.perf_counter() - began
        time.sleep(_POLL_SECONDS)
        asked = time.perf_counter()
        saver.poll()
        waited += time.perf_counter() - asked
    return waited, whole or time.perf_counter() - began, busy
