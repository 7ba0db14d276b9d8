"""`discover.heritability`, `dimensions`, `credible_sets`, `mr`, `replication`, `phewas`: what associations mean."""

from __future__ import annotations

import glob
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ecglfm.config.base import Name, Section, Seed
from ecglfm.config.discovery.people import MISSING_CODES, MissingCodes

Palindromes = Literal["drop", "frequency"]
Match = Literal["position", "rsid"]
_PALINDROMES = (
    "variants that read the same on both strands (A/T, C/G): left out, or kept where their `frequency` is below 0.42 "
    "(or above 0.58) on both sides and says which strand is meant"
)
_MATCH = "variants are found by `position` (both of one genome build) or by `rsid`"


def _of_features(files: str | dict[str, str]) -> str | dict[str, str]:
    if isinstance(files, str) and "{edf}" not in files:
        raise ValueError(
            "a path with {edf} in it, the name of a feature: cohort/{edf}.tsv.gz; or a file for each feature:"
            " {edf_0001: cohort/theirs.tsv.gz}"
        )
    return files


class HeritabilityConfig(Section):
    """SNP heritability of features, and their genetic correlations, by LD-score regression."""

    panel: list[str] = Field(
        [],
        description="people whose linkage disequilibrium is that of the study: PLINK 1 files without their ending, "
        "e.g. panel/chr1, panel/chr2; some hundred unrelated people of one ancestry",
    )
    ld_scores: str | None = Field(
        None,
        description="in the place of `panel`: folder of LD scores as LDSC has them, *.l2.ldscore.gz and *.l2.M_5_50",
    )
    window: int = Field(1_000_000, ge=1, description="base pairs to either side that a score is summed over")
    min_frequency: float = Field(0.01, gt=0, lt=0.5, description="least frequency of the rarer allele")
    blocks: int = Field(200, ge=10, description="blocks of neighbours, of the jackknife of standard errors")

    @model_validator(mode="after")
    def _one_of_both(self) -> HeritabilityConfig:
        if self.panel and self.ld_scores:
            raise ValueError("`panel` or `ld_scores`, not both")
        return self


class DimensionsConfig(Section):
    """Which features are worth a GWAS: heritable, stable within a person, not of the device."""

    variables: list[str] = Field(
        ["source", "device", "site"],
        description="what a feature should not depend on, of `confounders.variables`, as far as the databases say it",
    )
    min_patients: int = Field(20, ge=2, description="people with several recordings that an ICC needs")


class CredibleSetsConfig(Section):
    """Variants that may be the causal one of a locus, by approximate Bayes factors."""

    window: int = Field(500_000, ge=1, description="base pairs to either side of a lead variant")
    coverage: float = Field(0.95, gt=0, lt=1, description="probability that a set holds the causal variant")
    prior_sd: float = Field(
        0.15, gt=0, description="standard deviation of effects beforehand, in standard deviations of the feature"
    )


class OutcomeConfig(Section):
    """A disease, or a quantity, that features may change the risk of."""

    statistics: str | None = Field(None, description="GWAS-SSF file of other people; log odds ratios of a disease")
    column: str | None = Field(None, description="in its place: a column of `mr.table`, of the people themselves")
    overlap: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of the outcome's people who are in the study, too; null: not known, and said so. Of a "
        "`column` it is 1",
    )
    case_share: float | None = Field(
        None, gt=0, lt=1, description="share of cases among the outcome's people; null: a quantity, or not known"
    )
    prevalence: float | None = Field(None, gt=0, lt=1, description="of the disease in the population; null: the same")

    @model_validator(mode="after")
    def _one_source(self) -> OutcomeConfig:
        if (self.statistics is None) == (self.column is None):
            raise ValueError("`statistics` (a file of other people) or `column` (of `mr.table`), one of the two")
        return self


class MrConfig(Section):
    """Mendelian randomization of features on outcomes."""

    outcomes: dict[Name, OutcomeConfig] = Field({}, description="name: where its associations come from")
    table: str | None = Field(
        None, description="CSV or TSV with `patient_id` and the columns of outcomes: 0 and 1, or a quantity"
    )
    missing_codes: MissingCodes = Field(None, description=MISSING_CODES)
    palindromes: Palindromes = Field("drop", description=_PALINDROMES)
    match: Match = Field("position", description=_MATCH)
    seed: Seed = Field(0, description="of the bootstrap of the weighted median")

    @model_validator(mode="after")
    def _columns_have_a_table(self) -> MrConfig:
        columns = [name for name, one in self.outcomes.items() if one.column]
        if bool(columns) != (self.table is not None):
            raise ValueError("`table` and outcomes with a `column` belong together")
        return self


class ReplicationConfig(Section):
    """Lead variants in other cohorts, whose features are made by the same encoder in the same way."""

    cohorts: dict[Name, Annotated[str | dict[Name, str], AfterValidator(_of_features)]] = Field(
        {},
        description="cohort: its GWAS-SSF files, e.g. cohort/{edf}.tsv.gz, where {edf} is the name of a feature; or, "
        "where names there are others, {edf_0001: cohort/theirs.tsv.gz, …}: leads of features without a file are not "
        "tested",
    )
    alpha: float = Field(
        0.05, gt=0, lt=1, description="one-sided P of the same direction, over the number of lead variants"
    )
    palindromes: Palindromes = Field("frequency", description=_PALINDROMES)
    match: Match = Field("position", description=_MATCH)

    @property
    def files(self) -> list[str]:
        """Files of all cohorts that are there, of whatever feature."""
        paths = [path for one in self.cohorts.values() for path in ([one] if isinstance(one, str) else one.values())]
        patterns = ("*".join(map(glob.escape, path.split("{edf}"))) for path in paths)
        return sorted({file for pattern in patterns for file in glob.glob(pattern)})

    def file(self, cohort: str, edf: str) -> str | None:
        """That of a feature in a cohort; None where its files are named one by one, and this one is not."""
        files = self.cohorts[cohort]
        return files.replace("{edf}", edf) if isinstance(files, str) else files.get(edf)


class PhewasConfig(Section):
    """Features against a table of phenotypes."""

    codes: str | None = Field(
        None, description="CSV or TSV with `patient_id` and `code` (ICD-10), a row each; who has none is a control"
    )
    definitions: str | None = Field(
        None,
        description="phenotypes of these codes: YAML, a name with `include`, `exclude` (beginnings of codes: who has "
        "only such a code is neither case nor control), `chapter`, `sex`; or a table of these with `phenotype`",
    )
    table: str | None = Field(
        None, description="CSV or TSV with `patient_id` and further phenotypes as numbers; 0 and 1 are a disease"
    )
    missing_codes: MissingCodes = Field(None, description=MISSING_CODES)
    min_cases: int = Field(
        50, ge=5, description="cases, and controls, that a disease needs; people with a value that a quantity needs"
    )
    fdr: float = Field(0.05, gt=0, lt=1, description="share of false discoveries (Benjamini and Hochberg) of the plot")

    @model_validator(mode="after")
    def _codes_are_defined(self) -> PhewasConfig:
        if (self.codes is None) != (self.definitions is None):
            raise ValueError("`codes` and `definitions` belong together")
        return self

    @property
    def tables(self) -> list[str]:
        """Files of the user's own; none: there is nothing to look at."""
        return [path for path in (self.codes, self.definitions, self.table) if path]
