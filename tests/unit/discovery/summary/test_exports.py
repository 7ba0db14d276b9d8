"""Tables for LDSC and coloc: their columns, and what does not belong in them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.discovery.summary import coloc_locus, ldsc_table, variant_names, write_ldsc

TABLE = pd.DataFrame(
    {
        "chromosome": [1, 1, 1, 1, 1, 1, 1, 1, 2],
        "base_pair_location": [10, 20, 30, 40, 50, 60, 70, 80, 10],
        "effect_allele": ["A", "A", "AC", "C", "A", "A", "A", "A", "A"],
        "other_allele": ["G", "T", "A", "T", "G", "G", "G", "G", "G"],
        "beta": [0.2, 0.1, 0.1, -0.3, 0.1, 0.1, 0.1, 0.1, 0.1],
        "standard_error": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        "effect_allele_frequency": [0.3, 0.3, 0.3, 0.8, 0.995, 0.3, 0.3, 0.3, 0.3],
        "p_value": 0.1,
        "rsid": ["rs1", "rs2", "rs3", "rs4", "rs5", "rs6", "rs7", None, "rs9"],
        "n": [1000, 1000, 1000, 900, 1000, 600, 1000, 1000, 1000],
        "info": [1.0, 1.0, 1.0, None, 1.0, 1.0, 0.5, 1.0, 1.0],
    }
)  # of the first nine: palindrome (rs2), insertion (rs3), rare (rs5), few people (rs6), badly imputed (rs7), no name


def test_what_ldsc_takes(tmp_path: Path) -> None:
    found = ldsc_table(TABLE)
    assert list(found) == ["SNP", "A1", "A2", "Z", "N"]
    assert found["SNP"].tolist() == ["rs1", "rs4", "rs9"]
    assert found["Z"].tolist() == pytest.approx([2, -3, 1])
    write_ldsc(tmp_path / "a.sumstats.gz", found)
    text = gzip.decompress((tmp_path / "a.sumstats.gz").read_bytes()).decode()
    assert text.splitlines()[:2] == ["SNP\tA1\tA2\tZ\tN", "rs1\tA\tG\t2.000\t1000"]


def test_a_locus_for_coloc() -> None:
    found = coloc_locus(TABLE, chromosome=1, start=20, end=40)
    assert found["snp"].tolist() == ["rs2", "rs3", "rs4"]
    assert found["varbeta"].tolist() == pytest.approx([0.01] * 3)
    assert found["MAF"].tolist() == pytest.approx([0.3, 0.3, 0.2])
    assert (found["sdY"] == 1).all()
    assert (found["type"] == "quant").all()
    assert coloc_locus(TABLE, chromosome=1, start=20, end=20, kind="cc", case_share=0.1)["s"].tolist() == [0.1]


def test_every_variant_has_a_name() -> None:
    assert variant_names(TABLE).tolist()[6:] == ["rs7", "1_80_G_A", "rs9"]
    assert variant_names(TABLE.drop(columns="rsid")).tolist()[0] == "1_10_G_A"
