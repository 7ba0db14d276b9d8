"""The benchmark of memory measures every stage of the data."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_memory_benchmark_measures_every_data_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "memory", "--records", "150"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "index of ptbxl", "index of mimic_iv_ecg", "ingest, one shard", "preprocess, one shard", "manifest and audit",
        "labels", "summary",
    ]  # fmt: skip
    for line in lines:
        small, large, growth = re.findall(r": (\d+) MB with 150 records, (\d+) MB with 1200: (-?\d+) bytes", line)[0]
        assert 50 < int(small) < 1000  # a Python process with pandas
        assert int(growth) == pytest.approx((int(large) - int(small)) * 1e6 / 1050, abs=1000)  # MB are rounded
