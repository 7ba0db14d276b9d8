"""The step `discover people`: who takes part, and files that PLINK 2 reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ecglfm.config import PeopleSlice, UserError
from ecglfm.discovery.features import run_people
from ecglfm.discovery.genotypes import Genotypes, write_bed
from ecglfm.provenance import read_json
from tests.plink import need_plink
from tests.unit.discovery.features.cohort import write_cohort
from tests.unit.discovery.features.test_features import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With `features/`, and `all.fam`: everybody, backwards, and somebody else."""
    run(write_cohort(tmp_path), tmp_path / "features", count=2)
    ids = pd.read_parquet(tmp_path / "features/people.parquet")["patient_id"]
    lines = [f"{name} {name} 0 0 0 -9" for name in [*ids[::-1], "stranger"]]
    (tmp_path / "all.fam").write_text("\n".join(lines) + "\n")
    return tmp_path


def make(
    folder: Path, samples: str = "all.fam", ids: str | None = None, biomarkers: Path | None = None, **people: object
) -> Path:
    output = folder / "made"
    run_people(
        PeopleSlice.model_validate({"people": people, "ids": ids}), features=folder / "features/edf.parquet",
        people=folder / "features/people.parquet", samples=[folder / samples], output=output,
        measured=biomarkers,
    )  # fmt: skip
    return output


def test_tables_are_joined_by_id(folder: Path):
    output = make(folder, covariates=["age", "sex", "source"])
    phenotypes, covariates = (
        pd.read_csv(output / f"{name}.tsv", sep="\t").set_index("IID") for name in ("phenotypes", "covariates")
    )
    expected = pd.read_parquet(folder / "features/edf.parquet").set_index("patient_id")
    assert list(phenotypes) == ["#FID", "edf_0001", "edf_0002"]
    np.testing.assert_allclose(phenotypes["edf_0002"], expected["edf_0002"].reindex(phenotypes.index), rtol=1e-8)
    assert list(covariates) == ["#FID", "age", "sex", "source_b"]
    assert covariates.loc["a/7", ["age", "sex", "source_b"]].tolist() == [47, 0, 0]
    assert covariates.loc["b/9", ["age", "sex", "source_b"]].tolist() == [49, 1, 1]
    assert pd.read_csv(output / "ids.tsv", sep="\t").set_index("IID")["patient_id"]["b/9"] == "b/9"
    counts = read_json(output / "people.json")
    assert (counts["people"], counts["samples"], counts["taking_part"]) == (40, 41, 40)


def test_ids_that_hardly_match_are_no_association(folder: Path):
    """Both counts are told; PLINK 2 would go on with ten people, without a word."""
    few = [f"{line}\n" for line in (folder / "all.fam").read_text().splitlines() if line.startswith("b/")]
    (folder / "few.fam").write_text("".join(few))
    with pytest.raises(
        UserError, match="10 of 40 people with features are among the 10 samples of .*few.fam, fewer than"
    ):
        make(folder, "few.fam")
    assert not (folder / "made").exists()
    make(folder, "few.fam", min_overlap=0.25, covariates=["age", "sex", "source"])
    assert list(pd.read_csv(folder / "made/covariates.tsv", sep="\t")) == ["#FID", "IID", "age", "sex"]  # of one source
    (folder / "none.fam").write_text("0 x 0 0 0 0\n")
    with pytest.raises(UserError, match="0 of 40 people"):
        make(folder, "none.fam", min_overlap=0)


def test_a_table_says_whose_samples_they_are(folder: Path):
    (folder / "s.fam").write_text("".join(f"F{n} S{n} 0 0 0 -9\n" for n in range(10)))
    (folder / "ids.csv").write_text("patient_id,IID\n" + "".join(f"b/{n},S{9 - n}\n" for n in range(10)))
    output = make(folder, "s.fam", ids=str(folder / "ids.csv"), min_overlap=0.2, covariates=["age"])
    found = pd.read_csv(output / "covariates.tsv", sep="\t").set_index("IID")
    assert found["age"]["S9"] == 40
    assert found["#FID"]["S9"] == "F9"


def test_lists_and_a_table_of_the_users_own(folder: Path):
    """Array is text, batch numbers that are names; who has none, or is on a list, is counted."""
    people = pd.read_parquet(folder / "features/people.parquet")["patient_id"].tolist()
    rows = [f"{name}\t{'UKBB' if n % 2 else 'UKBL'}\t{n % 3}" for n, name in enumerate(people) if name != "a/3"]
    (folder / "own.tsv").write_text("IID\tarray\tbatch\n" + "\n".join(rows) + "\n")
    (folder / "related.txt").write_text("0 a/1\n0 a/2\n")
    output = make(
        folder, covariates=["age", "array", "batch"], table=str(folder / "own.tsv"), categorical=["batch"],
        exclude=[str(folder / "related.txt")],
    )  # fmt: skip
    found = pd.read_csv(output / "covariates.tsv", sep="\t")
    assert list(found) == ["#FID", "IID", "age", "array_UKBL", "batch_1", "batch_2"]
    assert not {"a/1", "a/2", "a/3"} & set(found["IID"])
    phenotypes = pd.read_csv(output / "phenotypes.tsv", sep="\t").set_index("IID")["edf_0002"]
    features = pd.read_parquet(folder / "features/edf.parquet").set_index("patient_id")["edf_0002"]
    np.testing.assert_allclose(phenotypes, features[phenotypes.index], rtol=1e-8)
    counts = read_json(output / "people.json")
    assert counts["listed"] == {str(folder / "related.txt"): 2}
    assert counts["missing"] == {"array_UKBL": 1, "batch_1": 1, "batch_2": 1}
    assert counts["taking_part"] == 37
    output = make(folder, covariates=["age", "array"], table=str(folder / "own.tsv"), missing="indicator")
    found = pd.read_csv(output / "covariates.tsv", sep="\t").set_index("IID")
    assert (len(found), found["array_UKBL_missing"].sum(), found["array_UKBL_missing"]["a/3"]) == (40, 1, 1)
    with pytest.raises(UserError, match="'array' is none of age, sex, source, age2: name the `table`"):
        make(folder, covariates=["array"])


def test_a_code_of_a_missing_covariate_is_no_number(folder: Path):
    people = pd.read_parquet(folder / "features/people.parquet")["patient_id"]
    rows = [f"{name}\t{-9 if name == 'a/3' else 20 + n}" for n, name in enumerate(people)]
    (folder / "own.tsv").write_text("IID\tbmi\n" + "\n".join(rows) + "\n")
    asked = {"table": str(folder / "own.tsv"), "covariates": ["bmi"]}
    with pytest.raises(UserError, match="own.tsv: column 'bmi' has -9 in 1 row"):
        make(folder, **asked)
    assert "a/3" not in set(pd.read_csv(make(folder, **asked, missing_codes=[-9]) / "ids.tsv", sep="\t")["IID"])
    found = pd.read_csv(make(folder, **asked, missing_codes=[]) / "covariates.tsv", sep="\t").set_index("IID")
    assert found["bmi"]["a/3"] == -9


@pytest.mark.parametrize("missing", ["leave_out", "indicator"])
def test_ids_of_another_form_are_shown_beside_those_of_samples(folder: Path, missing: str):
    keep, table = folder / "keep.txt", folder / "own.tsv"
    keep.write_text("7\n9\n")
    with pytest.raises(UserError, match="keep.txt: it leaves nobody of 40: its ids look like '7', those of samples"):
        make(folder, keep=str(keep), missing=missing)
    table.write_text("IID\tbmi\n7\t27\n9\t31\n")
    with pytest.raises(
        UserError, match="own.tsv: it has nobody who takes part: its IIDs look like '7', those of samples"
    ):
        make(folder, table=str(table), covariates=["bmi"], missing=missing)


def test_what_was_measured_stands_beside_the_features(folder: Path):
    """By id, as normal scores; of whom nothing was measured there is nothing."""
    people = pd.read_parquet(folder / "features/people.parquet")["patient_id"]
    table = pd.DataFrame({"patient_id": people, "pr_ms": np.arange(40.0), "qt_ms": 400.0})
    table.loc[table["patient_id"] == "a/7", "pr_ms"] = np.nan
    table.sample(frac=1, random_state=0).to_parquet(folder / "biomarkers.parquet")
    output = make(folder, biomarkers=folder / "biomarkers.parquet", covariates=["age"], measured=["pr_ms"])
    phenotypes = pd.read_csv(output / "phenotypes.tsv", sep="\t").set_index("IID")
    assert list(phenotypes) == ["#FID", "edf_0001", "edf_0002", "pr_ms"]
    known = people[people != "a/7"]
    np.testing.assert_allclose(phenotypes["pr_ms"][known], norm.ppf((np.arange(39) + 0.625) / 39.25), rtol=1e-7)
    assert np.isnan(phenotypes["pr_ms"]["a/7"])
    with pytest.raises(UserError, match="has no 'qrs_ms'; it has pr_ms, qt_ms"):
        make(folder, biomarkers=folder / "biomarkers.parquet", measured=["qrs_ms"])


def test_plink2_reads_them(folder: Path):
    """And agrees with least squares by hand, on copies of an allele that go with the feature."""
    need_plink()
    make(folder, covariates=["age", "sex"])
    phenotypes, covariates = (
        pd.read_csv(folder / f"made/{name}.tsv", sep="\t") for name in ("phenotypes", "covariates")
    )
    copies = np.digitize(phenotypes["edf_0001"] + np.random.default_rng(0).normal(size=40), [-0.7, 0.7])
    everybody = pd.DataFrame({"fid": phenotypes["#FID"], "iid": phenotypes["IID"]}).assign(
        father="0", mother="0", sex=0, phenotype="-9"
    )
    variant = {"chromosome": "1", "rsid": "rs1", "centimorgan": 0, "position": 1000, "allele_1": "A", "allele_2": "C"}
    backwards = Genotypes(copies[::-1, None].astype(np.int8), pd.DataFrame([variant]), everybody[::-1])
    write_bed(folder / "g", backwards)
    command = "plink2 --bfile g --pheno made/phenotypes.tsv --covar made/covariates.tsv --covar-variance-standardize"
    subprocess.run([*command.split(), "--glm", "hide-covar"], cwd=folder, check=True, capture_output=True)
    row = pd.read_csv(folder / "plink2.edf_0001.glm.linear", sep="\t").iloc[0]
    x = np.column_stack([np.ones(40), copies, covariates["age"], covariates["sex"]])
    beta = np.linalg.lstsq(x, phenotypes["edf_0001"], rcond=None)[0][1]
    assert (row["OBS_CT"], row["ID"]) == (40, "rs1")
    assert row["BETA"] * (1 if row["A1"] == "A" else -1) == pytest.approx(beta, abs=1e-5)
