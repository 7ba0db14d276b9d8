"""The step `discover heritability`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import HeritabilityConfig
from ecglfm.discovery.heritability import run_heritability
from ecglfm.discovery.summary import write_summary_statistics
from tests.unit.discovery.study import statistics, write_ld_scores, write_study


def test_h2_of_each_feature_and_tables_for_ldsc(tmp_path: Path) -> None:
    summary, _ = write_study(tmp_path)
    config = HeritabilityConfig(ld_scores=str(write_ld_scores(tmp_path / "scores")), blocks=20)
    run_heritability(config, summary=summary, output=tmp_path)
    found = pd.read_parquet(tmp_path / "heritability.parquet").set_index("edf")
    assert found.loc["edf_0002", "h2"] == pytest.approx(0.05, abs=1e-6)
    assert found.loc["edf_0001", "intercept"] == pytest.approx(1, abs=1e-5)  # its lead variants have no part there
    pairs = pd.read_parquet(tmp_path / "genetic_correlation.parquet")
    assert pairs[["edf_1", "edf_2"]].to_numpy().tolist() == [["edf_0001", "edf_0002"]]
    lines = gzip.decompress((tmp_path / "ldsc/edf_0002.sumstats.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "SNP\tA1\tA2\tZ\tN"
    assert len(lines) == 601
    assert (tmp_path / "heritability.png").exists()
    assert (tmp_path / "genetic_correlation.png").exists()


@pytest.mark.parametrize("nameless", [[1, 300], list(range(600))])
def test_variants_without_rsid_are_named_for_ldsc_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nameless: list[int]
) -> None:
    """Those that have an rsid keep it."""
    summary, _ = write_study(tmp_path)
    for edf, h2 in (("edf_0001", 0.2), ("edf_0002", 0.05)):
        table = statistics(h2)
        table.loc[nameless, "rsid"] = None
        write_summary_statistics(summary / f"{edf}.tsv.zst", table)
    config = HeritabilityConfig(ld_scores=str(write_ld_scores(tmp_path / "scores")), blocks=20)
    run_heritability(config, summary=summary, output=tmp_path)
    for edf in ("edf_0001", "edf_0002"):
        names = pd.read_csv(tmp_path / f"ldsc/{edf}.sumstats.gz", sep="\t")["SNP"]
        assert len(names) == 600
        assert names[[1, 300]].tolist() == ["1_10001_G_A", "2_1_G_A"]
        assert names[2] == ("rs3" if len(nameless) == 2 else "1_20001_G_A")
    assert [text for text in caplog.messages if "rsid" in text] == [
        f"ldsc/: {len(nameless)} of 600 variants of edf_0002 have no rsid and are named by place and alleles; LDSC takes"
        " those whose name is in its scores"
    ]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a `panel` of PLINK 1 files, or `ld_scores`"):
        run_heritability(HeritabilityConfig(), summary=tmp_path, output=tmp_path)
    config = HeritabilityConfig(ld_scores=str(write_ld_scores(tmp_path / "scores")))
    with pytest.raises(UserError, match="no summary statistics"):
        run_heritability(config, summary=tmp_path, output=tmp_path)
