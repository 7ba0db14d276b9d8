"""The benchmark of pretraining compares its arms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main


@pytest.mark.slow
def test_pretraining_benchmark_compares_the_arms(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    size = ["--patients", "40", "--seeds", "1", "--steps", "2", "--epochs", "1"]
    assert main(["benchmark", "pretraining", *size]) == 0
    title, _, _, names, _, seed, mean = capsys.readouterr().out.splitlines()
    assert title.startswith("tiny, 2 updates: macro AUROC of a linear probe of diagnosis on ")
    assert names.split(" | ")[1:4] == ["random", "pretrained", "CMSC from the front end"]
    random, pretrained, front_end, worth, pools = map(float, re.findall(r"\| ([+-]?\d\.\d+)", seed))
    assert len({random, pretrained, front_end}) > 1
    assert worth == pytest.approx(pretrained - random, abs=0.0011)
    assert pools == pytest.approx(pretrained - front_end, abs=0.0011)
    assert mean == "| mean | " + re.sub(r" \(.*?\)", "", seed).removeprefix("| 0 | ")
