"""`benchmark predict` answers every recording that it writes, and counts them a second."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main


def test_the_rate_is_recordings_by_seconds(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    encoder = str(repository / "config/encoders/tiny.yaml")
    assert main(["benchmark", "predict", "--encoder", encoder, "--records", "70", "--runs", "1"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("predict, tiny, fp32, 70 records: ")
    seconds, rate, bare, ratio = map(
        float, re.findall(r"([\d.]+) s \((\d+) records/s\); .*: ([\d.]+) s; ratio ([\d.]+)", line)[0]
    )
    assert rate == pytest.approx(70 / seconds, abs=1)
    assert ratio == pytest.approx(seconds / bare, abs=0.02)
