"""The step `discover replication`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.config.discovery import ReplicationConfig
from ecglfm.discovery.replication import run_replication
from ecglfm.discovery.summary import write_summary_statistics
from tests.unit.discovery.study import statistics, write_study


def test_leads_in_each_cohort(tmp_path: Path) -> None:
    """In one cohort both replicate, its alleles turned; in the other the first is not there."""
    summary, loci = write_study(tmp_path)
    same = statistics(0.2, lead_z=8.0)
    turned = same.assign(effect_allele="G", other_allele="A", beta=-same["beta"], effect_allele_frequency=0.7)
    write_summary_statistics(tmp_path / "b/edf_0001.tsv.gz", turned)
    write_summary_statistics(tmp_path / "c/edf_0001.tsv.gz", statistics(0.0).drop(index=150))
    config = ReplicationConfig(cohorts={"b": f"{tmp_path}/b/{{edf}}.tsv.gz", "c": f"{tmp_path}/c/{{edf}}.tsv.gz"})
    run_replication(config, summary=summary, loci=loci, output=tmp_path)
    found = pd.read_parquet(tmp_path / "replication.parquet")
    assert found[["cohort", "edf", "locus", "tested"]].to_numpy().tolist() == [
        ["b", "edf_0001", 1, True], ["b", "edf_0001", 2, True], ["c", "edf_0001", 1, False], ["c", "edf_0001", 2, True],
    ]  # fmt: skip
    assert found["reason"].fillna("").tolist() == ["", "", "absent", ""]
    assert found["beta_2"].tolist()[:2] == pytest.approx([0.08, 0.08])
    assert found["replicates"].fillna(False).tolist() == [True, True, False, False]
    assert found["threshold"].tolist() == pytest.approx([0.025, 0.025, 0.05, 0.05])
    assert (tmp_path / "replication.b.png").exists()


def test_no_lead_variant_is_an_empty_table(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    pd.read_parquet(loci).head(0).to_parquet(loci)
    run_replication(ReplicationConfig(cohorts={"b": "{edf}.tsv"}), summary=summary, loci=loci, output=tmp_path)
    assert pd.read_parquet(tmp_path / "replication.parquet").empty


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    with pytest.raises(UserError, match="b/edf_0001.tsv: cannot be read"):
        run_replication(ReplicationConfig(cohorts={"b": "b/{edf}.tsv"}), summary=summary, loci=loci, output=tmp_path)


def test_a_cohort_with_names_of_its_own(tmp_path: Path) -> None:
    """Files are named one by one; leads of a feature without one are not tested, and count for no correction."""
    summary, loci = write_study(tmp_path)
    found = pd.read_parquet(loci)
    pd.concat([found, found.assign(edf="edf_0002")]).to_parquet(loci)
    (summary / "edf_0002.tsv.zst").write_bytes((summary / "edf_0001.tsv.zst").read_bytes())
    write_summary_statistics(tmp_path / "theirs.tsv.gz", statistics(0.2, lead_z=8.0))
    cohorts = {"b": {"edf_0001": f"{tmp_path}/theirs.tsv.gz"}}
    run_replication(ReplicationConfig(cohorts=cohorts), summary=summary, loci=loci, output=tmp_path)
    table = pd.read_parquet(tmp_path / "replication.parquet")
    assert table["edf"].tolist() == ["edf_0001"] * 2 + ["edf_0002"] * 2
    assert table["reason"].fillna("").tolist() == ["", "", "no file", "no file"]
    assert table["tested"].tolist() == [True, True, False, False]
    assert table["threshold"].tolist() == pytest.approx([0.025] * 4)
    wrong = ReplicationConfig(cohorts={"b": {"edf_1": "theirs.tsv.gz"}})
    with pytest.raises(UserError, match=r"discover\.replication\.cohorts\.b: .*/summary has no feature 'edf_1'"):
        run_replication(wrong, summary=summary, loci=loci, output=tmp_path)
