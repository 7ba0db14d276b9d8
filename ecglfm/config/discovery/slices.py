"""What each step of `discover` is told: files `<results>/config/discover/{step}.yaml` with its own keys alone."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from ecglfm.config.base import Section
from ecglfm.config.discovery.association import AssociationConfig, LociConfig
from ecglfm.config.discovery.discover import DiscoverConfig
from ecglfm.config.discovery.features import FeaturesConfig
from ecglfm.config.discovery.genes import MrConfig
from ecglfm.config.discovery.genotypes import GenotypesConfig, ProgramsConfig, QualityConfig, StructureConfig
from ecglfm.config.discovery.people import PeopleConfig
from ecglfm.config.sources import DownloadConfig, SourceConfig


class FeaturesSlice(Section):
    """`config/discover/features.yaml`."""

    features: FeaturesConfig = Field(description="the section")
    time: dict[str, str] = Field({}, description="source: column of its table that says when a recording was made")


class PeopleSlice(Section):
    """`config/discover/people.yaml`."""

    people: PeopleConfig = Field(description="the section")
    ids: str | None = Field(None, description="`genotypes.ids`")


class SimulationSlice(Section):
    """`config/discover/simulation.yaml`: of synthetic patients, whose genotypes are drawn."""

    sources: dict[str, SourceConfig] = Field(description="the project's sources")


class QualitySlice(Section):
    """`config/discover/quality.yaml`."""

    genotypes: GenotypesConfig | None = Field(description="the section; null: simulated ones, which the step is given")
    quality: QualityConfig = Field(description="the section")
    structure: StructureConfig = Field(description="the section")
    programs: ProgramsConfig = Field(description="the section")


class AssociationSlice(Section):
    """`config/discover/association.yaml`."""

    association: AssociationConfig = Field(description="the section, without what follows the tests")
    programs: ProgramsConfig = Field(description="the section")


class LociSlice(Section):
    """`config/discover/loci.yaml`."""

    association: AssociationConfig = Field(description="the section, without what the tests alone are told")
    programs: ProgramsConfig = Field(description="the section")


class MrSlice(Section):
    """`config/discover/mr.yaml`."""

    mr: MrConfig = Field(description="the section")
    plink2: str | None = Field(None, description="`programs.plink2`")


def discover_slices(
    config: DiscoverConfig, sources: Mapping[str, SourceConfig], time: Mapping[str, str]
) -> dict[str, Section]:
    """Slice of every step, by its path under `<results>/config` without `.yaml`.

    Parameters
    ----------
    config : DiscoverConfig
    sources : mapping of SourceConfig
        The project's, by name.
    time : mapping of str
        Kind of a database: column of its table that says when a recording was made.
    """
    genotypes, programs, tests = config.genotypes, config.programs, config.association
    of_loci = {key: getattr(tests, key) for key in ("loci", "miami")}
    times = {name: time[one.native_kind] for name, one in sources.items() if one.native_kind in time}
    sections: dict[str, Section] = {
        "features": FeaturesSlice(features=config.features, time=times),
        "biomarkers": config.biomarkers,
        "interpretation": config.interpretation,
        "people": PeopleSlice(people=config.people, ids=genotypes.ids if genotypes else None),
        "quality": QualitySlice(
            genotypes=genotypes, quality=config.quality, structure=config.structure, programs=programs
        ),
        "association": AssociationSlice(
            association=tests.model_copy(update={"loci": LociConfig(), "miami": None}),
            programs=programs,
        ),
        "loci": LociSlice(association=AssociationConfig(**of_loci), programs=programs),
        "credible_sets": config.credible_sets,
        "heritability": config.heritability,
        "dimensions": config.dimensions,
        "mr": MrSlice(mr=config.mr, plink2=config.programs.plink2),
        "replication": config.replication,
        "phewas": config.phewas,
    }
    if config.survival is not None:
        sections["survival"] = config.survival
    if is_simulated(config, sources):
        same = {"shards": 1, "download": DownloadConfig()}  # of which no genotype depends
        simulated = {name: one.model_copy(update=same) for name, one in sources.items()}
        sections["simulation"] = SimulationSlice(sources=simulated)
    return {f"discover/{name}": section for name, section in sections.items()}


def is_simulated(config: DiscoverConfig, sources: Mapping[str, SourceConfig]) -> bool:
    """Whether genotypes are simulated: none are named, and nobody is a person."""
    return config.genotypes is None and all(one.kind == "synthetic" for one in sources.values())
