"""Steps that say what features mean: `discover biomarkers`, `discover interpret`, `discover survival`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the steps of this group."""
    biomarkers = steps.add_parser("biomarkers", help="features against intervals, axes and voltages of people's ECGs")
    biomarkers.add_argument(
        "--config", type=Path, required=True, help="slice of the config: config/discover/biomarkers.yaml"
    )
    _add_features(biomarkers)
    biomarkers.add_argument("--manifest", type=Path, required=True, help="manifest/records.parquet")
    biomarkers.add_argument(
        "--index", nargs="+", type=Path, required=True, help="index/{source}.parquet of the sources"
    )
    biomarkers.add_argument("--signals", type=Path, required=True, help="folder preprocess/")
    biomarkers.add_argument("--workers", type=int, default=1, help="processes that measure")
    biomarkers.set_defaults(run=_biomarkers)
    _add_interpret(steps)
    _add_survival(steps)


def _add_interpret(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    interpret = steps.add_parser("interpret", help="what of an ECG makes a feature high or low, and a map of people")
    interpret.add_argument(
        "--config", type=Path, required=True, help="slice of the config: config/discover/interpretation.yaml"
    )
    _add_features(interpret)
    interpret.add_argument(
        "--encoder", type=Path, required=True, help="folder of the encoder, or model, whose vectors they are made of"
    )
    interpret.add_argument("--vectors", nargs="+", type=Path, required=True, help="{source}.parquet of these vectors")
    interpret.add_argument("--manifest", type=Path, required=True, help="manifest/records.parquet")
    interpret.add_argument("--signals", type=Path, required=True, help="folder preprocess/")
    interpret.add_argument("--threads", type=int, default=1, help="threads of torch")
    interpret.set_defaults(run=_interpret)


def _add_survival(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    survival = steps.add_parser("survival", help="Cox models of the time to an event on features, over age and sex")
    survival.add_argument(
        "--config", type=Path, required=True, help="slice of the config: config/discover/survival.yaml"
    )
    _add_features(survival)
    survival.add_argument("--index", nargs="+", type=Path, required=True, help="index/{source}.parquet of the sources")
    survival.set_defaults(run=_survival)


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--features", type=Path, required=True, help="folder discover/{encoder} of the step features; written to, too"
    )


def _biomarkers(args: argparse.Namespace) -> None:
    from ecglfm.config import BiomarkersConfig, load
    from ecglfm.discovery.biomarkers import run_biomarkers

    run_biomarkers(
        load(BiomarkersConfig, args.config), features=args.features, manifest=args.manifest, index=args.index,
        signals=args.signals, workers=args.workers,
    )  # fmt: skip


def _interpret(args: argparse.Namespace) -> None:
    from ecglfm.config import InterpretationConfig, load
    from ecglfm.discovery.interpretation import run_interpretation

    run_interpretation(
        load(InterpretationConfig, args.config), features=args.features, encoder=args.encoder, vectors=args.vectors,
        manifest=args.manifest, signals=args.signals, threads=args.threads,
    )  # fmt: skip


def _survival(args: argparse.Namespace) -> None:
    from ecglfm.config import SurvivalConfig, load
    from ecglfm.discovery.survival import run_survival

    run_survival(load(SurvivalConfig, args.config), features=args.features, index=args.index)
