"""People who lack calls or are related are left out and listed; components tell populations apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import QualityConfig, StructureConfig
from ecglfm.discovery.genotypes import (
    Genotypes,
    draw_genome,
    draw_people,
    find_program,
    read_bed,
    run_quality,
    run_structure,
    write_bed,
)
from ecglfm.discovery.genotypes.structure import oriented
from tests.plink import need_plink

STRUCTURE = StructureConfig(components=3, window_kb=50, max_r2=0.3)
DEMES = np.repeat([0, 1], 100)


@pytest.fixture(scope="module")
def chromosomes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two populations far apart; the second person is the first once more, the third lacks calls on chromosome 2 alone."""
    need_plink()
    folder = tmp_path_factory.mktemp("cohort")
    genome = draw_genome(chromosomes=2, variants=400, reach=5000, fst=0.05, minor=0.2, seed=1)
    drawn = draw_people(genome, DEMES, seed=1)
    calls_nv = drawn.calls_nv
    calls_nv[1] = calls_nv[0]
    calls_nv[2, 400:420] = -1
    drawn.people[["fid", "iid"]].to_csv(folder / "keep.tsv", sep="\t", header=["#FID", "IID"], index=False)
    made = []
    for chromosome, part in drawn.variants.groupby("chromosome", sort=False):
        one = Genotypes(calls_nv[:, part.index], part.reset_index(drop=True), drawn.people)
        write_bed(folder / f"g{chromosome}", one)
        made.append(folder / f"q{chromosome}")
        run_quality(
            find_program("plink2"), ["--bfile", f"{folder}/g{chromosome}"], made[-1],
            quality=QualityConfig(), structure=STRUCTURE, keep=folder / "keep.tsv",
        )  # fmt: skip
    return made


def run(chromosomes: list[Path], output: Path, structure: StructureConfig = STRUCTURE, **quality: float) -> None:
    plink2 = find_program("plink2")
    run_structure(plink2, chromosomes, output, quality=QualityConfig(**quality), structure=structure)


def test_components_tell_populations_apart(chromosomes: list[Path], tmp_path: Path) -> None:
    run(chromosomes, tmp_path / "s", max_missing_person=0.1)
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "dropped.tsv", "eigenvalues.tsv", "keep.tsv", "pca.tsv", "pruned.bed", "pruned.bim", "pruned.fam",
    ]  # fmt: skip
    table = pd.read_csv(tmp_path / "s/pca.tsv", sep="\t")
    assert table.columns.tolist() == ["#FID", "IID", "PC1", "PC2", "PC3"]
    assert np.abs(np.corrcoef(table["PC1"], DEMES)[0, 1]) > 0.9
    assert np.abs(np.corrcoef(table["PC2"], DEMES)[0, 1]) < 0.3
    values = pd.read_csv(tmp_path / "s/eigenvalues.tsv", sep="\t")
    assert values["eigenvalue"].is_monotonic_decreasing
    assert len(pd.read_csv(tmp_path / "s/dropped.tsv", sep="\t")) == 0


def test_calls_that_lack_are_counted_over_all_chromosomes(chromosomes: list[Path], tmp_path: Path) -> None:
    """20 of 800 are 2.5 %, and 5 % of the chromosome: PLINK's own --mind would drop the person on one of the two."""
    run(chromosomes, tmp_path / "more", max_missing_person=0.03)
    run(chromosomes, tmp_path / "less", max_missing_person=0.02)
    assert len(pd.read_csv(tmp_path / "more/keep.tsv", sep="\t")) == 200
    dropped = pd.read_csv(tmp_path / "less/dropped.tsv", sep="\t")
    assert dropped.to_numpy().tolist() == [["i3", "i3", "missing calls"]]
    assert len(pd.read_csv(tmp_path / "less/pca.tsv", sep="\t")) == 199


def test_one_of_two_who_are_the_same_is_left_out_where_asked(chromosomes: list[Path], tmp_path: Path) -> None:
    run(chromosomes, tmp_path / "s", max_missing_person=0.1, king_cutoff=0.354)
    dropped = pd.read_csv(tmp_path / "s/dropped.tsv", sep="\t")
    assert dropped["reason"].tolist() == ["related"]
    assert dropped["IID"].isin(["i1", "i2"]).all()
    assert len(pd.read_csv(tmp_path / "s/keep.tsv", sep="\t")) == 199


def test_few_variants_make_strangers_related(chromosomes: list[Path], tmp_path: Path) -> None:
    """Why nobody is left out by default: second degree on two short chromosomes takes people who are not."""
    run(chromosomes, tmp_path / "s", max_missing_person=0.1, king_cutoff=0.0884)
    assert len(pd.read_csv(tmp_path / "s/dropped.tsv", sep="\t")) > 10
    assert QualityConfig().king_cutoff is None


def test_sketched_components_are_those_of_the_decomposition(chromosomes: list[Path], tmp_path: Path) -> None:
    run(chromosomes, tmp_path / "exact")
    run(chromosomes, tmp_path / "fast", STRUCTURE.model_copy(update={"approximate_above": 100}))
    exact, fast = (pd.read_csv(tmp_path / f"{name}/pca.tsv", sep="\t")["PC1"] for name in ("exact", "fast"))
    assert np.abs(np.corrcoef(exact, fast)[0, 1]) > 0.99
    assert not np.allclose(exact, fast, atol=1e-7)  # they were sketched


def test_components_need_variants(chromosomes: list[Path], tmp_path: Path) -> None:
    shutil.copytree(chromosomes[0], tmp_path / "few")
    write_bed(tmp_path / "few/pruned", read_bed(chromosomes[0] / "pruned", 0, 2))
    with pytest.raises(UserError, match=r"^3 principal components of 200 people and 2 pruned variants: lower"):
        run([tmp_path / "few"], tmp_path / "s")
    run(chromosomes, tmp_path / "s", StructureConfig(components=0))
    assert pd.read_csv(tmp_path / "s/pca.tsv", sep="\t").columns.tolist() == ["#FID", "IID"]


def test_components_have_one_sign() -> None:
    table = pd.DataFrame({"#FID": ["a", "b"], "IID": ["a", "b"], "PC1": [0.1, -0.9], "PC2": [0.5, 0.1]})
    assert oriented(table)[["PC1", "PC2"]].to_numpy().tolist() == [[-0.1, 0.5], [0.9, 0.1]]
