"""The benchmark of ingest measures the same records in each way."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_ingest_benchmark_measures_the_same_records(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "ingest", "--records", "20", "--yardstick", "5", "--repeat", "3", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "wfdb.rdsamp", "numpy.fromfile", "reader, verified", "reader to millivolts", "ingest, 1 worker", "ingest, 2 workers"
    ]  # fmt: skip
    figures = [re.findall(r": (\d+) records/s; ([\d.]+) x wfdb.rdsamp; (\d+) records", line)[0] for line in lines]
    assert [int(records) for _, _, records in figures] == [5, 20, 20, 20, 60, 60]
    yardstick = float(figures[0][0])
    for rate, ratio, _ in figures:
        assert float(ratio) == pytest.approx(float(rate) / yardstick, rel=0.05, abs=0.1)
