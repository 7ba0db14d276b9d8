"""`ecglfm config`: whether a folder is sound, and its generated pages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecglfm.cli import main


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository / "config", tmp_path / "config"))


def test_a_sound_folder_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "sources: [demo-ptbxl]\nencoders: [tiny]\ntasks: [coin-toss]\nfinetune: {modes: [full, linear], seeds: [0, 1, 2]}\n"
    (folder / "config.yaml").write_text(content)
    assert main(["config", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: sound; 1 source, 1 encoder, 1 task, 6 fits each\n"
    (folder / "config.yaml").write_text(content.replace("tiny", "tinny"))
    assert main(["config", "--folder", str(folder)]) == 1
    assert "tinny" in capsys.readouterr().err


def test_pages_are_written_as_they_ship(folder: Path, repository: Path) -> None:
    (folder / "schema.json").write_text("old")
    pages = Path(shutil.copytree(repository / "docs/config", folder.parent / "docs/config"))
    (pages / "index.md").write_text("old")
    assert main(["config", "--folder", str(folder), "--write-docs"]) == 0
    for written, shipped in ((folder / "schema.json", "config"), *((page, "docs/config") for page in pages.iterdir())):
        assert written.read_text() == (repository / shipped / written.name).read_text()


def test_an_old_file_is_lifted_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "config.yaml"
    current = file.read_text()
    old = current.replace("version: 2\n", "")
    file.write_text(old)
    assert main(["config", "migrate", str(file), "--check"]) == 1
    assert (capsys.readouterr().out, file.read_text()) == (f"{file}: version: 2\n", old)
    assert main(["config", "migrate", str(file)]) == 0
    assert (capsys.readouterr().out, file.read_text()) == (f"{file}: version: 2\n", current)
    assert main(["config", "--folder", str(folder), "migrate", "--check"]) == 0
    assert capsys.readouterr().out == "nothing to do: every key has its present name\n"


def test_nothing_is_written_where_one_file_cannot_be_lifted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "config.yaml"
    file.write_text("sources: [a]\n")
    (folder / "other.yaml").write_text("version: 99\n")
    assert main(["config", "--folder", str(folder), "migrate"]) == 1
    assert "other.yaml: version: 99 is newer" in capsys.readouterr().err
    assert file.read_text() == "sources: [a]\n"
