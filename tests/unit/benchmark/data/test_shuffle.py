"""The benchmark of shuffling finds the expected number of neighbours."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


def test_shuffle_benchmark_finds_the_expected_number_of_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "shuffle", "--patients", "6400", "--size", "64", "--block", "16"]) == 0
    full, blocks = capsys.readouterr().out.splitlines()
    pairs = [float(re.findall(r"([\d.]+) pairs of one block", line)[0]) for line in (full, blocks)]
    assert pairs[0] == pytest.approx(64 * 63 / 2 * 15 / 6399, abs=0.9)  # 4.73; three standard errors of 50 batches
    assert pairs[1] == pytest.approx(0, abs=0.1)
    runs = [int(re.findall(r"runs of (\d+) patients", line)[0]) for line in (full, blocks)]
    assert runs == [1, pytest.approx(16, abs=1)]  # now and then two neighbouring blocks are one run
