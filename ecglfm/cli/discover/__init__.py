"""`ecglfm discover STEP`: from an encoder's vectors to genes, a file here per group of steps."""

from __future__ import annotations

import argparse

from ecglfm.cli.discover import features, genes, gwas, phenotypes, report

__all__ = ["add_commands"]

#: Files here whose `add_steps` declares steps, in the order in which they run.
GROUPS = (features, gwas, genes, phenotypes, report)

_WAY = """\
from ECG to SNP:

  ECG -> encoder -> vector -> features (EDFs) -> people -> association -> loci -> what they mean
                              one record a       phenotypes   plink2 or     lead SNP,  MR, heritability,
                              person, rank-      and          regenie, by   nearest    biomarkers, PheWAS,
                              inverse-normal     covariates   chromosome    gene       survival, attribution

`snakemake discover` runs all of it, on the demo as shipped, too; docs/discover.md walks through it. Each step reads
its slice of the config, config/discover/STEP.yaml, and joins tables by id, never by position.
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command, and its steps."""
    parser = commands.add_parser(
        "discover",
        help="from an encoder's vectors to genes: features, association, what loci mean",
        description=_WAY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for group in GROUPS:
        group.add_steps(steps)
