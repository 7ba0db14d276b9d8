"""`benchmark pretraining`: what pretraining is worth, beside random weights and encoders that need none.

Without `--data` linear probes of frozen features, solved, on synthetic recordings, in minutes. With it a PTB-XL of your
own, or a part of it, cross-validated by patient: linear probes and full fine-tuning, with all labels and with few,
beside hand-made statistics of the signal and encoders trained from scratch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecglfm.benchmark.pretraining.genuine import Arm, Comparison
    from ecglfm.config import EncoderSlice, Project
    from ecglfm.config.fits import Fit
    from ecglfm.evaluation.metrics import Predictions

_SOURCES, _TASK, _CONFIG = ["demo-ptbxl", "demo-mimic"], "diagnosis", Path("config")
#: Arms of the comparison: how a table calls them, and where CMSC pools; None is the same encoder with random weights.
#: The last is left out where the objective has no CMSC.
_ARMS = {"random": None, "pretrained": "encoder", "CMSC from the front end": "frontend"}
_DIFFERENCES = ("pretrained - random", "encoder - front end")


#: Settings of `--quick`.
_QUICK = {"folds": 3, "seeds": 1, "steps": 2, "epochs": 2, "fractions": [1.0]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", default="tiny", metavar="NAME", help="config/encoders/{NAME}.yaml")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--steps", type=int, help="updates of each pretraining; 400, with --data those of its YAML")
    parser.add_argument("--patients", type=int, default=300, help="of each of two synthetic databases")
    genuine = parser.add_argument_group("on genuine records")
    genuine.add_argument("--data", type=Path, metavar="ROOT", help="folder of PTB-XL, or of a part of it")
    genuine.add_argument("--epochs", type=int, default=40, help="of full fine-tuning, at most")
    genuine.add_argument("--folds", type=int, default=5, help="of the cross-validation")
    genuine.add_argument("--modes", nargs="+", default=["linear", "full"], choices=["linear", "full"])
    genuine.add_argument(
        "--fractions", nargs="+", type=float, default=[0.01, 0.1, 1.0], help="of the labelled patients"
    )
    genuine.add_argument(
        "--scratch", nargs="+", default=["s4-small"], metavar="NAME", help="encoders to be trained from scratch"
    )
    genuine.add_argument("--work", type=Path, metavar="FOLDER", help="keep what is made here, and go on from it")
    genuine.add_argument("--quick", action="store_true", help="see that it runs: 3 folds, 1 seed, 2 updates")


def run(args: argparse.Namespace) -> None:
    """Measure, and print a row of the table as soon as it is known."""
    if args.data is not None:
        _run_genuine(args)
        return
    args.steps = args.steps or 400
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        project = prepared_project(results, args.encoder, args.patients, probe={"linear_solver": "lbfgs"})
        pools, rows = list(_ARMS.values())[: None if _has_cmsc(project) else 2], list[list[float]]()
        for seed in range(args.seeds):
            found = [_probe(project, results, pool, seed, args.steps) for pool in pools]
            if seed == 0:
                _print_header(args, found[0], len(pools))
            rows.append(_print_seed(seed, *found))
    _print_row("mean", [sum(column) / len(rows) for column in zip(*rows, strict=True)])


def _run_genuine(args: argparse.Namespace) -> None:
    """Cross-validate the arms on genuine records, and print a table."""
    from ecglfm import distributed
    from ecglfm.benchmark.pretraining.genuine import Arm

    vars(args).update(_QUICK if args.quick else {})
    distributed.init(None)
    pretrained, random = Arm("pretrained", args.encoder), Arm("random", args.encoder, random=True)
    statistics = Arm("statistics", "statistics")
    scratch = [Arm(f"{name} from scratch", name, random=True) for name in args.scratch]
    with tempfile.TemporaryDirectory() as scratch_folder:
        comparison = _comparison(args, args.work or Path(scratch_folder))
        fractions = [share for share in sorted(args.fractions) if _can_be_learnt(comparison, share, args)]
        plan: list[tuple[Arm, str]] = [(statistics, "linear"), *((arm, "full") for arm in scratch)]
        plan += [(arm, mode) for arm in (pretrained, random) for mode in args.modes]
        _fit_all(comparison, plan, fractions, args)
        _print_table(comparison, (pretrained, random, statistics, *scratch), fractions, args)


def _comparison(args: argparse.Namespace, work: Path) -> Comparison:
    """Data and settings, as the recipe for small data has them."""
    import yaml

    from ecglfm.benchmark.pretraining.genuine import Comparison, make_project

    recipe = yaml.safe_load((_CONFIG / "recipes/ptb-xl-small.yaml").read_text(encoding="utf-8"))["finetune"]
    names = [args.encoder, "statistics", *args.scratch]
    settings = recipe | {"modes": ["full", "linear"], "epochs": args.epochs, "patience": 8}
    project = make_project(_CONFIG, args.data, names, settings)
    full = {name: project.finetune_slice(name).finetune for name in names}
    fits = {(name, "full"): own for name, own in full.items()}
    fits |= {(name, "linear"): own.model_copy(update={"linear_solver": "lbfgs"}) for name, own in full.items()}
    return Comparison(project, work, folds=args.folds, steps=args.steps, fits=fits)


def _can_be_learnt(comparison: Comparison, share: float, args: argparse.Namespace) -> bool:
    """Whether every label has positives and negatives in the share of every fold and seed."""
    from ecglfm.config.fits import Fit

    for seed in range(args.seeds) if share < 1 else ():
        for fold in range(args.folds):
            for label, lacking in comparison.lacking(Fit("full", seed, share), fold).items():
                print(f"{share:.0%} of the labels is left out: {label} has {lacking} in fold {fold}, seed {seed}\n")
                return False
    return True


def _fit_all(
    comparison: Comparison, plan: Sequence[tuple[Arm, str]], fractions: Sequence[float], args: argparse.Namespace
) -> None:
    """Make every fit, and tell how far it is."""
    from ecglfm.config.fits import Fit
    from ecglfm.progress import duration

    rounds, began = args.seeds * args.folds, time.monotonic()
    for number, (seed, fold) in enumerate((seed, fold) for seed in range(args.seeds) for fold in range(args.folds)):
        for arm, mode in plan:
            for share in fractions:
                comparison.fit(arm, Fit(mode, seed, share), fold)
        left = (time.monotonic() - began) / (number + 1) * (rounds - number - 1)
        print(f"seed {seed}, fold {fold}: {number + 1} of {rounds}, {duration(left)} left", file=sys.stderr, flush=True)


def _print_table(
    comparison: Comparison, arms: Sequence[Arm], fractions: Sequence[float], args: argparse.Namespace
) -> None:
    """A row for each share of the labels and mode."""
    from ecglfm.config.fits import Fit

    data = comparison.predictions(arms[2], Fit("linear", 0, fractions[-1]))
    print(
        f"{args.encoder}: macro AUROC of {', '.join(data.names)}, mean of {args.folds} folds and {args.seeds} seeds, on"
    )
    print(
        f"{len(data.targets)} records of {len(set(data.patients))} patients; differences with their 95 % interval over"
    )
    print("patients, paired, and trainings\n")
    print(
        f"| labels | mode | {' | '.join(arm.title for arm in arms)} | pretrained - random | pretrained - best other |"
    )
    print("|---" * (len(arms) + 4) + "|")
    for share in fractions:
        for mode in args.modes:
            own = [mode, mode, "linear", *["full"] * len(args.scratch)]
            fits = [[Fit(one, seed, share) for seed in range(args.seeds)] for one in own]
            row = compare_arms(comparison, list(zip(arms, fits, strict=True)))
            print(f"| {share:.0%} | {mode} | {' | '.join(row)} |", flush=True)


def compare_arms(comparison: Comparison, arms: Sequence[tuple[Arm, Sequence[Fit]]]) -> Iterator[str]:
    """Cells of a row: each arm's macro AUROC; the first arm less the second, and less the best of the others."""
    from ecglfm.config import EvaluateConfig
    from ecglfm.evaluation.comparison import contender, differences
    from ecglfm.evaluation.metrics import truth_of

    said = [[comparison.predictions(arm, fit) for fit in fits] for arm, fits in arms]
    config, truth = EvaluateConfig(), truth_of(said[0][0], EvaluateConfig().min_patients)
    contenders = [
        contender(arm.title, "", [fit.name for fit in fits], own, ["auroc"], truth)
        for (arm, fits), own in zip(arms, said, strict=True)
    ]
    against: list[dict[str, Any]] = [
        differences(contenders[0], other, "auroc", truth, config)["macro"] for other in contenders[1:]
    ]
    yield f"{against[0]['first']:.3f}"
    yield from (f"{entry['second']:.3f}" for entry in against)
    for entry in (against[0], min(against[1:], key=lambda entry: entry["value"])):
        known = entry["ci_low"] is not None
        yield f"{entry['value']:+.3f}" + (f" ({entry['ci_low']:+.3f} to {entry['ci_high']:+.3f})" if known else "")


def _has_cmsc(project: Project) -> bool:
    """Whether the encoder is pretrained with an objective that has the term."""
    pretrain = project.encoder_slice(*project.encoders).config.pretrain
    return pretrain is not None and hasattr(pretrain.objective, "cmsc")


def _print_header(args: argparse.Namespace, data: Predictions, arms: int) -> None:
    records, patients = len(data.targets), len(set(data.patients))
    print(f"{args.encoder}, {args.steps} updates: macro AUROC of a linear probe of {_TASK} on {records} recordings of")
    print(f"{patients} synthetic test patients; differences with their 95 % interval (paired patient bootstrap)\n")
    names = ["seed", *list(_ARMS)[:arms], *_DIFFERENCES[: arms - 1]]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")


def _print_seed(seed: int, random: Predictions, encoder: Predictions, *front_end: Predictions) -> list[float]:
    """Compare the arms of one seed; returns the numbers of the row."""
    from ecglfm.evaluation.metrics import paired_bootstrap

    worth, *pools = (
        paired_bootstrap(encoder, other, resamples=1000, confidence=0.95, seed=seed) for other in (random, *front_end)
    )
    areas = [worth["second"], worth["first"], *(found["second"] for found in pools)]
    row = [*areas, *(found["value"] for found in (worth, *pools))]
    _print_row(str(seed), row, [f" ({found['ci_low']:+.3f} to {found['ci_high']:+.3f})" for found in (worth, *pools)])
    return row


def _print_row(name: str, values: list[float], intervals: Sequence[str] | None = None) -> None:
    arms = (len(values) + 1) // 2
    cells = [f"{value:.3f}" for value in values[:arms]]
    cells += [f"{d:+.3f}{shown}" for d, shown in zip(values[arms:], intervals or [""] * (arms - 1), strict=True)]
    print(f"| {' | '.join([name, *cells])} |", flush=True)


def prepared_project(results: Path, encoder: str, patients: int, *, probe: dict[str, Any] | None = None) -> Project:
    """A project of two synthetic databases of so many patients each, whose signals and splits lie in `results`."""
    from ecglfm.config import Project

    choice = {"sources": _SOURCES, "encoders": [encoder], "tasks": [_TASK]}
    splits = {"valid_fraction": 0.15, "test_fraction": 0.25}
    project = Project(
        {"results": str(results), **choice, "manifest": splits} | ({"finetune": probe} if probe else {}), _CONFIG
    )
    _prepare(project, results, patients)
    return project


def _prepare(project: Project, results: Path, patients: int) -> None:
    """Everything that the arms share: databases, prepared signals, splits and labels, as the workflow makes them."""
    from ecglfm.data.ingest import run_ingest
    from ecglfm.data.labels import run_labels
    from ecglfm.data.manifest import run_manifest
    from ecglfm.data.signals import run_preprocess
    from ecglfm.sources import open_source
    from ecglfm.sources.base import write_index
    from ecglfm.sources.synthesis import run_synthesize

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

    from ecglfm.benchmark.pretraining.genuine import make_encoder
    from ecglfm.evaluation.prediction import labelled_records, predict_records, predictions_on_test
    from ecglfm.training.finetuning import run_finetune

    manifest, signals = results / "manifest" / "records.parquet", results / "preprocess"
    labels = results / f"{_TASK}.parquet"
    output = results / "pretrain" / f"{pool}-s{seed}"
    own = project.encoder_slice(*project.encoders)
    make_encoder(own, _encoder(own, pool, seed, steps), output, manifest=manifest, signals=signals)
    model = run_finetune(
        project.finetune_slice(*project.encoders),
        fit=f"linear-s{seed}", encoder=output, task=project.task_slice(_TASK), labels=labels, manifest=manifest,
        signals=signals, output=output / "probe",
    )  # fmt: skip
    records = labelled_records(pd.read_parquet(labels), pd.read_parquet(manifest), model.label_names, labels)
    return predictions_on_test(predict_records(model, records, signals), model.label_names)


def _encoder(own: EncoderSlice, pool: str | None, seed: int, steps: int) -> EncoderSlice:
    """The encoder with another seed and pool of CMSC, where there is one; `pool` None: with random weights."""
    from ecglfm.benchmark.pretraining.genuine import arm_slice

    objective = {} if own.config.pretrain is None else own.config.pretrain.objective.model_dump()
    if "cmsc" in objective:
        objective["cmsc"]["pool"] = pool or "encoder"
    return arm_slice(own, seed, steps, random=pool is None, objective=objective)
