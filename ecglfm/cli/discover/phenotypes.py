"""Steps that say what features mean: `discover biomarkers`, `discover interpret`, `discover survival`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths, add_threads


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the steps of this group."""
    biomarkers = steps.add_parser("biomarkers", help="features against intervals, axes and voltages of people's ECGs")
    add_config(biomarkers, "discover/biomarkers")
    add_paths(biomarkers, "features", "manifest", "index", "signals")
    biomarkers.add_argument("--workers", type=int, default=1, help="processes that measure")
    biomarkers.set_defaults(run=_biomarkers)
    _add_interpret(steps)
    _add_survival(steps)


def _add_interpret(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    interpret = steps.add_parser("interpret", help="what of an ECG makes a feature high or low, and a map of people")
    add_config(interpret, "discover/interpretation")
    add_paths(interpret, "features")
    interpret.add_argument(
        "--encoder", type=Path, required=True, help="folder of the encoder, or model, whose vectors they are made of"
    )
    interpret.add_argument("--vectors", nargs="+", type=Path, required=True, help="{source}.parquet of these vectors")
    add_paths(interpret, "manifest", "signals")
    add_threads(interpret)
    interpret.set_defaults(run=_interpret)


def _add_survival(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    survival = steps.add_parser("survival", help="Cox models of the time to an event on features, over age and sex")
    add_config(survival, "discover/survival")
    add_paths(survival, "features", "index")
    survival.set_defaults(run=_survival)


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
