"""A whole scan of a cohort with planted truth: lead variants are the planted ones, and nothing else is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config.discovery import AssociationConfig
from ecglfm.discovery.association import read_design, run_loci, run_merge, run_plink
from ecglfm.discovery.genotypes import find_program
from ecglfm.discovery.summary import read_summary_statistics
from ecglfm.provenance import read_json
from tests.unit.discovery.association.regression import regress
from tests.unit.discovery.planted import Planted, plant


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def scanned(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the scan."""
    output = associate(planted, tmp_path_factory.mktemp("scanned"))
    programs, keep = (find_program("plink2"), find_program("plink1.9")), planted.folder / "structure/keep.tsv"
    run_loci(
        programs, output / "summary", list(planted.quality.values()), output, config=AssociationConfig(), keep=keep
    )
    return output


def associate(
    planted: Planted,
    output: Path,
    chromosomes: str = "12345",
    phenotypes: str = "phenotypes.tsv",
    pca: str = "structure",
) -> Path:
    tables = planted.folder / phenotypes, planted.folder / "covariates.tsv", planted.folder / pca
    made = []
    for chromosome in chromosomes:
        for part in (1, 2):
            made.append(output / f"association/{chromosome}/{part}")
            design = read_design(*tables, part=part, parts=2)
            run_plink(find_program("plink2"), planted.quality[chromosome], design, made[-1])
    run_merge(made, read_design(*tables), output)
    return output


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_lead_variants_are_the_planted_ones(planted: Planted, scanned: Path) -> None:
    loci = pd.read_parquet(scanned / "loci.parquet")
    assert loci["edf"].tolist() == ["edf_0001", "edf_0001"]
    assert loci["lead_rsid"].tolist() == planted.causal
    assert loci["locus"].tolist() == [1, 2]
    assert loci["significant_corrected"].all()
    truth = planted.genotypes.variants.set_index("rsid").loc[planted.causal]
    assert loci["base_pair_location"].tolist() == truth["position"].tolist()
    assert loci["effect_allele"].tolist() == truth["allele_1"].tolist()
    assert loci["chromosome"].astype(str).tolist() == truth["chromosome"].tolist()
    assert ((loci["start"] <= loci["base_pair_location"]) & (loci["base_pair_location"] <= loci["end"])).all()
    assert (loci["beta"] > 0.1).all()  # sqrt(2.5 %) of a deviation per deviation of calls, which is about 0.7 copies
    assert (loci["n"] > 1980).all()


def test_nothing_is_found_where_nothing_is(scanned: Path) -> None:
    table = pd.read_csv(scanned / "lambda.tsv", sep="\t").set_index("edf")
    null = table.drop("edf_0001")
    assert (null["significant"] == 0).all()
    assert null["lambda"].between(0.85, 1.2).all()
    assert table["lambda"]["edf_0001"] < 1.25
    assert (table["variants"] > 4900).all()


def test_without_components_populations_inflate(planted: Planted, tmp_path: Path) -> None:
    """What differs between populations is associated with all that does, unless components are adjusted for."""
    bare = planted.folder / "bare"
    bare.mkdir()
    for path in (planted.folder / "structure").iterdir():
        (bare / path.name).symlink_to(path)
    (bare / "pca.tsv").unlink()
    pd.read_csv(planted.folder / "structure/pca.tsv", sep="\t")[["#FID", "IID"]].to_csv(
        bare / "pca.tsv", sep="\t", index=False
    )
    associate(planted, tmp_path, pca="bare")
    table = pd.read_csv(tmp_path / "lambda.tsv", sep="\t").set_index("edf")
    assert table["lambda"]["edf_0001"] > 1.5
    assert table["lambda"].drop("edf_0001").between(0.85, 1.2).all()


def test_components_are_the_populations(planted: Planted) -> None:
    first = pd.read_csv(planted.folder / "structure/pca.tsv", sep="\t")["PC1"]
    assert np.abs(np.corrcoef(first, planted.deme_n)[0, 1]) > 0.9


def test_shuffled_rows_give_the_same_files(planted: Planted, tmp_path: Path) -> None:
    rows = pd.read_csv(planted.folder / "phenotypes.tsv", sep="\t", dtype=str)
    rows.sample(frac=1, random_state=3).to_csv(planted.folder / "shuffled.tsv", sep="\t", index=False)
    as_they_were, shuffled = (
        files(associate(planted, tmp_path / name, "2", name)) for name in ("phenotypes.tsv", "shuffled.tsv")
    )
    assert len(as_they_were) == 19
    assert as_they_were == shuffled


def test_own_regression_agrees_with_plink(planted: Planted, scanned: Path) -> None:
    """On every variant of a chromosome, some with missing calls, and every feature."""
    structure = planted.folder / "structure"
    design = read_design(planted.folder / "phenotypes.tsv", planted.folder / "covariates.tsv", structure)
    rows = planted.genotypes.people.reset_index().set_index("iid").loc[design.ids["IID"], "index"]
    on = (planted.genotypes.variants["chromosome"] == "2").to_numpy()
    calls_nv = planted.genotypes.calls_nv[rows][:, on]
    variants = planted.genotypes.variants[on]
    own = regress(design.traits.to_numpy(), calls_nv, design.covariates.to_numpy())
    for at, name in enumerate(design.traits):
        theirs = read_summary_statistics(scanned / f"summary/{name}.tsv.zst").set_index("rsid")
        both = variants["rsid"].isin(theirs.index).to_numpy()
        theirs = theirs.loc[variants["rsid"][both]]
        assert np.abs(own.beta[at, both] - theirs["beta"]).max() < 1e-5
        assert np.abs(own.standard_error[at, both] - theirs["standard_error"]).max() < 1e-5
        np.testing.assert_allclose(np.log10(own.p[at, both]), np.log10(theirs["p_value"]), atol=1e-3)
        assert (own.n[at, both] == theirs["n"]).all()


def test_the_scan_says_what_it_was_of(scanned: Path) -> None:
    tests = read_json(scanned / "tests.json")
    assert tests["people"] == {"phenotyped": 2000, "genotyped": 2000, "both": 2000, "used": 2000}
    assert tests["covariates"] == ["age", "sex", *(f"PC{number}" for number in range(1, 11))]
    assert tests["effective_number"] == pytest.approx(6, abs=0.5)  # principal components are uncorrelated
    assert tests["corrected"] == pytest.approx(5e-8 / tests["effective_number"], rel=1e-4)


def test_pictures_are_drawn(scanned: Path) -> None:
    names = ["manhattan.png", "miami.png", "qq.png", *(f"scans/edf_{number:04d}.png" for number in range(1, 7))]
    assert all((scanned / name).read_bytes().startswith(b"\x89PNG") for name in names)
