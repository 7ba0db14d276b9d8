"""`benchmark predict` answers every recording that it writes, and counts them a second."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ecglfm.app import prediction
from ecglfm.cli import main


def counted(predict: Callable[..., object], asked: list[int], folders: object, recordings: list, *more, **options):
    """Note how many recordings are asked about."""
    asked.append(len(recordings))
    return predict(folders, recordings, *more, **options)


def test_the_rate_is_recordings_by_seconds(
    capsys: pytest.CaptureFixture[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = str(repository / "config/encoders/tiny.yaml")
    asked: list[int] = []
    monkeypatch.setattr(prediction, "run_predict", partial(counted, prediction.run_predict, asked))
    assert main(["benchmark", "predict", "--encoder", encoder, "--records", "70", "--runs", "1"]) == 0
    assert asked == [70, 70]  # the first is no figure: it has what the process imports, and would have the compiler
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("predict, tiny, fp32, 70 records: ")
    seconds, rate, bare, ratio = map(
        float, re.findall(r"([\d.]+) s \((\d+) records/s\); .*: ([\d.]+) s; ratio ([\d.]+)", line)[0]
    )
    assert rate == pytest.approx(70 / seconds, abs=1)
    assert ratio == pytest.approx(seconds / bare, abs=0.02)
