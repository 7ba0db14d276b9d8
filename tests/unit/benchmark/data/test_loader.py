"""The benchmark of the loader stands beside the original's."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_loader_benchmark_compares_with_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "loader", "--patients", "130", "--shards", "3", "--block", "8", "--runs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    original = int(re.findall(r"as the original: (\d+) segments/s", lines[0])[0])
    for line in lines[2:4]:
        here, ratio, best, fixed = (float(value) for value in re.findall(r"(?<!float)(?<!int)\b[\d.]+", line)[:4])
        assert ratio == pytest.approx(here / original, rel=0.01, abs=0.06)  # it is printed with one digit
        assert (best, fixed) == (here, pytest.approx(here / 4321, abs=0.05))
    assert [line.split(": ")[0].rsplit(", ", 1)[1] for line in lines[4:]] == [
        "plain memory maps", "full shuffle", "blocks of 8 neighbours"
    ]  # fmt: skip
