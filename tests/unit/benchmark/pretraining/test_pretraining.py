"""The benchmark of pretraining compares its arms."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ecglfm.benchmark.pretraining import pretraining
from ecglfm.benchmark.pretraining.genuine import Comparison
from ecglfm.cli import main
from ecglfm.config import Project
from ecglfm.config.fits import Fit
from ecglfm.evaluation.metrics import Predictions


@pytest.mark.slow
def test_pretraining_benchmark_compares_the_arms(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    size = ["--patients", "40", "--seeds", "1", "--steps", "2"]
    assert main(["benchmark", "pretraining", *size]) == 0
    title, _, _, names, _, seed, mean = capsys.readouterr().out.splitlines()
    assert title.startswith("tiny, 2 updates: macro AUROC of a linear probe of diagnosis on ")
    assert names.split(" | ")[1:4] == ["random", "pretrained", "CMSC from the front end"]
    random, pretrained, front_end, worth, pools = map(float, re.findall(r"\| ([+-]?\d\.\d+)", seed))
    assert len({random, pretrained, front_end}) > 1
    assert worth == pytest.approx(pretrained - random, abs=0.0011)
    assert pools == pytest.approx(pretrained - front_end, abs=0.0011)
    assert mean == "| mean | " + re.sub(r" \(.*?\)", "", seed).removeprefix("| 0 | ")


@pytest.mark.parametrize(("encoder", "areas"), [("jepa-tiny", [0.5, 1.0]), ("random-tiny", [0.5, 0.5])])
def test_without_cmsc_there_are_two_arms(
    encoder: str, areas: list[float], capsys: pytest.CaptureFixture[str], repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is trained tells positives and negatives apart here, and random weights do not."""
    target = np.repeat([0.0, 1.0], 10)[:, None]

    def probe(project: Project, results: Path, pool: str | None, seed: int, steps: int) -> Predictions:
        told = pretraining._encoder(project.encoder_slice(*project.encoders), pool, seed, steps).config
        said = np.full_like(target, 0.5) if told.weights == "random" else target
        return Predictions(["a"], target, said, said, np.arange(20).astype(str))

    monkeypatch.chdir(repository)
    monkeypatch.setattr(pretraining, "_prepare", lambda *_: None)
    monkeypatch.setattr(pretraining, "_probe", probe)
    assert main(["benchmark", "pretraining", "--encoder", encoder, "--seeds", "2"]) == 0
    *_, names, line, first, second, mean = capsys.readouterr().out.splitlines()
    assert (names, line) == ("| seed | random | pretrained | pretrained - random |", "|---|---|---|---|")
    assert first.removeprefix("| 0") == second.removeprefix("| 1")
    assert mean == f"| mean | {areas[0]:.3f} | {areas[1]:.3f} | {areas[1] - areas[0]:+.3f} |"


def test_a_share_that_lacks_something_is_left_out_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    class Planted:
        def lacking(self, fit: Fit, fold: int) -> dict[str, str]:
            return {"HYP": "no positive record"} if (fit.fraction, fit.seed, fold) == (0.1, 1, 2) else {}

    kept = [
        pretraining._can_be_learnt(cast(Comparison, Planted()), share, Namespace(seeds=2, folds=3))
        for share in (0.1, 0.25, 1.0)
    ]
    assert kept == [False, True, True]
    assert capsys.readouterr().out.splitlines() == [
        "10% of the labels is left out: HYP has no positive record in fold 2, seed 1", "",
    ]  # fmt: skip
