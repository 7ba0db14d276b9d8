"""The table of loci: shared numbers, thresholds, genes, and an empty one where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import AssociationConfig
from ecglfm.discovery.association.loci import COLUMNS, locus_table, run_loci, shared_loci


def leads() -> pd.DataFrame:
    """Features 1 and 2 overlap on chromosome 1; what ends where another begins is one, too."""
    return pd.DataFrame(
        {
            "edf": ["edf_0001", "edf_0002", "edf_0001", "edf_0003", "edf_0001"],
            "chromosome": [1, 1, 1, 2, 1], "base_pair_location": [150, 210, 500, 150, 300], "start": [100, 200, 400, 100, 300],
            "end": [250, 300, 600, 200, 310], "variants": 3, "lead_rsid": ["a", "b", "c", "d", "e"], "effect_allele": "A",
            "other_allele": "C", "beta": 0.1, "standard_error": 0.01, "effect_allele_frequency": 0.3,
            "p_value": [1e-9, 1e-20, 4e-8, 1e-10, 1e-12], "n": 100,
        }
    )  # fmt: skip


def test_spans_that_overlap_are_one_locus() -> None:
    assert shared_loci(leads()).tolist() == [1, 1, 2, 3, 1]
    inside = pd.DataFrame({"chromosome": 1, "start": [100, 150, 300], "end": [400, 160, 310]})
    assert shared_loci(inside).tolist() == [1, 1, 1]  # the third is beyond the second, and within the first
    assert shared_loci(leads().sample(frac=1, random_state=2)).tolist().count(1) == 3


def test_the_table(tmp_path: Path) -> None:
    (tmp_path / "genes.tsv").write_text("chromosome\tstart\tend\tname\n1\t140\t160\tSCN5A\n1\t700\t800\tKCNQ1\n")
    table = locus_table(leads(), threshold=1e-9, genes=str(tmp_path / "genes.tsv"))
    assert table.columns.tolist() == COLUMNS
    assert table["lead_rsid"].tolist() == ["b", "e", "a", "c", "d"]
    assert table["significant_corrected"].tolist() == [True, True, True, False, True]
    assert table["nearest_gene"].fillna("-").tolist() == ["SCN5A", "SCN5A", "SCN5A", "KCNQ1", "-"]
    assert table["distance"].fillna(-1).tolist() == [50, 140, 0, 200, -1]


def test_a_miami_plot_of_what_was_not_tested_is_refused(tmp_path: Path) -> None:
    for name in ("edf_0001", "edf_0002"):
        (tmp_path / f"{name}.tsv.zst").touch()
    config = AssociationConfig(miami=["edf_0001", "edf_0009"])
    with pytest.raises(UserError, match=r"miami: no 'edf_0009' was tested; there are edf_0001, edf_0002$"):
        run_loci(("plink2", "plink1.9"), tmp_path, [], tmp_path / "out", config=config, keep=tmp_path / "keep.tsv")


def test_no_lead_is_an_empty_table_of_the_same_types(tmp_path: Path) -> None:
    (tmp_path / "genes.tsv").write_text("chromosome\tstart\tend\tname\n1\t140\t160\tSCN5A\n")
    none = pd.DataFrame(columns=["edf", "start", "end", "variants"])
    for genes in (None, str(tmp_path / "genes.tsv")):
        empty = locus_table(none, threshold=1e-9, genes=genes)
        assert len(empty) == 0
        assert empty.dtypes.to_dict() == locus_table(leads(), threshold=1e-9, genes=genes).dtypes.to_dict()
