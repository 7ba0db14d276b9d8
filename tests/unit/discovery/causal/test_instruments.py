"""Genotypes at instruments, out of the files of quality control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.discovery.causal import read_people
from ecglfm.discovery.genotypes import Genotypes, find_program
from tests.dosages import write_dosages
from tests.plink import need_plink
from tests.unit.discovery.association.test_design import IDS, people


def test_people_of_the_association_with_their_dosages(tmp_path: Path) -> None:
    need_plink()
    phenotypes, covariates, structure = people(tmp_path)
    variants = pd.DataFrame(
        {
            "chromosome": "1", "rsid": ["rs1", "rs2", "rs3"], "centimorgan": "0", "position": [5, 9, 12],
            "allele_1": "A", "allele_2": "C",
        }
    )  # fmt: skip
    table = pd.DataFrame({"fid": [f"f{iid}" for iid in IDS], "iid": IDS, "father": "0", "mother": "0", "sex": 1})
    calls_nv = np.random.default_rng(0).integers(0, 3, (len(IDS), 3)).astype(np.int8)
    dosage_nv = 0.8 * calls_nv + 0.15
    write_dosages(tmp_path / "chr1/all", dosage_nv, Genotypes(calls_nv, variants, table.assign(phenotype="-9")))
    for path, name in ((phenotypes, "phenotypes.tsv"), (covariates, "covariates.tsv"), (structure, "structure")):
        if path != tmp_path / name:
            path.rename(tmp_path / name)
    ids = pd.DataFrame({"patient_id": [f"a/{iid}" for iid in IDS], "record_id": "r", "#FID": "f", "IID": IDS})
    ids.to_csv(tmp_path / "ids.tsv", sep="\t", index=False)
    loci = pd.DataFrame(
        {
            "edf": "e", "locus": 1, "chromosome": [1, 2], "base_pair_location": [9, 9], "effect_allele": "A",
            "other_allele": "C",
        }
    )  # fmt: skip
    loci.to_parquet(tmp_path / "loci.parquet")
    found = read_people(
        find_program("plink2"), genotypes=[tmp_path / "chr1"], folder=tmp_path, loci=tmp_path / "loci.parquet"
    )
    assert found.genotypes[0].variants["rsid"].tolist() == ["rs2"]
    assert list(found.covariates.index) == found.ids["IID"].tolist()
    assert set(found.ids["patient_id"]) <= {f"a/{iid}" for iid in IDS}
    own = found.genotypes[0].variants.iloc[0]
    copies_n = found.genotypes[0].calls_nv[:, 0]
    copies_n = copies_n if own["allele_1"] == "A" else 2 - copies_n
    np.testing.assert_allclose(copies_n, dosage_nv[:, 1], atol=1e-4)
