"""`ecglfm discover credible-sets`, `mr`, `phewas` …: their arguments reach the steps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.cli import main
from tests.unit.discovery.study import write_ld_scores, write_study


def step(name: str, folder: Path, config: str, *more: str) -> int:
    summary, loci = write_study(folder)
    (folder / "config.yaml").write_text(config)
    of_loci = [] if name == "heritability" else ["--loci", str(loci)]
    arguments = ["--config", str(folder / "config.yaml"), "--summary", str(summary), *of_loci, "--output", str(folder)]
    return main(["discover", name, *arguments, *more])


def test_steps_read_their_slices(tmp_path: Path) -> None:
    scores = write_ld_scores(tmp_path / "scores")
    assert step("credible-sets", tmp_path, "coverage: 0.99\n") == 0
    assert step("heritability", tmp_path, f"ld_scores: {scores}\nblocks: 20\n") == 0
    assert step("mr", tmp_path, f"mr: {{outcomes: {{af: {{statistics: {tmp_path}/summary/edf_0001.tsv.zst}}}}}}\n") == 0
    assert step("replication", tmp_path, f"cohorts: {{b: '{tmp_path}/summary/{{edf}}.tsv.zst'}}\n") == 0
    assert len(pd.read_parquet(tmp_path / "credible_sets.parquet")) == 2
    assert len(pd.read_parquet(tmp_path / "heritability.parquet")) == 2
    assert pd.read_parquet(tmp_path / "mr.parquet")["beta"].tolist() == pytest.approx([1, 1])
    assert pd.read_parquet(tmp_path / "replication.parquet")["replicates"].tolist() == [True, True]


def test_what_belongs_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step("mr", tmp_path, "mr: {}\n", "--genotypes", "a") == 1
    assert "--genotypes and --people belong together" in capsys.readouterr().err
    (tmp_path / "phewas.yaml").write_text("table: t.tsv\n")
    arguments = ["--config", str(tmp_path / "phewas.yaml"), "--features", str(tmp_path), "--components", "pca.tsv"]
    assert main(["discover", "phewas", *arguments]) == 1
    assert "--components needs --ids" in capsys.readouterr().err
