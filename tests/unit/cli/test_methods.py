"""The command `methods`, as its page writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.cli import main
from tests.pages import commands
from tests.unit.evaluation.conftest import write_results


def test_methods_of_a_finished_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_results(tmp_path / "results")
    every, one = commands(repository / "docs/reporting.md")
    for command in (every, one.replace("diagnosis", "super")):
        assert main(command.split()[1:]) == 0
        assert Path("methods.md").read_text().startswith("# Methods\n")
    assert "methods.md: methods, and the checklist of TRIPOD+AI;" in capsys.readouterr().out
    assert main(one.split()[1:]) == 1
    assert "--task diagnosis: not among those evaluated: super" in capsys.readouterr().err
