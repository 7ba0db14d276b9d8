"""The benchmarks run; their figures are read by people, not asserted (machines are noisy)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_generator_benchmark_counts_its_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "synthesize", "--patients", "4", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()[::2]  # the others tell the processor's share
    assert [line.split(":")[0] for line in lines] == [
        "synthesize ptbxl, 8 records, 1 core",
        "synthesize mimic_iv_ecg, 8 records, 1 core",
    ]
    for line in lines:
        seconds, rate = (float(value) for value in re.findall(r": ([\d.]+) s \((\d+) records/s\)", line)[0])
        assert rate == pytest.approx(8 / seconds, rel=0.2)


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
