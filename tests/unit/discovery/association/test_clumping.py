"""Lead variants by PLINK 1.9; of nothing significant it writes no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ecglfm.config.discovery import LociConfig
from ecglfm.discovery.association.clumping import chromosome_of, clump_chromosome, read_clumps, told_p
from ecglfm.discovery.genotypes import Genotypes, find_program, run_program, write_bed
from tests.plink import need_plink


@pytest.fixture(scope="module")
def genotypes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chromosome X: rs1 and rs2 the same, rs3 apart from both, rs4 the same as rs1 but 2 Mb away; ids that are no rs."""
    need_plink()
    folder = tmp_path_factory.mktemp("clump")
    rng = np.random.default_rng(0)
    first, third = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    calls_nv = np.stack([first, first, third, first], axis=1).astype(np.int8)
    variants = pd.DataFrame(
        {
            "chromosome": "X", "rsid": ["X:1:a", "X:2:b", "rs3", "X:4:d"], "centimorgan": "0",
            "position": [3_000_000, 3_010_000, 3_020_000, 5_500_000], "allele_1": "A", "allele_2": "C",
        }
    )  # fmt: skip
    names = [f"p{number}" for number in range(200)]
    people = pd.DataFrame({"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 2, "phenotype": "-9"})
    write_bed(folder / "g", Genotypes(calls_nv, variants, people))
    make = ["--make-pgen", "psam-cols=fid,sex", "--out", folder / "all"]
    run_program([find_program("plink2"), "--bfile", folder / "g", *make])
    people[["fid", "iid"]].to_csv(folder / "keep.tsv", sep="\t", header=["#FID", "IID"], index=False)
    return folder


def candidates(*p: float) -> pd.DataFrame:
    """Rows as a file of summary statistics has them, whose ids are spelt as that form wants them."""
    position = [3_000_000, 3_010_000, 3_020_000, 5_500_000]
    return pd.DataFrame(
        {"chromosome": 23, "base_pair_location": position, "effect_allele": "A", "other_allele": "C", "p_value": p,
         "beta": 1.0, "standard_error": [0.02, 0.01, 0.04, 0.025], "rsid": [None, None, "rs3", None], "variant_id": ["X_1_a", "X_2_b", None, "X_4_d"]}
    )  # fmt: skip


def clump(genotypes: Path, folder: Path, tables: dict[str, pd.DataFrame], **config: float) -> dict[str, pd.DataFrame]:
    programs = find_program("plink2"), find_program("plink1.9")
    return clump_chromosome(
        *programs, genotypes, tables, folder, keep=genotypes / "keep.tsv", config=LociConfig(**config)
    )


def test_what_is_linked_and_near_is_one_locus(genotypes: Path, tmp_path: Path) -> None:
    tables = {"edf_0001": candidates(1e-9, 1e-12, 1e-8, 1e-10), "edf_0002": candidates(1e-9, 1e-6, 1e-5, 1e-6)}
    found = clump(genotypes, tmp_path, tables)
    first = found["edf_0001"].sort_values("p_value")
    assert first["lead_rsid"].tolist() == ["X:2:b", "X:4:d", "rs3"]
    assert first["start"].tolist() == [3_000_000, 5_500_000, 3_020_000]
    assert first["end"].tolist() == [3_010_000, 5_500_000, 3_020_000]
    assert first["variants"].tolist() == [2, 1, 1]
    assert found["edf_0002"]["lead_rsid"].tolist() == ["X:1:a"]
    wide = clump(genotypes, tmp_path, tables, kb=5000)["edf_0001"]
    assert wide.sort_values("p_value")["lead_rsid"].tolist() == ["X:2:b", "rs3"]


def test_of_p_below_what_a_double_holds_the_least_leads(genotypes: Path, tmp_path: Path) -> None:
    """z of 50, 100, 25 and 40: the second is the strongest, though all P but the third's are read as 0."""
    found = clump(genotypes, tmp_path, {"edf_0001": candidates(0, 0, 1e-140, 0)}, kb=5000)["edf_0001"]
    assert found["lead_rsid"].tolist() == ["X:2:b", "rs3"]
    assert found["p_value"].tolist() == [0, 1e-140]


def test_p_for_plink_keeps_its_order() -> None:
    z = np.array([37.0, 37.2, 38.0, 60, 300, 1e4])
    table = pd.DataFrame({"beta": z, "standard_error": 1.0, "p_value": 2 * norm.sf(z)})
    told = told_p(table)
    assert (told > 1e-308).all()
    assert (np.diff(told) < 0).all()
    assert told[0] == table["p_value"][0]


def test_nothing_significant_is_an_empty_table(genotypes: Path, tmp_path: Path) -> None:
    """PLINK 1.9 then exits with 0 and writes no .clumped; the one of the feature before is not taken for it."""
    tables = {"edf_0001": candidates(1e-9, 1e-12, 1e-8, 1e-10), "edf_0002": candidates(1e-7, 1e-6, 1e-5, 1e-6)}
    assert len(clump(genotypes, tmp_path, tables)["edf_0002"]) == 0
    assert not (tmp_path / "clumped.clumped").exists()
    none = read_clumps(tmp_path / "none.clumped", candidates(1, 1, 1, 1).assign(lead_rsid=list("abcd")))
    assert len(none) == 0
    assert {"start", "end", "variants"} < set(none)


def test_the_chromosome_of_a_folder(genotypes: Path) -> None:
    assert chromosome_of(genotypes) == 23
