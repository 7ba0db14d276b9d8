"""`ecglfm deidentify`, as a person types it: what it says, what its page says, and mistakes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config.deidentification import DeidentificationRules
from tests.pages import blocks, commands
from tests.unit.app.deidentification import planted


def test_the_page_is_what_the_command_does(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = repository / "docs/deidentify.md"
    planted.make(tmp_path / "hospital")
    (tmp_path / "rules.yaml").write_text(planted.RULES)
    monkeypatch.chdir(tmp_path)
    (command,) = commands(page)
    program, *arguments = shlex.split(command.replace("~/", ""))
    assert program == "ecglfm"
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "deidentify.secret: a new secret; keep it, and give it to nobody"
    assert said[1].startswith("shared: 8 files; removed: age 2, birth date 9, ")
    assert said[2].startswith("3 values are too short to be searched for")
    (rules,) = blocks(page, "yaml")
    assert [line.split(":")[0] for line in rules.text.splitlines() if line[0] != " "] == list(
        DeidentificationRules.model_fields
    )
    (tmp_path / "hospital/scan.pdf").write_bytes(b"%PDF")
    (tmp_path / "more.txt").write_text("Somebody Else\n\n")
    assert main([*arguments, "--look-for", "more.txt"]) == 1
    assert "not let through: scan.pdf: of no format that is known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "out", "--secret", "in/secret"], "--secret in/secret: lies in in; keep it elsewhere"),
        (["in", "out", "--secret", "s", "--rules", "r.yaml"], "'hide' is no rule: patient, id, path"),
        (["in", "in", "--secret", "s"], "one folder lies within the other"),
        (["in", "out", "--secret", "s", "--look-for", "no.txt"], "no.txt: No such file or directory"),
    ],
)
def test_mistakes(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "r.yaml").write_text("columns: {x: hide}")
    assert main(["deidentify", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
