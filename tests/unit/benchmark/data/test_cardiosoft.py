"""The benchmark of CardioSoft XML measures the same files in each way."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


def test_cardiosoft_benchmark_measures_the_same_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "cardiosoft", "--records", "3", "--samples", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["parser alone", "head (index)", "samples to microvolts (ingest)"]
    assert len({re.search(r"; (\d+) KB a file$", line)[1] for line in lines}) == 1  # type: ignore[index]
