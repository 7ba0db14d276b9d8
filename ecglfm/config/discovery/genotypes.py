"""`discover.genotypes`, `quality`, `structure`, `programs`: whose genotypes, which of them, and who calls what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Section

#: Files beside that of the calls, by its ending.
_BESIDE = {"bed": ("bim", "fam"), "pgen": ("pvar", "psam"), "bgen": ()}


class GenotypesConfig(Section):
    """Genotype files, one set a chromosome."""

    files: str = Field(
        description="`.bed` (with .bim and .fam), `.pgen` (with .pvar or .pvar.zst, and .psam) or `.bgen` of a "
        "chromosome, and of no other; `{chromosome}` in it is the name from the list below: "
        "data/genotypes/chr{chromosome}.pgen"
    )
    sample: str | None = Field(None, description="of `.bgen`: the .sample file; it may have `{chromosome}`, too")
    bgen_alleles: Literal["ref-first", "ref-last", "ref-unknown"] = Field(
        "ref-first", description="of `.bgen`: which allele is the reference; UK Biobank has it first"
    )
    chromosomes: list[str] = Field(
        [str(number) for number in range(1, 23)], min_length=1, description="their names in files and tables"
    )
    ids: str | None = Field(
        None,
        description="CSV or TSV with columns `patient_id` and `IID`: whose samples are whose; null: the id of the "
        "sample is the patient's (`ukbiobank/1000001` or `1000001`)",
    )

    @field_validator("files")
    @classmethod
    def _is_known(cls, files: str) -> str:
        if files.rpartition(".")[2] not in _BESIDE:
            vcf = re.search(r"\.(vcf|bcf)(\.\w+)?$", files)
            made = f"; plink2 --{vcf[1]} FILE --make-pgen makes .pgen of it" if vcf else ""
            raise ValueError(f"name the file that ends in .bed, .pgen or .bgen, found {files!r}{made}")
        return files

    @model_validator(mode="after")
    def _has_a_file_each(self) -> GenotypesConfig:
        if len(self.chromosomes) > 1 and "{chromosome}" not in self.files:
            raise ValueError(
                "`files` needs `{chromosome}` where there are several; one file of all: plink2 --chr splits it"
            )
        if self.files.endswith(".bgen") != (self.sample is not None):
            raise ValueError("`.bgen` needs `sample`, and nothing else has it")
        return self

    def path(self, chromosome: str) -> str:
        """File of the calls of a chromosome."""
        return self.files.replace("{chromosome}", chromosome)

    def files_of(self, chromosome: str) -> list[str]:
        """Every file of a chromosome, that of the calls first."""
        path = self.path(chromosome)
        prefix, _, kind = path.rpartition(".")
        beside = [f"{prefix}.{ending}" for ending in _BESIDE[kind]]
        packed = f"{prefix}.pvar.zst"
        beside = [packed if file.endswith(".pvar") and Path(packed).exists() else file for file in beside]
        return [path, *beside, *([self.sample.replace("{chromosome}", chromosome)] if self.sample else [])]


class QualityConfig(Section):
    """Which variants and people an association may rely on, as PLINK 2 measures it."""

    min_maf: float = Field(0.01, ge=0, lt=0.5, description="least frequency of the rarer allele (--maf)")
    max_missing_variant: float = Field(
        0.02, ge=0, le=1, description="largest share of people without call and dosage (--geno)"
    )
    max_missing_person: float = Field(
        0.02,
        ge=0,
        le=1,
        description="largest share of a person's variants without call and dosage, over all chromosomes",
    )
    min_hwe_p: float = Field(
        1e-6,
        ge=0,
        lt=1,
        description="least P of the exact test of Hardy-Weinberg equilibrium (--hwe); 0: not tested. People of several "
        "ancestries depart from it without any error of the array: 1e-15 there",
    )
    min_info: float | None = Field(
        None, ge=0, le=1, description="least imputation quality, MaCH r² (--mach-r2-filter), for dosages: 0.3 or 0.8"
    )
    king_cutoff: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        description="one of each pair of people with a larger kinship (KING-robust) is left out: 0.0884 for second "
        "degree. It needs a whole genome: on few variants strangers look related. null: nobody is, right for regenie",
    )


class StructureConfig(Section):
    """Principal components of genotypes: ancestry, which is adjusted for."""

    components: int = Field(10, ge=0, le=100, description="number of them; 0: none")
    window_kb: int = Field(1000, ge=1, description="pruning (--indep-pairwise): window in kilobases")
    max_r2: float = Field(0.1, gt=0, lt=1, description="pruning: largest r² within it")
    min_maf: float = Field(0.05, ge=0, lt=0.5, description="variants of them: least frequency of the rarer allele")
    exclude: str | None = Field(
        None, description="BED file of regions left out, e.g. of long-range linkage disequilibrium (MHC, inversions)"
    )
    approximate_above: int = Field(
        5000,
        ge=1,
        description="with more people components are those of randomised sketches (--pca approx), in minutes",
    )


class ProgramsConfig(Section):
    """Where programs of others are; null: on PATH."""

    plink2: str | None = Field(None, description="PLINK 2: quality control, components, association")
    plink19: str | None = Field(None, description="PLINK 1.9: clumping")
    regenie: str | None = Field(None, description="regenie, with `association.engine: regenie`")
