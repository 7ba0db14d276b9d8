"""Steps that say what associations mean, from `discover credible-sets` to `discover phewas`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecglfm.cli.arguments import add_config, add_paths


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the steps of this group."""
    sets = _step(steps, "credible-sets", "which variants of each locus may be the causal one")
    _add_loci(sets)
    sets.set_defaults(run=_credible_sets)

    h2 = _step(steps, "heritability", "heritability of features and their genetic correlations, by LD-score regression")
    _add_summary(h2)
    h2.add_argument(
        "--panel", nargs="*", default=[], type=Path, metavar="PREFIX",
        help="reference panel: PLINK 1 files without their ending; not where the config names LD scores",
    )  # fmt: skip
    h2.set_defaults(run=_heritability)

    dimensions = _step(steps, "dimensions", "rank features by heritability, stability within a person, and confounding")
    add_paths(dimensions, "features", "vectors", "manifest")
    dimensions.add_argument("--index", nargs="+", type=Path, required=True, help="index/{source}.parquet")
    dimensions.add_argument("--ingested", type=Path, required=True, help="folder ingest/")
    dimensions.add_argument("--heritability", type=Path, help="heritability.parquet, where there is one")
    dimensions.set_defaults(run=_dimensions)

    mr = _step(steps, "mr", "Mendelian randomization of features on outcomes")
    _add_loci(mr)
    mr.add_argument(
        "--genotypes", nargs="+", type=Path, help="outcomes with a `column`: folders of the step genotypes (PLINK 2)"
    )
    mr.add_argument("--people", type=Path, help="with --genotypes: folder of the steps people and structure")
    mr.set_defaults(run=_mr)

    second = _step(steps, "replication", "lead variants in other cohorts: direction, P, power")
    _add_loci(second)
    second.set_defaults(run=_replication)

    phewas = _step(steps, "phewas", "every feature against diseases (ICD codes) and quantities")
    add_paths(phewas, "features")
    phewas.add_argument("--ids", type=Path, help="ids.tsv of the step people, with --components")
    phewas.add_argument("--components", type=Path, help="pca.tsv of the step structure: adjusted for, too")
    phewas.set_defaults(run=_phewas)


def _step(steps: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str) -> argparse.ArgumentParser:
    parser = steps.add_parser(name, help=what)
    add_config(parser, f"discover/{name.replace('-', '_')}")
    return parser


def _add_summary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--summary", type=Path, required=True, help="folder of {edf}.tsv.zst of the step summary")
    add_paths(parser, "output")


def _add_loci(parser: argparse.ArgumentParser) -> None:
    _add_summary(parser)
    parser.add_argument("--loci", type=Path, required=True, help="loci.parquet of the step loci")


def _credible_sets(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import CredibleSetsConfig
    from ecglfm.discovery.finemapping import run_credible_sets

    config = load(CredibleSetsConfig, args.config)
    run_credible_sets(config, summary=args.summary, loci=args.loci, output=args.output)


def _heritability(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import HeritabilityConfig
    from ecglfm.discovery.heritability import run_heritability

    config = load(HeritabilityConfig, args.config)
    run_heritability(config, summary=args.summary, output=args.output, panel=args.panel)


def _dimensions(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import DimensionsConfig
    from ecglfm.discovery.heritability import run_dimensions

    run_dimensions(
        load(DimensionsConfig, args.config), features=args.features, vectors=args.vectors, manifest=args.manifest,
        index=args.index, ingested=args.ingested, heritability=args.heritability,
    )  # fmt: skip


def _mr(args: argparse.Namespace) -> None:
    from ecglfm.config import UserError, load
    from ecglfm.config.discovery import MrSlice
    from ecglfm.discovery.causal import read_people, run_mr
    from ecglfm.discovery.genotypes import find_program

    config = load(MrSlice, args.config)
    if bool(args.genotypes) != bool(args.people):
        raise UserError("--genotypes and --people belong together")
    people = None
    if args.genotypes:
        plink2 = find_program("plink2", config.plink2)
        people = read_people(plink2, genotypes=args.genotypes, folder=args.people, loci=args.loci)
    run_mr(config.mr, summary=args.summary, loci=args.loci, output=args.output, people=people)


def _replication(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import ReplicationConfig
    from ecglfm.discovery.replication import run_replication

    config = load(ReplicationConfig, args.config)
    run_replication(config, summary=args.summary, loci=args.loci, output=args.output)


def _phewas(args: argparse.Namespace) -> None:
    from ecglfm.config import UserError, load
    from ecglfm.config.discovery import PhewasConfig
    from ecglfm.discovery.phewas import run_phewas

    if args.components and not args.ids:
        raise UserError("--components needs --ids: ids.tsv, which says whose they are")
    config = load(PhewasConfig, args.config)
    run_phewas(config, features=args.features, ids=args.ids, components=args.components)
