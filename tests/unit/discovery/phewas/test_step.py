"""The step `discover phewas`: tables joined by id, people without components left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import PhewasConfig
from ecglfm.discovery.phewas import run_phewas
from ecglfm.provenance import read_json

PEOPLE = 600


def write_people(folder: Path) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    ids = [f"a/{number:04d}" for number in range(PEOPLE)]
    people = pd.DataFrame(
        {
            "patient_id": ids, "record_id": [f"r{one}" for one in ids], "age": generator.normal(60, 9, PEOPLE),
            "sex": generator.choice(["female", "male"], PEOPLE),
        }
    )  # fmt: skip
    people.to_parquet(folder / "people.parquet")
    edf = people[["patient_id", "record_id"]].assign(edf_0001=generator.normal(size=PEOPLE))
    edf.sample(frac=1, random_state=0).to_parquet(folder / "edf.parquet")
    sick = generator.random(PEOPLE) < 1 / (1 + np.exp(1 - 1.2 * edf["edf_0001"]))
    codes = pd.DataFrame({"patient_id": people["patient_id"][sick], "code": "I48.9"})
    codes.sample(frac=1, random_state=1).to_csv(folder / "codes.tsv", sep="\t", index=False)
    (folder / "phenotypes.yaml").write_text("af: {include: [I48], chapter: circulatory}\n")
    bmi = people[["patient_id"]].assign(bmi=27 + 4 * generator.normal(size=PEOPLE) + 2 * edf["edf_0001"])
    bmi.sample(frac=1, random_state=2).to_csv(folder / "table.csv", index=False)
    return people


def test_codes_and_quantities_of_everybody(tmp_path: Path) -> None:
    people = write_people(tmp_path)
    unknown = people["sex"].where(people["patient_id"] != "a/0599")  # somebody who has components
    people.assign(sex=unknown).to_parquet(tmp_path / "people.parquet")
    ids = people[["patient_id"]].assign(IID=[f"i{number}" for number in range(PEOPLE)])
    ids.to_csv(tmp_path / "ids.tsv", sep="\t", index=False)
    pca = pd.DataFrame({"#FID": 0, "IID": ids["IID"], "PC1": np.sin(np.arange(PEOPLE))}).iloc[50:]
    pca.to_csv(tmp_path / "pca.tsv", sep="\t", index=False)
    config = PhewasConfig(
        codes=str(tmp_path / "codes.tsv"),
        definitions=str(tmp_path / "phenotypes.yaml"),
        table=str(tmp_path / "table.csv"),
    )
    run_phewas(config, features=tmp_path, ids=tmp_path / "ids.tsv", components=tmp_path / "pca.tsv")
    found = pd.read_parquet(tmp_path / "phewas.parquet").set_index("phenotype")
    assert found["chapter"].to_dict() == {"af": "circulatory", "bmi": "measurements"}
    assert found["n"].tolist() == [PEOPLE - 51] * 2
    assert abs(found.loc["af", "beta"] - 1.2) < 3 * found.loc["af", "standard_error"]
    assert found.loc["bmi", "beta"] == pytest.approx(2 / np.sqrt(20), abs=0.12)
    assert read_json(tmp_path / "phewas.json") == {
        "people": PEOPLE, "without_age_or_sex": 1, "without_components": 50, "covariates": ["age", "sex", "PC1"],
        "left_out": {}, "pairs": 2, "significant_pairs": 2, "fdr": 0.05,
    }  # fmt: skip
    assert (tmp_path / "phewas.png").exists()


def test_ids_of_another_study_are_noticed(tmp_path: Path) -> None:
    write_people(tmp_path)
    (tmp_path / "codes.tsv").write_text("patient_id\tcode\nb/1\tI48\n")
    config = PhewasConfig(codes=str(tmp_path / "codes.tsv"), definitions=str(tmp_path / "phenotypes.yaml"))
    with pytest.raises(UserError, match="nobody of the study is in it: its ids look like 'b/1'"):
        run_phewas(config, features=tmp_path)


def test_a_quantity_that_is_text(tmp_path: Path) -> None:
    write_people(tmp_path)
    (tmp_path / "table.csv").write_text("patient_id,bmi\na/0001,much\n")
    with pytest.raises(UserError, match="column 'bmi': 'much' is no number"):
        run_phewas(PhewasConfig(table=str(tmp_path / "table.csv")), features=tmp_path)
    (tmp_path / "table.csv").write_text("patient_id,bmi\na/0001,-9\na/0002,20\n")
    with pytest.raises(UserError, match="column 'bmi' has -9 in 1 row, .*discover.phewas.missing_codes"):
        run_phewas(PhewasConfig(table=str(tmp_path / "table.csv")), features=tmp_path)
