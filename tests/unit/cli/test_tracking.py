"""`ecglfm tracking sync`: which folder and which MLflow it is about, and what it says of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import TrackingSlice


def test_what_was_brought_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tracking.yaml").write_text("uri: here\n")
    (tmp_path / "own.yaml").write_text("uri: there\n")
    asked: list[tuple[Path, TrackingSlice]] = []
    answers = [Counter(journals=3, metrics=12, artifacts=2, params=0), Counter(journals=3)]

    def sync(results: Path, tracking: TrackingSlice) -> Counter[str]:
        asked.append((results, tracking))
        return answers.pop(0)

    monkeypatch.setattr("ecglfm.tracking.sync.sync", sync)
    monkeypatch.setattr("ecglfm.config.load", lambda _, path: path.read_text())
    assert main(["tracking", "sync", str(tmp_path)]) == 0
    assert main(["tracking", "sync", str(tmp_path), "--tracking", str(tmp_path / "own.yaml")]) == 0
    assert asked == [(tmp_path, "uri: here\n"), (tmp_path, "uri: there\n")]
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}: 3 runs; artifacts 2, metrics 12",
        f"{tmp_path}: 3 runs; MLflow lacked nothing",
    ]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["tracking", "sync", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.endswith("none: no such folder; name the one that the workflow fills\n")
