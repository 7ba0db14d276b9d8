"""`discover.association`: every feature against every variant, and which loci come of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ecglfm.config.base import Name, Section


class RegenieConfig(Section):
    """What the two steps of regenie are told; the rest is its own default."""

    step1_block: int = Field(1000, ge=1, description="variants of a block of its ridge regression (--bsize of step 1)")
    step2_block: int = Field(400, ge=1, description="variants that are tested together (--bsize of step 2)")
    min_mac: int = Field(5, ge=1, description="least count of the rarer allele that is tested (--minMAC)")


class LociConfig(Section):
    """How associated variants become loci."""

    p: float = Field(5e-8, gt=0, lt=1, description="largest P of a lead variant")
    secondary_p: float = Field(1e-4, gt=0, lt=1, description="largest P of the variants that a locus reaches to")
    r2: float = Field(0.01, gt=0, lt=1, description="variants of one locus have at least this r² with its lead")
    kb: int = Field(1000, ge=1, description="and are at most so far from it, in kilobases")
    genes: str | None = Field(
        None,
        description="genes of the same genome build, for the one nearest to a lead: BED, GFF3 or GTF (also "
        "packed by gzip), or a table with columns `chromosome`, `start`, `end`, `name`; null: none is named",
    )


class AssociationConfig(Section):
    """Regression of every feature on every variant, one job a chromosome and batch of features."""

    engine: Literal["plink2", "regenie"] = Field(
        "plink2",
        description="`plink2`: linear regression, of unrelated people; `regenie`: whole-genome regression, which keeps "
        "related people. It could not be run where ecglfm is made: only its command lines are tested",
    )
    batch: int = Field(
        100, ge=1, le=100, description="features of a job: reading genotypes costs more than their tests"
    )
    regenie: RegenieConfig = Field(RegenieConfig(), description="with `engine: regenie`")
    loci: LociConfig = Field(LociConfig(), description="lead variants and their surroundings")
    miami: list[Name] | None = Field(
        None, min_length=2, max_length=2, description="two features of a Miami plot; null: those with the most loci"
    )
