"""`discover:` of config.yaml: from an encoder's vectors to genes. A file per part, a class per step."""

from __future__ import annotations

from ecglfm.config.discovery.association import AssociationConfig, LociConfig, RegenieConfig
from ecglfm.config.discovery.discover import DiscoverConfig
from ecglfm.config.discovery.features import FeaturesConfig
from ecglfm.config.discovery.genes import (
    CredibleSetsConfig,
    DimensionsConfig,
    HeritabilityConfig,
    MrConfig,
    OutcomeConfig,
    PhewasConfig,
    ReplicationConfig,
)
from ecglfm.config.discovery.genotypes import GenotypesConfig, QualityConfig, StructureConfig
from ecglfm.config.discovery.people import PeopleConfig
from ecglfm.config.discovery.phenotypes import BiomarkersConfig, InterpretationConfig, SurvivalConfig
from ecglfm.config.discovery.slices import (
    AssociationSlice,
    FeaturesSlice,
    LociSlice,
    MrSlice,
    PeopleSlice,
    QualitySlice,
    SimulationSlice,
    discover_slices,
    is_simulated,
)

__all__ = [
    "AssociationConfig",
    "AssociationSlice",
    "BiomarkersConfig",
    "CredibleSetsConfig",
    "DimensionsConfig",
    "DiscoverConfig",
    "FeaturesConfig",
    "FeaturesSlice",
    "GenotypesConfig",
    "HeritabilityConfig",
    "InterpretationConfig",
    "LociConfig",
    "LociSlice",
    "MrConfig",
    "MrSlice",
    "OutcomeConfig",
    "PeopleConfig",
    "PeopleSlice",
    "PhewasConfig",
    "QualityConfig",
    "QualitySlice",
    "RegenieConfig",
    "ReplicationConfig",
    "SimulationSlice",
    "StructureConfig",
    "SurvivalConfig",
    "discover_slices",
    "is_simulated",
]
