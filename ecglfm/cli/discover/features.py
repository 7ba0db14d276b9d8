"""Steps that make traits of vectors, and the genotypes of the demo: `features`, `people`, `simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the steps of this group."""
    features = steps.add_parser("features", help="ECG-derived features (EDFs) of people, one record a person")
    add_config(features, "discover/features")
    add_paths(features, "vectors", "manifest", "index")
    features.add_argument("--model", type=Path, help="`kind: attribution`: folder of the fine-tuned model")
    add_paths(features, "output")
    features.set_defaults(run=_features)

    people = steps.add_parser("people", help="phenotype and covariate files for PLINK 2, REGENIE and BOLT-LMM")
    add_config(people, "discover/people")
    people.add_argument("--features", type=Path, required=True, help="edf.parquet of the step features")
    people.add_argument("--people", type=Path, required=True, help="people.parquet of the step features")
    people.add_argument(
        "--samples", nargs="+", type=Path, required=True, help="who is in the genotypes: .fam, .psam, .sample"
    )
    people.add_argument("--measured", type=Path, help="biomarkers.parquet, of whose columns some are traits, too")
    add_paths(people, "output")
    people.set_defaults(run=_people)

    simulate = steps.add_parser("simulate", help="genotypes of synthetic patients, which act on their hearts: the demo")
    add_config(simulate, "discover/simulation")
    add_paths(simulate, "output")
    simulate.set_defaults(run=_simulate)


def _features(args: argparse.Namespace) -> None:
    from ecglfm.config import FeaturesSlice, load
    from ecglfm.discovery.features import run_features

    run_features(
        load(FeaturesSlice, args.config),
        vectors=args.vectors,
        manifest=args.manifest,
        index=args.index,
        output=args.output,
        model=args.model,
    )


def _people(args: argparse.Namespace) -> None:
    from ecglfm.config import PeopleSlice, load
    from ecglfm.discovery.features import run_people

    run_people(
        load(PeopleSlice, args.config),
        features=args.features,
        people=args.people,
        samples=args.samples,
        measured=args.measured,
        output=args.output,
    )


def _simulate(args: argparse.Namespace) -> None:
    from ecglfm.config import SimulationSlice, load
    from ecglfm.discovery.demonstration import run_simulate

    run_simulate(load(SimulationSlice, args.config), args.output)
