"""Quality control keeps what is good, says why the rest is out, and leaves nothing of a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import GenotypesConfig, QualityConfig, StructureConfig
from ecglfm.discovery.genotypes import (
    Genotypes,
    draw_genome,
    draw_people,
    find_program,
    has_dosages,
    input_arguments,
    read_bed,
    run_program,
    run_quality,
    write_bed,
)
from ecglfm.discovery.genotypes.quality import check_chromosome, counts, distinct_ids
from ecglfm.provenance import read_json
from tests.dosages import write_dosages
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
    same = ["rsid", "position", "allele_1", "allele_2"]
    drawn.variants.loc[30:34, same] = drawn.variants.loc[29, same].tolist()  # rs30 once more
    drawn.variants.loc[50:52, "rsid"] = "rs50"  # that of one before them, which lies elsewhere
    drawn.variants.loc[60, same[:2]] = drawn.variants.loc[59, same[:2]].tolist()  # a site that was split
    drawn.variants.loc[59:60, "allele_1"] = ["C", "G"]
    drawn.variants.loc[59:60, "allele_2"] = "A"
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
        "variants": 200, "duplicate": 5, "missing": 5, "hwe": 5, "maf": 5, "kept": 180, "people": 280, "renamed": 4,
    }  # fmt: skip
    kept = pd.read_csv(tmp_path / "q/all.pvar", sep="\t")
    assert len(kept) == 180
    assert kept["ID"].is_unique
    variants = read_bed(cohort / "g1").variants
    assert kept["POS"].tolist().count(variants.loc[29, "position"]) == 1
    split = kept[kept["POS"] == variants.loc[59, "position"]]
    assert split["ID"].tolist() == ["rs60", f"1:{split['POS'].iloc[0]}:A:G"]
    assert split["ALT"].tolist() == ["C", "G"]
    named = variants.loc[40]
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


def test_several_chromosomes_in_a_file_are_refused(cohort: Path, tmp_path: Path) -> None:
    """The loci of all but the first one would be lost."""
    drawn = read_bed(cohort / "g1")
    drawn.variants.loc[150:, "chromosome"] = "2"
    write_bed(tmp_path / "all", drawn)
    with pytest.raises(UserError, match=r"/all: variants of the chromosomes 1, 2: .* plink2 --chr splits it$"):
        run_quality(
            find_program("plink2"), ["--bfile", f"{tmp_path}/all"], tmp_path / "q", keep=cohort / "keep.tsv", **CONFIG
        )
    (tmp_path / "x.pvar").write_text("##info\n#CHROM\tPOS\nPAR1\t5\nX\t9\nPAR2\t30\n")
    check_chromosome(tmp_path / "x.pvar", "x")  # --split-par


def test_ids_are_given_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [
        "1\t5\t5\tA\tC\tPASS", "1\t5\t5\tA\tG\tPASS", "1\t5\t5\tA\tG\tPASS", "1\t6\t.\tA\tG\tPASS",
        "1\t6\t.\tA\tT\tPASS", "1\t7\t5\tA\tC\tPASS", "1\t8\trs8\tA\tC\tPASS", "1\t8\trs8\tA\tC\tPASS",
    ]  # fmt: skip
    path = tmp_path / "all.pvar"
    path.write_text("##info\n#CHROM\tPOS\tID\tREF\tALT\tFILTER\n" + "\n".join(rows) + "\n")
    assert distinct_ids(path) == (3, 2)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["##info", "#CHROM\tPOS\tID\tREF\tALT\tFILTER"]
    assert [line.split("\t")[2] for line in lines[2:]] == [
        "5", "1:5:A:G", "1:5:A:G", ".", ".", "1:7:A:C", "rs8", "rs8",
    ]  # fmt: skip
    assert lines[7] == "1\t7\t1:7:A:C\tA\tC\tPASS"


def test_what_plink_says_is_counted() -> None:
    said = "90 out of 100 variants loaded from x.pvar.\n"
    said += "--mach-r2-filter: 7 variants removed.\n80 variants remaining after main\nfilters."
    assert counts(said) == {"variants": 100, "multiallelic": 10, "info": 7, "kept": 80}


def test_an_unsure_dosage_is_no_missing_call(cohort: Path, tmp_path: Path) -> None:
    """PLINK 2 has no hard call of 0.25 copies, and would leave out most of what is imputed as missing."""
    drawn = read_bed(cohort / "g1")
    calls_nv = drawn.calls_nv[:, 100:150]
    dosage_nv = calls_nv.astype(float)
    dosage_nv[::2, :25] = 0.5 * calls_nv[::2, :25] + 0.25
    part = Genotypes(calls_nv, drawn.variants.iloc[100:150].reset_index(drop=True), drawn.people)
    write_dosages(tmp_path / "c1", dosage_nv, part)
    write_bed(tmp_path / "hard", part)
    plink2, keep = find_program("plink2"), cohort / "keep.tsv"
    run_program([plink2, "--bfile", tmp_path / "hard", "--make-pgen", "--out", tmp_path / "hard"])
    assert not has_dosages(plink2, tmp_path / "hard")
    assert has_dosages(plink2, tmp_path / "c1")
    run_quality(plink2, ["--pfile", str(tmp_path / "c1")], tmp_path / "q", keep=keep, **CONFIG)
    assert read_json(tmp_path / "q/quality.json")["kept"] == 50
    assert pd.read_csv(tmp_path / "q/people.smiss", sep="\t")["MISSING_DOSAGE_CT"].sum() == 0
    strict = CONFIG | {"quality": QualityConfig(min_info=0.8)}  # theirs is 0.6, that of the others 1
    run_quality(plink2, ["--pfile", str(tmp_path / "c1")], tmp_path / "q", keep=keep, **strict)
    assert read_json(tmp_path / "q/quality.json")["info"] == 25
