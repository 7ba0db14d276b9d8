"""The step `discover mr`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import MrConfig
from ecglfm.discovery.causal import run_mr
from ecglfm.discovery.summary import write_summary_statistics
from tests.unit.discovery.study import statistics, write_study


def outcome(folder: Path, factor: float) -> Path:
    table = statistics(0.0, lead_z=9.0)
    write_summary_statistics(folder / "af.tsv.gz", table.assign(beta=factor * table["beta"]))
    return folder / "af.tsv.gz"


def test_an_outcome_of_other_people(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    config = MrConfig(outcomes={"af": {"statistics": str(outcome(tmp_path, 0.5)), "overlap": 0.1}})
    run_mr(config, summary=summary, loci=loci, output=tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out/mr.parquet")
    assert found[["exposure", "outcome", "method", "instruments"]].to_numpy().tolist() == [
        ["edf_0001", "af", "ivw", 2],
        ["edf_0001", "af", "ivw_fixed", 2],
    ]
    assert found["beta"].tolist() == pytest.approx([0.5, 0.5])
    checks = pd.read_parquet(tmp_path / "out/mr_checks.parquet")
    assert checks["f_mean"][0] == pytest.approx(81, rel=1e-3)
    assert checks["overlap_bias"][0] == pytest.approx(0.1 / 81, rel=1e-3)
    assert len(pd.read_parquet(tmp_path / "out/mr_instruments.parquet")) == 2
    names = sorted(path.name for path in (tmp_path / "out").rglob("*.png"))
    assert names == ["edf_0001.af.forest.png", "edf_0001.af.scatter.png", "mr.png"]


def test_no_lead_variant_is_an_empty_table(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    pd.read_parquet(loci).head(0).to_parquet(loci)
    config = MrConfig(outcomes={"af": {"statistics": str(outcome(tmp_path, 0.5))}})
    run_mr(config, summary=summary, loci=loci, output=tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out/mr.parquet").empty


def test_people_need_their_genotypes(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    config = MrConfig(outcomes={"af": {"column": "af"}}, table="diseases.tsv")
    with pytest.raises(UserError, match="outcome af is a `column` of people: name their genotypes"):
        run_mr(config, summary=summary, loci=loci, output=tmp_path / "out")
