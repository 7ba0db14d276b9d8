"""What each step of `discover` is told: files `<results>/config/discover/{step}.yaml` with its own keys alone."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from ecglfm.config.base import Section
from ecglfm.config.discovery.discover import DiscoverConfig
from ecglfm.config.discovery.features import FeaturesConfig
from ecglfm.config.discovery.genotypes import GenotypesConfig
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
    genotypes = config.genotypes or GenotypesConfig()
    times = {name: time[one.native_kind] for name, one in sources.items() if one.native_kind in time}
    sections: dict[str, Section] = {
        "features": FeaturesSlice(features=config.features, time=times),
        "people": PeopleSlice(people=config.people, ids=genotypes.ids),
        "biomarkers": config.biomarkers,
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
