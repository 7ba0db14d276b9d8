"""What a step of `discover` is told, and what an edit of the section reruns."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config import Project, UserError, read_yaml

SOURCE = {"kind": "synthetic", "layout": "ptbxl", "patients": 9}


def project(repository: Path, **change: object) -> Project:
    return Project(read_yaml(repository / "config/config.yaml") | change, repository / "config")


def test_an_edit_changes_the_slices_of_its_steps_alone(repository: Path):
    before = project(repository, discover={}).slices()
    for discover, changed in (
        ({"features": {"count": 3}}, {"discover/features"}),
        ({"people": {"min_overlap": 0.5}}, {"discover/people"}),
        ({"quality": {"min_maf": 0.05}}, {"discover/quality"}),
        ({"structure": {"components": 4}}, {"discover/quality"}),
        ({"association": {"engine": "regenie"}}, {"discover/association"}),
        ({"association": {"loci": {"r2": 0.1}}}, {"discover/loci"}),
        ({"association": {"miami": ["edf_0001", "edf_0002"]}}, {"discover/loci"}),
    ):
        after = project(repository, discover=discover).slices()
        assert {name for name in after if after[name] != before.get(name)} == changed


def test_genotypes_of_synthetic_people_are_simulated_until_some_are_named(repository: Path):
    synthetic = yaml.safe_load(project(repository).slices()["discover/simulation"])
    assert set(synthetic["sources"]) == {"demo-ptbxl", "demo-mimic"}
    named = project(repository, discover={"genotypes": {"files": "g/c{chromosome}.bed", "ids": "ids.csv"}}).slices()
    assert "discover/simulation" not in named
    assert yaml.safe_load(named["discover/people"])["ids"] == "ids.csv"
    mixed = project(repository, sources=["demo-ptbxl", "ptbxl"], tasks=[])
    assert "discover/simulation" not in mixed.slices()


def test_shards_of_a_synthetic_source_change_no_genotype(repository: Path):
    few, many = (
        project(repository, sources=["more"], tasks=[], define={"sources": {"more": SOURCE | {"shards": shards}}})
        for shards in (1, 5)
    )
    assert few.slices()["discover/simulation"] == many.slices()["discover/simulation"]


def test_times_are_those_of_the_sources(repository: Path):
    slices = project(repository).slices()
    assert yaml.safe_load(slices["discover/features"])["time"] == {
        "demo-ptbxl": "recording_date", "demo-mimic": "ecg_time",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"kind": "attribution"}, "needs `task` and `label`"),
        ({"task": "af", "label": "AF"}, "no other kind takes them"),
        ({"record": "nearest"}, "needs `baseline`"),
        ({"sources": ["ptbxl"]}, "`discover.features.sources` names 'ptbxl', which is not in sources"),
    ],
)
def test_mistakes(repository: Path, features: dict, says: str):
    with pytest.raises(UserError, match=says):
        project(repository, discover={"features": features})
