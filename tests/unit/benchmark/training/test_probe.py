"""The benchmark of the probe learns planted labels."""

from __future__ import annotations

import re

import pytest

from ecglfm.cli import main


def test_probe_benchmark_learns_the_planted_labels(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"records": 3000, "labels": 2, "dim": 8, "epochs": 100}
    assert main(["benchmark", "probe", *(f"--{name}={value}" for name, value in options.items())]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert float(re.findall(r"probe of 2 labels, macro AUROC ([\d.]+):", line)[0]) > 0.85
    ours, other, ratio = (float(value) for value in re.findall(r"([\d.]+)(?= s;|;)", line)[:3])
    assert ratio == pytest.approx(ours / other, rel=0.2, abs=0.02)
