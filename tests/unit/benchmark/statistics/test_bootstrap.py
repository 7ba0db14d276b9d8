"""The benchmark of the bootstrap stands beside one resample at a time."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


def test_bootstrap_benchmark_compares_with_one_resample_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"labels": 3, "records": 60, "resamples": 10, "encoders": 3}
    assert main(["benchmark", "bootstrap", *(f"--{name}={value}" for name, value in sizes.items())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "nine metrics of 3 labels, macro and micro, 10 resamples", "the same in 21 subgroups of 5 kinds",
        "3 encoders against each other", "survival of 60 records, 10 resamples",
    ]  # fmt: skip
    for line in lines:
        ours, other, ratio = (float(value) for value in re.findall(r"([\d.]+)(?= s;|;)", line)[:3])
        assert ratio == pytest.approx(ours / other, abs=0.02 + 0.001 * (1 + ratio) / other)
