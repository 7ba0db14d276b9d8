"""`ecglfm clean` asks, and needs a terminal or a word for that; `status` and `why` name what they lack."""

from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import pytest
import yaml

from ecglfm.cli import main


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without encoders, whose results are a few files."""
    monkeypatch.chdir(tmp_path)
    for name in ("config/identity.json", "ingest/a/000.npy", "report/index.html"):
        (tmp_path / "results" / name).parent.mkdir(parents=True)
        (tmp_path / "results" / name).write_bytes(bytes(100))
    (tmp_path / "config").mkdir()
    content = {
        "sources": ["a"],
        "encoders": [],
        "tasks": [],
        "define": {"sources": {"a": {"kind": "wfdb_folder", "root": "raw"}}},
    }
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "results"


def _answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, text.encode())
    monkeypatch.setattr("sys.stdin", os.fdopen(theirs))


def test_without_a_terminal_it_removes_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["clean", "--keep", "models"]) == 1
    said = capsys.readouterr()
    assert said.out == "ingest      100 B  results/ingest/a\nresults: 100 B would be free\n"
    assert said.err == (
        "ecglfm clean: error: nothing was removed: there is no terminal to ask on; --yes says that it is meant\n"
    )
    assert (results / "ingest/a/000.npy").exists()


@pytest.mark.parametrize(("answer", "status", "there"), [("n\n", 1, True), ("\n", 1, True), ("y\n", 0, False)])
def test_on_a_terminal_it_asks(
    results: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, there: bool
) -> None:
    _answer(monkeypatch, answer)
    assert main(["clean", "--keep", "reports"]) == status
    assert (results / "ingest/a/000.npy").exists() is there
    assert (results / "report/index.html").exists()


def test_a_script_says_yes_and_another_folder(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.rename(tmp_path / "other")
    assert main(["clean", "--keep", "models", "--results", "other", "--yes"]) == 0
    assert capsys.readouterr().out == "ingest      100 B  other/ingest/a\nother: 100 B are free now\n"
    assert main(["clean", "--results", "other", "--yes"]) == 0
    assert not (tmp_path / "other").exists() or not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize("command", ["status", "why"])
def test_outside_of_the_workflow_it_says_where_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 1
    assert capsys.readouterr().err == (
        f"ecglfm {command}: error: {tmp_path} has no workflow/Snakefile: run this where you run snakemake,"
        " or name its file with -s\n"
    )
