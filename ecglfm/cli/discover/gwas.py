"""Steps from genotypes to loci: `discover genotypes`, `structure`, `associate`, `summary`, `loci`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.cli.arguments import add_config
from ecglfm.config import UserError

if TYPE_CHECKING:
    from ecglfm.discovery.association import Design


def add_steps(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the steps of this group."""
    genotypes = steps.add_parser("genotypes", help="quality control of one chromosome (PLINK 2)")
    add_config(genotypes, "discover/quality")
    genotypes.add_argument("--chromosome", required=True, help="its name in the config")
    genotypes.add_argument("--simulated", type=Path, metavar="PREFIX", help="without genotypes in the config: a .bed")
    genotypes.add_argument("--people", type=Path, required=True, help="phenotypes.tsv: whose genotypes are kept")
    _add_run(genotypes, _genotypes)

    structure = steps.add_parser(
        "structure", help="who stays, and principal components, over all chromosomes (PLINK 2)"
    )
    add_config(structure, "discover/quality")
    structure.add_argument("--genotypes", nargs="+", type=Path, required=True, help="folders of the step genotypes")
    _add_run(structure, _structure)

    associate = steps.add_parser(
        "associate", help="features against the variants of a chromosome (PLINK 2, or step 2 of regenie)"
    )
    associate.add_argument("--genotypes", type=Path, required=True, help="folder of the step genotypes")
    associate.add_argument("--predictions", type=Path, help="regenie: folder of the step predict")
    _add_tables(associate)
    _add_run(associate, _associate)

    predict = steps.add_parser("predict", help="whole-genome predictions of features (step 1 of regenie)")
    _add_tables(predict)
    _add_run(predict, _predict)

    summary = steps.add_parser("summary", help="one file a feature in GWAS-SSF, genomic inflation, number of tests")
    summary.add_argument("--associations", type=Path, required=True, help="has CHROMOSOME/KofN of the step associate")
    summary.add_argument("--chromosomes", nargs="+", required=True, help="those tested")
    summary.add_argument("--batches", type=int, required=True, metavar="N", help="of features")
    _add_tables(summary)
    _add_run(summary, _summary)

    loci = steps.add_parser(
        "loci", help="lead variants, their loci and genes; Manhattan, QQ and Miami plots (PLINK 1.9)"
    )
    add_config(loci, "discover/loci")
    loci.add_argument("--summary", type=Path, required=True, help="folder summary/, beside lambda.tsv and tests.json")
    loci.add_argument("--genotypes", nargs="+", type=Path, required=True, help="folders of the step genotypes")
    loci.add_argument("--structure", type=Path, required=True, help="folder of the step structure")
    loci.add_argument("--genes", type=Path, help="file of genes, where the config names none")
    _add_run(loci, _loci)


def _add_tables(step: argparse.ArgumentParser) -> None:
    add_config(step, "discover/association")
    step.add_argument("--phenotypes", type=Path, required=True, help="phenotypes.tsv of the step people")
    step.add_argument("--covariates", type=Path, required=True, help="covariates.tsv of the step people")
    step.add_argument("--structure", type=Path, required=True, help="folder of the step structure")
    step.add_argument("--batch", default="1/1", metavar="I/N", help="the I-th of N parts of the features; default: all")


def _add_run(step: argparse.ArgumentParser, run: object) -> None:
    step.add_argument("--output", type=Path, required=True, help="folder to write")
    step.add_argument("--threads", type=int, default=1, help="threads of the program, or features at once")
    step.add_argument(
        "--memory", type=int, metavar="MIB", help="memory that PLINK may take; default: half of the machine's"
    )
    step.set_defaults(run=run)


def _genotypes(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import QualitySlice
    from ecglfm.discovery.genotypes import find_program, input_arguments, run_quality

    config = load(QualitySlice, args.config)
    if config.genotypes is None and args.simulated is None:
        raise UserError(f"{args.config}: it names no genotypes, and there is no --simulated")
    run_quality(
        find_program("plink2", config.programs.plink2),
        input_arguments(config.genotypes, args.chromosome) if config.genotypes else ["--bfile", str(args.simulated)],
        args.output,
        quality=config.quality,
        structure=config.structure,
        keep=args.people,
        threads=args.threads,
        memory=args.memory,
    )


def _structure(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import QualitySlice
    from ecglfm.discovery.genotypes import find_program, run_structure

    config = load(QualitySlice, args.config)
    run_structure(
        find_program("plink2", config.programs.plink2),
        args.genotypes,
        args.output,
        quality=config.quality,
        structure=config.structure,
        threads=args.threads,
        memory=args.memory,
    )


def _design(args: argparse.Namespace) -> Design:
    from ecglfm.discovery.association import read_design

    part, _, parts = args.batch.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UserError(f"--batch {args.batch}: I/N is expected, such as 2/11")
    return read_design(args.phenotypes, args.covariates, args.structure, part=int(part), parts=int(parts))


def _associate(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import AssociationSlice
    from ecglfm.discovery.association import run_plink, run_step2
    from ecglfm.discovery.genotypes import find_program

    config = load(AssociationSlice, args.config)
    if config.association.engine == "plink2":
        plink2 = find_program("plink2", config.programs.plink2)
        run_plink(plink2, args.genotypes, _design(args), args.output, threads=args.threads, memory=args.memory)
        return
    if args.predictions is None:
        raise UserError("regenie's step 2 needs --predictions, which `ecglfm discover predict` makes")
    run_step2(
        find_program("regenie", config.programs.regenie),
        args.genotypes,
        args.predictions,
        _design(args),
        args.output,
        config=config.association.regenie,
        threads=args.threads,
    )


def _predict(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import AssociationSlice
    from ecglfm.discovery.association import run_step1
    from ecglfm.discovery.genotypes import find_program

    config = load(AssociationSlice, args.config)
    regenie = find_program("regenie", config.programs.regenie)
    options = config.association.regenie
    run_step1(regenie, args.structure, _design(args), args.output, config=options, threads=args.threads)


def _summary(args: argparse.Namespace) -> None:
    from ecglfm.discovery.association import run_merge

    batches = [f"{batch}of{args.batches}" for batch in range(1, args.batches + 1)]
    folders = [args.associations / chromosome / batch for chromosome in args.chromosomes for batch in batches]
    run_merge(folders, _design(args), args.output, threads=args.threads)


def _loci(args: argparse.Namespace) -> None:
    from ecglfm.config import load
    from ecglfm.config.discovery import LociSlice
    from ecglfm.discovery.association import run_loci
    from ecglfm.discovery.genotypes import find_program

    config = load(LociSlice, args.config)
    association = config.association
    if association.loci.genes is None and args.genes is not None:
        named = association.loci.model_copy(update={"genes": str(args.genes)})
        association = association.model_copy(update={"loci": named})
    run_loci(
        (find_program("plink2", config.programs.plink2), find_program("plink1.9", config.programs.plink19)),
        args.summary,
        args.genotypes,
        args.output,
        config=association,
        keep=args.structure / "keep.tsv",
        threads=args.threads,
        memory=args.memory,
    )
