"""The benchmark of preprocessing stands beside the bare calls."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_preprocess_benchmark_compares_with_the_bare_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "preprocess", "--records", "6", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "prepare 500 Hz pass-through",
        "prepare 400 to 500 Hz",
        "prepare band-pass and notch",
        "stage preprocess, 500 Hz pass-through, 1 worker",
    ]
    for line in lines:
        rate, ratio = (float(value) for value in re.findall(r"\((\d+) records/s\).*ratio ([\d.]+);", line)[0])
        assert rate > 0
        assert ratio > 0
