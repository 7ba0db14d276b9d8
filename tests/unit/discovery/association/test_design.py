"""Tables of people are joined by id; what PLINK would take without a word is refused or listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.association import read_design
from ecglfm.discovery.association.design import check_covariates, unusable, write_tables

IDS = [f"p{number}" for number in range(100)]
RNG = np.random.default_rng(0)
AGE = RNG.uniform(18, 90, 100)


def people(
    folder: Path, *, genotyped: list[str] = IDS, traits: dict | None = None, covariates: dict | None = None
) -> tuple:
    """Tables of a hundred people in three different orders; FIDs of the genotypes are others than those of the tables."""
    structure = folder / "structure"
    structure.mkdir()
    ids = pd.DataFrame({"#FID": "0", "IID": IDS})
    traits = traits or {"edf_0001": np.arange(100.0), "edf_0002": -np.arange(100.0)}
    ids.assign(**traits).iloc[::-1].to_csv(folder / "phenotypes.tsv", sep="\t", index=False)
    covariates = covariates or {"age": AGE, "sex": np.arange(100) % 2}
    ids.assign(**covariates).sample(frac=1, random_state=1).to_csv(folder / "covariates.tsv", sep="\t", index=False)
    known = pd.DataFrame({"#FID": [f"f{iid}" for iid in genotyped], "IID": genotyped})
    known.assign(a=0, b=0, c=0, d=-9).to_csv(structure / "pruned.fam", sep="\t", header=False, index=False)
    known.iloc[1:].to_csv(structure / "keep.tsv", sep="\t", index=False)
    known.iloc[1:].assign(PC1=RNG.standard_normal(len(known) - 1)).to_csv(structure / "pca.tsv", sep="\t", index=False)
    return folder / "phenotypes.tsv", folder / "covariates.tsv", structure


def test_people_are_joined_by_id_in_the_order_of_the_genotypes(tmp_path: Path) -> None:
    mixed = [*IDS[50:], *IDS[:50], "stranger"]
    design = read_design(*people(tmp_path, genotyped=mixed))
    assert design.ids["IID"].tolist() == mixed[1:-1]  # the first has been left out
    assert design.ids["#FID"].tolist() == [f"f{iid}" for iid in mixed[1:-1]]
    assert design.traits["edf_0001"].tolist() == [float(iid[1:]) for iid in mixed[1:-1]]
    assert design.covariates.columns.tolist() == ["age", "sex", "PC1"]
    np.testing.assert_allclose(design.covariates["age"], [AGE[int(iid[1:])] for iid in mixed[1:-1]])
    assert design.counts == {"phenotyped": 100, "genotyped": 101, "both": 100, "used": 99}


def test_too_few_ids_that_match_fail_with_both_counts(tmp_path: Path) -> None:
    """PLINK 2 goes on with the few, and exits with 0."""
    others = [*IDS[:25], *(f"x{number}" for number in range(75))]
    with pytest.raises(
        UserError, match=r"25 of its 100 people are among the 100 of the genotypes; an IID here is 'p99', 'p"
    ):
        read_design(*people(tmp_path, genotyped=others))


def test_some_may_be_missing(tmp_path: Path) -> None:
    design = read_design(*people(tmp_path, genotyped=IDS[:60]))
    assert design.counts["both"] == 60


def test_who_lacks_a_covariate_has_no_part(tmp_path: Path) -> None:
    age = np.where(np.arange(100) < 10, np.nan, AGE)
    design = read_design(*people(tmp_path, covariates={"age": age}))
    assert design.counts["used"] == 90


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(100), "the same for everybody"),
        (np.arange(100) % 2 + 1, "2 different values: not a quantity, of which there are at least 21"),
        (np.arange(100) % 20, "20 different values: not a quantity"),
        (np.arange(100) % 21, None),
    ],
)
def test_what_is_no_quantity_is_left_out_and_listed(tmp_path: Path, values: np.ndarray, reason: str | None) -> None:
    """PLINK 2 makes a logistic regression of 1 and 2, and stops all features at a constant one, with another reason."""
    design = read_design(*people(tmp_path, traits={"edf_0001": np.arange(100.0), "edf_0002": values}))
    assert list(design.skipped) == (["edf_0002"] if reason else [])
    assert design.skipped.get("edf_0002", "").startswith(reason or "")
    assert design.traits.columns.tolist() == (["edf_0001"] if reason else ["edf_0001", "edf_0002"])
    assert unusable(pd.Series(values)) == design.skipped.get("edf_0002")


def test_a_covariate_that_is_a_sum_of_others_is_named(tmp_path: Path) -> None:
    """PLINK 2 says that some covariate is, not which."""
    both = {"height": AGE + 3 * (np.arange(100) % 2), "age": AGE, "sex": np.arange(100) % 2}
    with pytest.raises(
        UserError, match=r"covariates\.tsv: covariate 'height' is a sum of others \(age, sex\): leave one"
    ):
        read_design(*people(tmp_path, covariates=both))
    check_covariates(pd.DataFrame({"age": AGE, "age2": AGE**2}), "x")  # far from it, though r is .98
    assert np.corrcoef(AGE, AGE**2)[0, 1] > 0.98


def test_a_trait_whose_people_make_covariates_dependent_is_skipped(tmp_path: Path) -> None:
    """PLINK 2 would stop the whole batch; a covariate that does not vary among them is no matter."""
    rest = np.arange(100) < 50
    both = {"height": np.where(rest, RNG.uniform(150, 200, 100), AGE + 3 * (np.arange(100) % 2)), "age": AGE}
    traits = {"edf_0001": np.arange(100.0), "pr_ms": np.where(rest, np.nan, np.arange(100.0))}
    traits["qtc_ms"] = np.where(rest, np.arange(100.0), np.nan)
    design = read_design(
        *people(tmp_path, traits=traits, covariates=both | {"sex": np.arange(100) % 2, "site": rest + 0})
    )
    assert design.skipped == {
        "pr_ms": "among its 50 people: covariate 'height' is a sum of others (age, sex): leave one out of"
        " `discover.people.covariates`"
    }
    assert design.traits.columns.tolist() == ["edf_0001", "qtc_ms"]
    assert "site" in design.covariates


def test_what_does_not_vary_is_no_covariate(tmp_path: Path) -> None:
    design = read_design(*people(tmp_path, covariates={"age": AGE, "site": np.ones(100)}))
    assert design.covariates.columns.tolist() == ["age", "PC1"]


def test_parts_cover_all_features_once(tmp_path: Path) -> None:
    tables = people(tmp_path, traits={f"edf_{number:04d}": np.arange(100.0) for number in range(7)})
    names = [name for part in (1, 2, 3) for name in read_design(*tables, part=part, parts=3).traits]
    assert names == [f"edf_{number:04d}" for number in range(7)]


def test_other_tables_are_refused(tmp_path: Path) -> None:
    tables = people(tmp_path)
    text = tables[0].read_text()
    tables[0].write_text(text + text.splitlines()[3] + "\n")
    with pytest.raises(UserError, match="IID p97 stands twice"):
        read_design(*tables)
    tables[0].write_text(text.replace("#FID\tIID", "IID\tFID"))
    with pytest.raises(UserError, match="begins with IID FID, where #FID IID belong"):
        read_design(*tables)


def test_regenie_wants_another_header(tmp_path: Path) -> None:
    design = read_design(*people(tmp_path))
    heads = [
        [path.read_text().partition("\n")[0].split("\t") for path in write_tables(design, tmp_path, header=header)]
        for header in ("#FID", "FID")
    ]
    assert heads[0] == [["#FID", "IID", "edf_0001", "edf_0002"], ["#FID", "IID", "age", "sex", "PC1"]]
    assert heads[1] == [["FID", *head[1:]] for head in heads[0]]
