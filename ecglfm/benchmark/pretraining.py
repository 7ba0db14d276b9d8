"""`benchmark pretraining`: what pretraining is worth: linear probes on pretrained against random frozen features."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecglfm.config import EncoderSlice, Project
    from ecglfm.evaluation.metrics import Predictions

_SOURCES, _TASK, _CONFIG = ["demo-ptbxl", "demo-mimic"], "diagnosis", Path("config")
#: Arms of the comparison: how a table calls them, and where CMSC pools; None is the same encoder with random weights.
_ARMS = {"random": None, "pretrained": "encoder", "CMSC from the front end": "frontend"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", default="tiny", metavar="NAME", help="config/encoders/{NAME}.yaml")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--steps", type=int, default=400, help="updates of each")
    parser.add_argument("--epochs", type=int, default=100, help="of the probe, at most")
    parser.add_argument("--patients", type=int, default=300, help="of each of two synthetic databases")


def run(args: argparse.Namespace) -> None:
    """Measure, and print a row of the table as soon as a seed is done."""
    from ecglfm.config import Project

    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        probe = {"epochs": args.epochs, "patience": 10, "lr": 1.0e-2, "batch_size": 16}
        choice = {"sources": _SOURCES, "encoders": [args.encoder], "tasks": [_TASK]}
        splits = {"valid_fraction": 0.15, "test_fraction": 0.25}
        project = Project({"results": name, **choice, "manifest": splits, "finetune": probe}, _CONFIG)
        _prepare(project, results, args.patients)
        rows: list[list[float]] = []
        for seed in range(args.seeds):
            found = [_probe(project, results, pool, seed, args.steps) for pool in _ARMS.values()]
            if seed == 0:
                _print_header(args, found[0])
            rows.append(_print_seed(seed, *found))
    _print_row("mean", [sum(column) / len(rows) for column in zip(*rows, strict=True)])


def _print_header(args: argparse.Namespace, data: Predictions) -> None:
    records, patients = len(data.targets), len(set(data.patients))
    print(f"{args.encoder}, {args.steps} updates: macro AUROC of a linear probe of {_TASK} on {records} recordings of")
    print(f"{patients} synthetic test patients; differences with their 95 % interval (paired patient bootstrap)\n")
    print(f"| seed | {' | '.join(_ARMS)} | pretrained - random | encoder - front end |\n|---|---|---|---|---|---|")


def _print_seed(seed: int, random: Predictions, encoder: Predictions, front_end: Predictions) -> list[float]:
    """Compare the arms of one seed; returns the numbers of the row."""
    from ecglfm.evaluation.metrics import paired_bootstrap

    worth, pools = (
        paired_bootstrap(encoder, other, resamples=1000, confidence=0.95, seed=seed) for other in (random, front_end)
    )
    row = [worth["second"], worth["first"], pools["second"], worth["value"], pools["value"]]
    _print_row(str(seed), row, [f" ({found['ci_low']:+.3f} to {found['ci_high']:+.3f})" for found in (worth, pools)])
    return row


def _print_row(name: str, values: list[float], intervals: Sequence[str] = ("", "")) -> None:
    cells = [f"{value:.3f}" for value in values[:3]]
    cells += [f"{value:+.3f}{interval}" for value, interval in zip(values[3:], intervals, strict=True)]
    print(f"| {' | '.join([name, *cells])} |", flush=True)


def _prepare(project: Project, results: Path, patients: int) -> None:
    """Everything that the arms share: databases, prepared signals, splits and labels, as the workflow makes them."""
    from ecglfm.data.ingest import run_ingest
    from ecglfm.data.labels import run_labels
    from ecglfm.data.manifest import run_manifest
    from ecglfm.data.signals import run_preprocess
    from ecglfm.sources import open_source
    from ecglfm.sources.base import write_index
    from ecglfm.sources.synthesis.database import run_synthesize

    for source in _SOURCES:
        slice_ = project.source_slice(source)
        slice_ = slice_.model_copy(update={"config": slice_.config.model_copy(update={"patients": patients})})
        index = results / "index" / f"{source}.parquet"
        run_synthesize(slice_, Path(slice_.config.root or ""))
        write_index(index, open_source(slice_).recordings())
        ingested = results / "ingest" / source / "000.npy"
        run_ingest(slice_, index, 0, 1, ingested)
        run_preprocess(project.config.preprocess, ingested, results / "preprocess" / source / "000.npy", 1)
    manifest = results / "manifest"
    run_manifest(project.manifest_slice().model_copy(update={"shards": {}}), results, manifest)
    indices = [results / "index" / f"{source}.parquet" for source in _SOURCES]
    run_labels(project.task_slice(_TASK), manifest / "records.parquet", indices, results / f"{_TASK}.parquet")


def _probe(project: Project, results: Path, pool: str | None, seed: int, steps: int) -> Predictions:
    """Make an encoder, fit a linear head to its frozen features, and predict the test split."""
    import pandas as pd

    from ecglfm.evaluation.prediction import labelled_records, predict_records, predictions_on_test
    from ecglfm.training.finetuning import run_finetune
    from ecglfm.training.pretraining import run_pretrain

    manifest, signals = results / "manifest" / "records.parquet", results / "preprocess"
    labels = results / f"{_TASK}.parquet"
    output = results / "pretrain" / f"{pool}-s{seed}"
    run_pretrain(_encoder(project, pool, seed, steps), manifest=manifest, signals=signals, output=output)
    model = run_finetune(
        project.finetune_slice(*project.encoders),
        fit=f"linear-s{seed}", encoder=output, task=project.task_slice(_TASK), labels=labels, manifest=manifest,
        signals=signals, output=output / "probe",
    )  # fmt: skip
    records = labelled_records(pd.read_parquet(labels), pd.read_parquet(manifest), model.label_names, labels)
    return predictions_on_test(predict_records(model, records, signals), model.label_names)


def _encoder(project: Project, pool: str | None, seed: int, steps: int) -> EncoderSlice:
    """The project's encoder with another seed and pool; `pool` None: with random weights."""
    from ecglfm.config import EncoderConfig

    slice_ = project.encoder_slice(*project.encoders)
    config = slice_.config.model_dump()
    if pool is None:
        config |= {"weights": "random", "pretrain": None, "seed": seed}
    else:
        every = {"steps": steps, "epochs": None, "validate_every": steps, "checkpoint_every": {"steps": steps}}
        config["pretrain"] |= every | {"seed": seed}
        config["pretrain"]["objective"]["cmsc"]["pool"] = pool
    return slice_.model_copy(update={"config": EncoderConfig.model_validate(config)})
