"""Lead variants, read and found in summary statistics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.summary import lead_statistics, read_loci, read_summary_statistics
from tests.unit.discovery.study import write_study


def test_leads_in_the_order_of_the_genome_with_their_statistics(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    leads = read_loci(loci)
    assert leads["chromosome"].tolist() == [1, 2]
    found = lead_statistics(leads, read_summary_statistics(summary / "edf_0001.tsv.zst"))
    assert found["beta"].tolist() == pytest.approx([0.09, 0.09])
    assert found["effect_allele_frequency"].tolist() == [0.3, 0.3]
    assert found["locus"].tolist() == [1, 2]


def test_loci_of_another_run_are_noticed(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    leads = read_loci(loci).assign(base_pair_location=7)
    with pytest.raises(UserError, match="lead variant 1:7 has no summary statistics"):
        lead_statistics(leads, read_summary_statistics(summary / "edf_0001.tsv.zst"))
    with pytest.raises(UserError, match="no such file; run the step `discover loci`"):
        read_loci(tmp_path / "none.parquet")
    pd.DataFrame({"edf": ["a"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no column 'locus'"):
        read_loci(tmp_path / "other.parquet")
