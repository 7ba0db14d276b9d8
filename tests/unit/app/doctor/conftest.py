"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import snakemake.cli  # noqa: F401 (it asks for programs on PATH, which some tests clear)
import yaml


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The only programs on PATH: `programs(name, shell script)` adds one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return add


@pytest.fixture
def config(tmp_path: Path, repository: Path) -> Path:
    """A config folder of one's own, with results in the same place."""
    folder = tmp_path / "config"
    shutil.copytree(repository / "config", folder)
    content = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(content | {"results": str(tmp_path / "results")}))
    return folder
