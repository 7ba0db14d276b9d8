"""The benchmark of large plans plans what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_large_plan_benchmark_plans_what_it_says(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert main(["benchmark", "plan_large", "--scale", "0.0001", "--shards", "20", "--runs", "1"]) == 0
    time, memory = capsys.readouterr().out.splitlines()
    assert time.startswith("snakemake -n, 8 sources, 1161 rows, 22 shards, 36 fits: ")  # one shard each at least
    plan, alone = (int(value) for value in re.findall(r"(\d+) MB", memory))
    assert plan >= alone > 50
