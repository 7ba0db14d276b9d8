"""The section `discover` as a whole: one key a step."""

from __future__ import annotations

from pydantic import Field

from ecglfm.config.base import Section
from ecglfm.config.discovery.association import AssociationConfig
from ecglfm.config.discovery.features import FeaturesConfig
from ecglfm.config.discovery.genes import (
    CredibleSetsConfig,
    DimensionsConfig,
    HeritabilityConfig,
    MrConfig,
    PhewasConfig,
    ReplicationConfig,
)
from ecglfm.config.discovery.genotypes import GenotypesConfig, ProgramsConfig, QualityConfig, StructureConfig
from ecglfm.config.discovery.people import PeopleConfig
from ecglfm.config.discovery.phenotypes import BiomarkersConfig, InterpretationConfig, SurvivalConfig


class DiscoverConfig(Section):
    """`snakemake discover`: from an encoder's vectors to genes."""

    features: FeaturesConfig = Field(FeaturesConfig(), description="ECG-derived features (EDFs), one record a person")
    people: PeopleConfig = Field(PeopleConfig(), description="who takes part, and what is adjusted for")
    genotypes: GenotypesConfig | None = Field(
        None, description="the genotypes; null: simulated where all sources are synthetic, else `discover` says so"
    )
    biomarkers: BiomarkersConfig = Field(BiomarkersConfig(), description="features against ECG biomarkers")
    interpretation: InterpretationConfig = Field(
        InterpretationConfig(), description="what of an ECG makes a feature high or low"
    )
    survival: SurvivalConfig | None = Field(
        None, description="Cox models of the time to an event on features; null: there is none to look at"
    )
    quality: QualityConfig = Field(QualityConfig(), description="variants and people that an association may rely on")
    structure: StructureConfig = Field(StructureConfig(), description="principal components of genotypes")
    association: AssociationConfig = Field(
        AssociationConfig(), description="every feature against every variant, and the loci that come of it"
    )
    programs: ProgramsConfig = Field(ProgramsConfig(), description="where programs of others are")
    credible_sets: CredibleSetsConfig = Field(CredibleSetsConfig(), description="which variant of a locus it may be")
    heritability: HeritabilityConfig = Field(HeritabilityConfig(), description="h2 and genetic correlations")
    dimensions: DimensionsConfig = Field(DimensionsConfig(), description="which features are worth a GWAS")
    mr: MrConfig = Field(MrConfig(), description="Mendelian randomization of features on diseases")
    replication: ReplicationConfig = Field(ReplicationConfig(), description="lead variants in other cohorts")
    phewas: PhewasConfig = Field(PhewasConfig(), description="features against phenotypes")

    @property
    def people_files(self) -> list[str]:
        """Files of the user's own that say who takes part, and what is adjusted for."""
        ids = self.genotypes.ids if self.genotypes else None
        return [path for path in (ids, self.people.table, self.people.keep, *self.people.exclude) if path]
