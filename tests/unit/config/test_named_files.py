"""Files that a config names are looked for before Snakemake takes what another file gave for up to date."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from ecglfm.config import UserError
from ecglfm.config.named_files import check_named_files, named_files
from tests.unit.config.projects import project_of


def test_files_of_tasks_and_of_every_step_are_those_that_the_config_names(repository: Path):
    task = {
        "kind": "binary",
        "labels": {
            "LOW": {"ptbxl": {"file": {"path": "labels/echo.csv", "by": "patient_id"}, "column": {"low": ["1"]}}}
        },
    }
    discover = {
        "features": {"record": "nearest", "baseline": "dates.csv"},
        "people": {"table": "cov.tsv", "keep": "keep.txt", "exclude": ["out.txt"]},
        "genotypes": {"files": "g/c{chromosome}.bed", "chromosomes": ["1", "X"], "ids": "ids.tsv"},
        "structure": {"exclude": "ld.bed"},
        "association": {"loci": {"genes": "genes.gtf"}},
        "survival": {"time": "t", "event": "e", "table": "deaths.csv"},
        "heritability": {"panel": ["panel/c1"]},
        "mr": {"outcomes": {"af": {"statistics": "af.tsv"}, "stroke": {"column": "stroke"}}, "table": "diseases.tsv"},
        "phewas": {"codes": "icd.tsv", "definitions": "phenotypes.yaml"},
    }
    project = project_of(repository, tasks=["mine"], define={"tasks": {"mine": task}}, discover=discover)
    assert named_files(project) == {
        "labels/mine": ["labels/echo.csv"],
        "manifest": [],
        "discover/features": ["dates.csv"],
        "discover/people": ["ids.tsv", "cov.tsv", "keep.txt", "out.txt", "g/c1.fam"],
        "discover/quality": [*(f"g/c{one}.{end}" for one in "1X" for end in ("bed", "bim", "fam")), "ld.bed"],
        "discover/loci": ["genes.gtf"],
        "discover/survival": ["deaths.csv"],
        "discover/heritability": ["panel/c1.bed", "panel/c1.bim", "panel/c1.fam"],
        "discover/mr": ["diseases.tsv", "af.tsv"],
        "discover/phewas": ["icd.tsv", "phenotypes.yaml"],
    }
    assert named_files(project).keys() - {"manifest"} < project.slices().keys()
    stratified = project_of(repository, tasks=[], define={"tasks": {"mine": task}}, manifest={"stratify": ["mine"]})
    assert named_files(stratified)["manifest"] == ["labels/echo.csv"]


def test_the_text_encoder_of_an_objective_that_aligns_with_reports_is_one(repository: Path):
    built_in = yaml.safe_load((repository / "config/encoders/report-tiny.yaml").read_text())
    named = deepcopy(built_in)
    named["pretrain"]["objective"]["text_encoder"] = "models/bert"
    define = {"encoders": {"built-in": built_in, "named": named}}
    project = project_of(repository, encoders=["built-in", "named"], tasks=[], define=define)
    found = {name: files for name, files in named_files(project).items() if name.startswith("pretrain")}
    assert found == {"pretrain/named": ["models/bert"]}
    assert found.keys() < project.slices().keys()


def test_a_missing_file_is_named_unless_what_was_made_is_of_this_config(tmp_path: Path):
    results, here = str(tmp_path / "results"), tmp_path / "here.csv"
    here.touch()
    gone = str(tmp_path / "gone.csv")
    check_named_files([str(here), f"{results}/made/yet.csv"], results, "labels/af", "a: 1")
    with pytest.raises(UserError, match="gone.csv: no such file; the config names it for labels/af: correct its path"):
        check_named_files([str(here), gone], results, "labels/af", "a: 1")
    slice_file = tmp_path / "results/config/labels/af.yaml"
    slice_file.parent.mkdir(parents=True)
    slice_file.write_text("a: 1\n")
    check_named_files([gone], results, "labels/af", "a: 1")  # put away since
    with pytest.raises(UserError, match="gone.csv: no such file"):
        check_named_files([gone], results, "labels/af", "a: 2")
