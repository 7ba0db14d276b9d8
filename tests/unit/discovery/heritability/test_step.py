"""The step `discover heritability`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import HeritabilityConfig
from ecglfm.discovery.heritability import run_heritability
from tests.unit.discovery.study import write_ld_scores, write_study


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


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a `panel` of PLINK 1 files, or `ld_scores`"):
        run_heritability(HeritabilityConfig(), summary=tmp_path, output=tmp_path)
    config = HeritabilityConfig(ld_scores=str(write_ld_scores(tmp_path / "scores")))
    with pytest.raises(UserError, match="no summary statistics"):
        run_heritability(config, summary=tmp_path, output=tmp_path)
