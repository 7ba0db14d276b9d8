"""The step `discover credible-sets`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.config.discovery import CredibleSetsConfig
from ecglfm.discovery.finemapping import run_credible_sets
from ecglfm.discovery.finemapping.step import COLUMNS
from tests.unit.discovery.study import write_study


def test_a_set_a_picture_and_a_table_for_coloc_of_each_locus(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    run_credible_sets(CredibleSetsConfig(window=100_000), summary=summary, loci=loci, output=tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out/credible_sets.parquet")
    assert found[["edf", "locus", "variant", "set_size"]].to_numpy().tolist() == [
        ["edf_0001", 1, "rs151", 1],
        ["edf_0001", 2, "rs451", 1],
    ]
    assert (found["posterior"] > 0.99).all()
    names = sorted(path.name for path in (tmp_path / "out/loci").iterdir())
    assert names == [f"edf_0001.{lead}.{kind}" for lead in ("rs151", "rs451") for kind in ("coloc.tsv", "png")]
    coloc = pd.read_csv(tmp_path / "out/loci/edf_0001.rs151.coloc.tsv", sep="\t")
    assert len(coloc) == 21  # 100 kb to both sides, a variant each 10 kb
    assert {"snp", "position", "beta", "varbeta", "MAF", "N", "type", "sdY"} <= set(coloc)


def test_no_locus_is_an_empty_table(tmp_path: Path) -> None:
    summary, loci = write_study(tmp_path)
    pd.read_parquet(loci).head(0).to_parquet(loci)
    run_credible_sets(CredibleSetsConfig(), summary=summary, loci=loci, output=tmp_path / "out")
    assert list(pd.read_parquet(tmp_path / "out/credible_sets.parquet")) == COLUMNS
