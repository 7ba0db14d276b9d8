"""`make mutants`: what becomes of a mutant, why none is tried, and that nobody's environment becomes this checkout's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: Stands for a module's tests: the mutant's name says what they do.
TESTS = """
import os, time

def test_alike():
    name = os.environ.get("MUTANT_UNDER_TEST")
    assert name != "wrong"
    while name == "endless":
        time.sleep(1)
"""

INSIDE = "import sys; from tests import mutants; mutants.PATIENCE = 2.0; sys.exit(mutants.inside(sys.argv[1:], 1))"


def inside(repository: Path, folder: Path, content: str, names: list[str]) -> subprocess.CompletedProcess[str]:
    (folder / "test_alike.py").write_text(content)
    (folder / "mutants.json").write_text(json.dumps(names))
    command = [sys.executable, "-c", INSIDE, "test_alike.py"]
    environment = {"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_one_that_takes_too_long_is_told_from_one_that_a_test_fails_on(repository: Path, tmp_path: Path) -> None:
    done = inside(repository, tmp_path, TESTS, ["alike", "wrong", "endless"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "mutants.json").read_text()) == {
        "alike": "survived", "wrong": "killed", "endless": "late"
    }  # fmt: skip
    assert "1 passed" in done.stdout
    assert "no tests ran" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "said", "why"),
    [
        ("def test_alike():\n    assert 1 == 2, 'the reason'\n", "the reason", "not green without a mutant"),
        ("", "no tests ran", "no test that is selected"),
    ],
    ids=["they fail", "there are none"],
)
def test_why_no_mutant_is_tried(repository: Path, tmp_path: Path, content: str, said: str, why: str) -> None:
    done = inside(repository, tmp_path, content, ["alike"])
    assert done.returncode != 0
    assert said in done.stdout
    assert why in done.stderr


def test_an_environment_of_ones_own_does_not_become_this_checkout(repository: Path) -> None:
    command = ["make", "--no-print-directory", "-n", "mutants", "VIRTUAL_ENV=/nowhere", "PYTHON=false"]
    said = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    assert "tests.mutants" in said
    assert " -e " not in said
