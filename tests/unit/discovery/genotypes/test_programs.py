"""Programs of others: found, or one sentence says how to get them; a failure is told in their own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.discovery.genotypes import find_program, fresh_folder, run_program
from tests.plink import need_plink


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_a_missing_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match="^no program plink2 on PATH: get it with `apt-get install plink2`, `conda inst"
    ):
        find_program("plink2")
    with pytest.raises(UserError, match=r"or name it in `discover\.programs\.plink19`$"):
        find_program("plink1.9")
    with pytest.raises(UserError, match="^no program at /opt/regenie: get it with `conda install .* regenie`"):
        find_program("regenie", "/opt/regenie")


def test_another_version_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plink` is 1.9 in conda, and was 1.07 for years elsewhere."""
    monkeypatch.setenv("PATH", str(tmp_path))
    old = script(tmp_path / "plink", "echo 'PLINK! v1.07'")
    with pytest.raises(UserError, match="^no program plink1.9 on PATH"):
        find_program("plink1.9")
    with pytest.raises(UserError, match=r"plink: this is PLINK! v1\.07, no plink1\.9; get it"):
        find_program("plink1.9", old)
    script(tmp_path / "plink", "echo 'PLINK v1.90b6.26 64-bit (2 Apr 2022)'")
    assert find_program("plink1.9") == old


def test_those_of_the_distribution_are_taken() -> None:
    need_plink()
    assert find_program("plink2").endswith("/plink2")
    assert find_program("plink1.9").endswith("/plink1.9")


def test_a_failure_is_told_in_the_programs_words(tmp_path: Path) -> None:
    lines = ("echo 'Start'", "printf 'done 99%%\\rError: Failed to open\\n  x.pgen .\\n'", "exit 4")
    with pytest.raises(UserError, match=r"^fails failed \(status 4\): Error: Failed to open x\.pgen \.$"):
        run_program([script(tmp_path / "fails", *lines)])
    assert run_program([script(tmp_path / "works", "echo $1"), "said"]) == "said\n"


def test_a_folder_is_there_as_a_whole_or_as_before(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/old").touch()
    with pytest.raises(FileNotFoundError), fresh_folder(tmp_path / "made") as folder:
        (folder / "half").rename(folder / "there")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["made", "made/old"]
    with fresh_folder(tmp_path / "made") as folder:
        (folder / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "new"]
