"""`discover:` of config.yaml: from an encoder's vectors to genes. A file per part, a class per step."""

from __future__ import annotations

from ecglfm.config.discovery.discover import DiscoverConfig
from ecglfm.config.discovery.features import FeaturesConfig
from ecglfm.config.discovery.genotypes import GenotypesConfig
from ecglfm.config.discovery.people import PeopleConfig
from ecglfm.config.discovery.phenotypes import BiomarkersConfig, SurvivalConfig
from ecglfm.config.discovery.slices import FeaturesSlice, PeopleSlice, SimulationSlice, discover_slices

__all__ = [
    "BiomarkersConfig",
    "DiscoverConfig",
    "FeaturesConfig",
    "FeaturesSlice",
    "GenotypesConfig",
    "PeopleConfig",
    "PeopleSlice",
    "SimulationSlice",
    "SurvivalConfig",
    "discover_slices",
]
