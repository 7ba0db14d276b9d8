"""Quality control keeps what is good, says why the rest is out, and leaves nothing of a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import GenotypesConfig, QualityConfig, StructureConfig
from ecglfm.discovery.genotypes import (
    counts,
    draw_genome,
    draw_people,
    find_program,
    input_arguments,
    read_bed,
    run_program,
    run_quality,
    write_bed,
)
from ecglfm.provenance import read_json
from tests.plink import need_plink

CONFIG = {"quality": QualityConfig(), "structure": StructureConfig(window_kb=100)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 people, 200 variants; 5 to be left out for each reason."""
    need_plink()
    folder = tmp_path_factory.mktemp("cohort")
    drawn = draw_people(draw_genome(chromosomes=1, variants=200, minor=0.2, seed=1), np.zeros(300, int), seed=1)
    calls_nv = drawn.calls_nv
    calls_nv[:, 0:5] = 0
    calls_nv[0, 0:5] = 1  # one carrier of 300
    calls_nv[:30, 10:15] = -1
    calls_nv[:, 20:25] = np.where(np.arange(300) % 2, 2, 0)[:, None]  # nobody heterozygous
    drawn.variants.loc[30:34, "rsid"] = "rs30"  # of one before them
    drawn.variants.loc[40, "rsid"] = "."
    drawn.people["fid"] = "0"  # none
    write_bed(folder / "g1", drawn)
    drawn.people[["fid", "iid"]].iloc[:280].to_csv(folder / "keep.tsv", sep="\t", header=["#FID", "IID"], index=False)
    return folder


def test_variants_are_left_out_for_their_reasons(cohort: Path, tmp_path: Path) -> None:
    source = ["--bfile", str(cohort / "g1")]
    run_quality(find_program("plink2"), source, tmp_path / "q", keep=cohort / "keep.tsv", **CONFIG)
    assert sorted(path.name for path in (tmp_path / "q").iterdir()) == [
        "all.pgen", "all.psam", "all.pvar", "people.smiss", "pruned.bed", "pruned.bim", "pruned.fam", "quality.json",
    ]  # fmt: skip
    assert read_json(tmp_path / "q/quality.json") == {
        "variants": 200, "duplicate": 5, "missing": 5, "hwe": 5, "maf": 5, "kept": 180, "people": 280,
    }  # fmt: skip
    kept = pd.read_csv(tmp_path / "q/all.pvar", sep="\t")
    assert len(kept) == 180
    named = read_bed(cohort / "g1").variants.loc[40]
    assert f"1:{named.position}:{named.allele_2}:{named.allele_1}" in set(kept["ID"])
    # regenie stops at a .psam without FID, which PLINK 2 leaves out where nobody has one
    assert pd.read_csv(tmp_path / "q/all.psam", sep="\t").columns.tolist() == ["#FID", "IID", "SEX"]


def test_pruned_variants_are_in_little_linkage(cohort: Path, tmp_path: Path) -> None:
    source = ["--bfile", str(cohort / "g1")]
    run_quality(find_program("plink2"), source, tmp_path / "q", keep=cohort / "keep.tsv", **CONFIG)
    pruned = read_bed(tmp_path / "q/pruned")
    near = np.abs(np.subtract.outer(*[pruned.variants["position"].to_numpy()] * 2)) < 100_000
    r2_vv = np.corrcoef(pruned.calls_nv.T) ** 2
    np.fill_diagonal(r2_vv, 0)
    assert r2_vv[near].max() < 0.1001
    assert 10 < len(pruned.variants) < 100


def test_regions_that_are_left_out_count_as_bed_does(cohort: Path, tmp_path: Path) -> None:
    """From 0, the end not in it: a region that begins at a variant's position begins behind it."""
    source, places = ["--bfile", str(cohort / "g1")], []
    for at in (None, 0, -1):
        region = tmp_path / "regions.bed"
        if at is not None:
            region.write_text(f"1\t{places[0][0] + at}\t{places[0][0] + at + 1}\tname\n")
        structure = CONFIG["structure"].model_copy(update={"exclude": None if at is None else str(region)})
        config = CONFIG | {"structure": structure}
        run_quality(find_program("plink2"), source, tmp_path / "q", keep=cohort / "keep.tsv", **config)
        places.append(read_bed(tmp_path / "q/pruned").variants["position"].tolist())
    assert places[1] == places[0]
    assert places[0][0] not in places[2]


def test_every_form_of_genotypes_is_read(cohort: Path, tmp_path: Path) -> None:
    """bed, pgen and bgen of the same people give the same calls."""
    plink2, made = find_program("plink2"), []
    base = [plink2, "--bfile", cohort / "g1", "--out", tmp_path / "c1"]
    run_program([*base, "--make-pgen", "vzs"])
    run_program([*base, "--export", "bgen-1.2", "bits=8", "ref-first"])
    for keys in (
        {"files": f"{cohort}/g{{chromosome}}.bed"},
        {"files": f"{tmp_path}/c{{chromosome}}.pgen"},
        {"files": f"{tmp_path}/c{{chromosome}}.bgen", "sample": f"{tmp_path}/c1.sample"},
    ):
        source = input_arguments(GenotypesConfig(**keys), "1")
        run_quality(plink2, source, tmp_path / "q", keep=cohort / "keep.tsv", **CONFIG)
        run_program([plink2, "--pfile", tmp_path / "q/all", "--make-bed", "--out", tmp_path / "b"])
        made.append(read_bed(tmp_path / "b").calls_nv)
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


def test_a_file_that_is_not_there_is_named(cohort: Path) -> None:
    with pytest.raises(
        UserError, match=r"g2\.bed: no such file; `discover\.genotypes\.files` names it for chromosome 2"
    ):
        input_arguments(GenotypesConfig(files=f"{cohort}/g{{chromosome}}.bed"), "2")


def test_a_cut_pgen_leaves_nothing(cohort: Path, tmp_path: Path) -> None:
    """PLINK 2 exits with 4 and leaves files that look whole."""
    plink2 = find_program("plink2")
    run_program([plink2, "--bfile", cohort / "g1", "--make-pgen", "--out", tmp_path / "c1"])
    path = tmp_path / "c1.pgen"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"^plink2 failed \(status \d+\): Error"):
        run_quality(plink2, ["--pfile", str(tmp_path / "c1")], tmp_path / "q", keep=cohort / "keep.tsv", **CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c1.log", "c1.pgen", "c1.psam", "c1.pvar"]


def test_what_plink_says_is_counted() -> None:
    said = "90 out of 100 variants loaded from x.pvar.\n--rm-dup: 1 duplicated ID, 3 variants removed.\n"
    said += "--mach-r2-filter: 7 variants removed.\n80 variants remaining after main\nfilters."
    assert counts(said) == {"variants": 100, "multiallelic": 10, "duplicate": 3, "info": 7, "kept": 80}
