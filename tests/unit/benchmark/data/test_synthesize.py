"""The benchmark of the generator counts what it makes."""

from __future__ import annotations

import re

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
