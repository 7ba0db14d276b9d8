"""The steps from genotypes to loci, as a person types them, on a few people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.cli import main
from ecglfm.config.discovery import AssociationConfig, QualityConfig, StructureConfig
from ecglfm.config.discovery.genotypes import ProgramsConfig
from ecglfm.discovery.genotypes import draw_copies, draw_genome, draw_people, write_bed
from tests.plink import need_plink


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """300 people, one chromosome, a feature that its 50th variant acts on; configs as the workflow writes them."""
    need_plink()
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    trait_n = rng.standard_normal(300)
    genome = draw_genome(chromosomes=1, variants=200, populations=1, minor=0.3, seed=1)
    copies_n = draw_copies(trait_n, effect=0.6, frequency_n=genome.frequencies_dv[0, 50])
    drawn = draw_people(genome, np.zeros(300, int), given={50: copies_n}, seed=1)
    write_bed("chr1", drawn)
    ids = pd.DataFrame({"#FID": drawn.people["fid"], "IID": drawn.people["iid"]})
    ids.assign(edf_0001=trait_n, edf_0002=1).to_csv("phenotypes.tsv", sep="\t", index=False)
    ids.assign(age=rng.normal(50, 9, 300)).to_csv("covariates.tsv", sep="\t", index=False)
    Path("genes.tsv").write_text("chromosome\tstart\tend\tname\n1\t1\t900000\tKCNH2\n")
    programs, structure = ProgramsConfig(), StructureConfig(components=2, max_r2=0.5)
    quality = (
        f"genotypes: null\nquality: {QualityConfig().model_dump_json()}\nstructure: {structure.model_dump_json()}\n"
    )
    shared = f"programs: {programs.model_dump_json()}\n"
    Path("quality.yaml").write_text(quality + shared)
    Path("association.yaml").write_text(f"association: {AssociationConfig().model_dump_json()}\n{shared}")
    return tmp_path


def test_from_genotypes_to_loci(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = "--config association.yaml --phenotypes phenotypes.tsv --covariates covariates.tsv --structure structure"
    for step in (
        "genotypes --config quality.yaml --chromosome 1 --simulated chr1 --people phenotypes.tsv --output g1",
        "structure --config quality.yaml --genotypes g1 --output structure",
        f"associate {tables} --genotypes g1 --batch 1/2 --output association/1/1of2",
        f"associate {tables} --genotypes g1 --batch 2/2 --output association/1/2of2",
        f"summary {tables} --associations association --chromosomes 1 --batches 2 --output .",
        "loci --config association.yaml --summary summary --genotypes g1 --structure structure --genes genes.tsv"
        " --memory 700 --output .",
    ):
        assert main(["discover", *step.split()]) == 0, capsys.readouterr().err
    loci = pd.read_csv("loci.tsv", sep="\t")
    assert loci[["edf", "lead_rsid", "nearest_gene"]].to_numpy().tolist() == [["edf_0001", "rs51", "KCNH2"]]
    assert loci["beta"][0] == pytest.approx(0.6, abs=0.15)
    assert pd.read_csv("skipped.tsv", sep="\t")["edf"].tolist() == ["edf_0002"]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("genotypes --config quality.yaml --chromosome 1 --people p --output g", "it names no genotypes"),
        (
            "summary --config c --phenotypes p --covariates c --structure s --associations a --chromosomes 1 --batches 2"
            " --batch 3/2 --output .",
            "2/11",
        ),
    ],
)
def test_mistakes(work: Path, capsys: pytest.CaptureFixture[str], step: str, says: str) -> None:
    assert main(["discover", *step.split()]) == 1
    assert says in capsys.readouterr().err


def test_regenie_needs_its_first_step(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = AssociationConfig(engine="regenie").model_dump_json()
    Path("association.yaml").write_text(f"association: {config}\nprograms: {ProgramsConfig().model_dump_json()}\n")
    tables = "--config association.yaml --phenotypes p --covariates c --structure s --output o"
    assert main(f"discover associate --genotypes g1 {tables}".split()) == 1
    assert "regenie's step 2 needs --predictions" in capsys.readouterr().err
    assert main(f"discover predict {tables}".split()) == 1
    assert "no program regenie on PATH" in capsys.readouterr().err
