"""From CardioSoft's files, named as UK Biobank names them, to the phenotype and covariate files of a GWAS, by eid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS
from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, make_clone
from tests.unit.data.recordings_in_memory import beating
from tests.unit.sources.cardiosoft_file import cardiosoft, strip

pytestmark = pytest.mark.slow

EIDS = [1_000_001 + 17 * number for number in range(40)]
WITHDRAWN, RELATED, OTHER_ANCESTRY, NOT_GENOTYPED = EIDS[3], EIDS[5], EIDS[7], EIDS[11]
DISCOVER = {
    "features": {"kind": "dimensions", "record": "nearest", "baseline": "data/visits.csv"},
    "people": {
        "covariates": ["age", "sex", "array", "batch"], "table": "data/gwas.csv", "categorical": ["batch"],
        "keep": "data/ancestry.txt", "exclude": ["data/related.txt"], "measured": [],
    },
    "genotypes": {"files": "data/c{chromosome}.bgen", "sample": "data/c{chromosome}.sample", "chromosomes": ["1"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def project(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Forty people at the first imaging visit, ten of them at the second, and tables as the showcase exports them."""
    clone = make_clone(repository, tmp_path_factory.mktemp("ukbiobank") / "clone")
    data = clone.root / "data"
    (data / "xml").mkdir(parents=True)
    for number, eid in [*enumerate(EIDS), *((40 + number, eid) for number, eid in enumerate(EIDS[:10]))]:
        samples = beating(number, rr=0.6 + 0.01 * number).astype(int)
        samples[:, 2] = samples[:, 1] - samples[:, 0]
        leads = {lead: samples[:, column].tolist() for column, lead in enumerate(LEADS)}
        visit, year = (2, "2016") if number < 40 else (3, "2021")
        when = {"Year": year, "Month": "3", "Day": "7", "Hour": "9", "Minute": "5", "Second": "1"}
        recording = cardiosoft(strip(leads, resolution="1"), when=when)
        (data / f"xml/{eid}_20205_{visit}_0.xml").write_bytes(recording)
    visits = pd.DataFrame({"patient_id": [f"ukbiobank/{eid}" for eid in EIDS], "date": "2017-05-01"})
    visits.loc[visits.index < 5, "date"] = "2020-05-01"  # of them the second visit is nearer
    visits.to_csv(data / "visits.csv", index=False)
    sex = [number % 2 for number in range(len(EIDS))]
    people = pd.DataFrame({"eid": EIDS, "p31": sex, "p21003_i2": range(45, 85), "p21003_i3": range(50, 90)})
    people.to_csv(data / "participants.csv", index=False)
    gwas = pd.DataFrame({"IID": EIDS, "array": ["UKBB", "UKBB", "UKBL"] * 13 + ["UKBL"], "batch": np.arange(40) // 20})
    gwas.sample(frac=1, random_state=0).to_csv(data / "gwas.csv", index=False)
    genotyped = [eid for eid in EIDS[::-1] if eid != NOT_GENOTYPED] + [5_000_000]
    rows = [f"{eid} {eid} 0 {1 + eid % 2}" for eid in genotyped]
    (data / "c1.sample").write_text("\n".join(["ID_1 ID_2 missing sex", "0 0 0 D", *rows]) + "\n")
    (data / "c1.bgen").touch()  # nobody reads it for these tables
    (data / "withdrawn.csv").write_text(f"{WITHDRAWN}\n")
    (data / "related.txt").write_text(f"{RELATED}\n")
    (data / "ancestry.txt").write_text("".join(f"{eid}\n" for eid in genotyped if eid != OTHER_ANCESTRY))
    clone.edit(
        "config/sources/ukbiobank.yaml", root="data/xml", shards=1, people="data/participants.csv",
        columns={"patient_id": "eid", "sex": "p31", "age": "p21003_i{instance}"}, exclude_patients="data/withdrawn.csv",
    )  # fmt: skip
    clone.edit("config/config.yaml", sources=["ukbiobank"], encoders=["random-tiny"], tasks=[])
    clone.edit("config/config.yaml", tracking={"enabled": False}, discover={**DISCOVER})
    clone.edit("config/config.yaml", discover={"people": {"missing": "leave_out"}})
    clone.snakemake("results/discover/random-tiny/phenotypes.tsv")
    return clone


def test_phenotypes_and_covariates_are_those_of_each_eid(project: Clone) -> None:
    folder = project.results / "discover/random-tiny"
    phenotypes = pd.read_csv(folder / "phenotypes.tsv", sep="\t").set_index("IID")
    taking_part = set(EIDS) - {WITHDRAWN, RELATED, OTHER_ANCESTRY, NOT_GENOTYPED}
    assert set(phenotypes.index) == taking_part
    assert list(phenotypes) == ["#FID", *(f"edf_{number:04d}" for number in range(64))]
    features = pd.read_parquet(folder / "edf.parquet").set_index("patient_id")
    second = features["record_id"].str.contains("_20205_3_0")
    assert set(features.index[second]) == {f"ukbiobank/{eid}" for eid in EIDS[:5] if eid != WITHDRAWN}
    assert f"ukbiobank/{WITHDRAWN}" not in features.index
    known = features.loc[[f"ukbiobank/{eid}" for eid in phenotypes.index], "edf_0001"]
    np.testing.assert_allclose(phenotypes["edf_0001"], known, rtol=1e-8)
    covariates = pd.read_csv(folder / "covariates.tsv", sep="\t").set_index("IID")
    assert list(covariates) == ["#FID", "age", "sex", "array_UKBL", "batch_1"]
    for eid in (EIDS[0], EIDS[20], EIDS[39]):
        number = EIDS.index(eid)
        last = int(number % 3 == 2 or number == 39)
        assert covariates.loc[eid, ["age", "sex", "array_UKBL", "batch_1"]].tolist() == [
            (50 if number < 5 else 45) + number, number % 2, last, number // 20,
        ]  # fmt: skip


def test_who_is_left_out_is_counted(project: Clone) -> None:
    counts = read_json(project.results / "discover/random-tiny/people.json")
    assert (counts["people"], counts["samples"], counts["taking_part"]) == (39, 40, 36)
    assert counts["listed"] == {"data/ancestry.txt": 1, "data/related.txt": 1}
