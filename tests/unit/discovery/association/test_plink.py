"""PLINK 2's regression: its command line, and what is left of a run that failed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.association import Design, read_design, run_plink
from ecglfm.discovery.association.merge import read_association
from ecglfm.discovery.association.plink import glm_arguments
from ecglfm.discovery.genotypes import Genotypes, find_program, read_bed, run_program, write_bed
from ecglfm.provenance import read_json
from tests.dosages import write_dosages
from tests.plink import need_plink
from tests.unit.discovery.association.regression import regress
from tests.unit.discovery.association.test_design import IDS, people


@pytest.fixture
def cohort(tmp_path: Path) -> tuple[Path, Design]:
    need_plink()
    design = read_design(*people(tmp_path))
    variants = pd.DataFrame(
        {
            "chromosome": "1",
            "rsid": ["rs1", "rs2"],
            "centimorgan": "0",
            "position": [5, 9],
            "allele_1": "A",
            "allele_2": "C",
        }
    )
    table = pd.DataFrame({"fid": [f"f{iid}" for iid in IDS], "iid": IDS, "father": "0", "mother": "0", "sex": 1})
    calls_nv = np.random.default_rng(0).integers(0, 3, (100, 2)).astype(np.int8)
    write_bed(tmp_path / "g", Genotypes(calls_nv, variants, table.assign(phenotype="-9")))
    make = ["--make-pgen", "psam-cols=fid,sex", "--out", tmp_path / "all"]
    run_program([find_program("plink2"), "--bfile", tmp_path / "g", *make])
    return tmp_path, design


def test_the_command_line() -> None:
    assert " ".join(glm_arguments(Path("OUT"), Path("T"), Path("C"))) == (
        "--keep T --pheno T --no-input-missing-phenotype --covar C --covar-variance-standardize --vif 1000"
        " --glm zs hide-covar omit-ref cols=chrom,pos,ref,alt,a1freq,nobs,beta,se,p --out OUT/glm"
    )
    assert "se,p,machr2" in " ".join(glm_arguments(Path("OUT"), Path("T"), Path("C"), info=True))
    assert "--covar" not in glm_arguments(Path("OUT"), Path("T"), None)


def test_on_chromosome_x_sex_is_adjusted_for_once(cohort: tuple[Path, Design]) -> None:
    """PLINK 2 adds it there of its own accord, and beside one of ours stops at VIF_INFINITE or has no result."""
    folder, design = cohort
    genotypes = read_bed(folder / "g")
    sex = np.where(np.arange(100) % 2, 1, 2)  # as the covariate has it: 1 for men
    calls_nv = np.where(sex[:, None] == 1, genotypes.calls_nv // 2 * 2, genotypes.calls_nv).astype(np.int8)
    on_x = Genotypes(calls_nv, genotypes.variants.assign(chromosome="X"), genotypes.people.assign(sex=sex))
    write_bed(folder / "x", on_x)
    make = ["--make-pgen", "psam-cols=fid,sex", "--out", folder / "all"]
    run_program([find_program("plink2"), "--bfile", folder / "x", *make])
    run_plink(find_program("plink2"), folder, design, folder / "made")
    table = read_association(folder / "made/edf_0001.zst")
    at = [int(iid[1:]) for iid in design.ids["IID"]]
    covariates = design.covariates.to_numpy(float)
    known = regress(design.traits[["edf_0001"]].to_numpy(float), calls_nv[at], covariates)
    assert table["chromosome"].tolist() == [23, 23]
    np.testing.assert_allclose(table["beta"], known.beta[0], rtol=1e-4)
    np.testing.assert_allclose(table["standard_error"], known.standard_error[0], rtol=1e-4)


def test_covariates_of_different_scales_are_standardized(cohort: tuple[Path, Design]) -> None:
    """Without that PLINK 2 refuses them."""
    folder, design = cohort
    design = replace(design, covariates=design.covariates.assign(income=1e9 + 1e7 * np.arange(len(design.ids)) ** 0.5))
    plink2 = find_program("plink2")
    run_plink(plink2, folder, design, folder / "made")
    assert sorted(path.name for path in (folder / "made").iterdir()) == [
        "association.json", "edf_0001.zst", "edf_0002.zst",
    ]  # fmt: skip
    assert read_json(folder / "made/association.json")["covariates"] == ["age", "sex", "PC1", "income"]
    (folder / "x").mkdir()
    from ecglfm.discovery.association.design import write_tables

    arguments = glm_arguments(folder, *write_tables(design, folder / "x"))
    arguments.remove("--covar-variance-standardize")
    done = subprocess.run([plink2, "--pfile", folder / "all", *arguments], capture_output=True, text=True)
    assert done.returncode
    assert "--covar-variance-standardize" in done.stdout + done.stderr


def test_no_covariate_and_no_feature(cohort: tuple[Path, Design]) -> None:
    folder, design = cohort
    bare = replace(design, covariates=design.covariates.iloc[:, :0])
    run_plink(find_program("plink2"), folder, bare, folder / "made")
    assert (folder / "made/edf_0001.zst").exists()
    empty = replace(design, traits=design.traits.iloc[:, :0])
    run_plink(find_program("plink2"), folder, empty, folder / "made")
    assert [path.name for path in (folder / "made").iterdir()] == ["association.json"]


def test_a_failure_leaves_nothing(cohort: tuple[Path, Design]) -> None:
    folder, design = cohort
    path = folder / "all.pgen"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match=r"^plink2 failed \(status \d+\): Error"):
        run_plink(find_program("plink2"), folder, design, folder / "made")
    assert [path.name for path in folder.glob("*made*")] == []


def test_dosages_have_their_imputation_quality(cohort: tuple[Path, Design]) -> None:
    """MaCH's r² is the variance of dosages over that of calls, 2p(1-p); hard calls have none."""
    folder, design = cohort
    plink2 = find_program("plink2")
    run_plink(plink2, folder, design, folder / "made")
    assert "info" not in read_association(folder / "made/edf_0001.zst")
    genotypes = read_bed(folder / "g")
    calls_nv = genotypes.calls_nv
    dosage_nv = np.stack([calls_nv[:, 0] * 0.5 + 0.4, calls_nv[:, 1] * 1.0], axis=1)
    write_dosages(folder / "all", dosage_nv, genotypes)
    run_plink(plink2, folder, design, folder / "made")
    table = read_association(folder / "made/edf_0001.zst")
    used_nv = dosage_nv[[int(iid[1:]) for iid in design.ids["IID"]]]
    share_v = used_nv.mean(0) / 2
    known = used_nv.var(0) / (2 * share_v * (1 - share_v))
    assert known[0] < 0.4
    np.testing.assert_allclose(table["info"], np.minimum(known, 1), rtol=0.02)
